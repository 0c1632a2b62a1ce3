/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client-image.c: save images on the host of a server
 */

#include "config.h"

#include <glib/gi18n-lib.h>

#include "remote/client-convert.h"
#include "remote/client-ops.h"
#include "util/json.h"

#define REMOTE STASIS_PROGRAM_REMOTE
#define OWN    STASIS_PROGRAM_OWN

static char *
get_image_info (StasisDriver *self, const char *path, GError **error)
{
  StasisClient *client = stasis_client_of_driver (self);
  const StasisWireValue args[] = { { .s = (char *) path } };
  StasisWireValue rets[1];
  return stasis_client_need_own (client, _ ("a look at an image"), error)
                 && stasis_client_call (client, OWN, "image-get-info", args, rets, error)
             ? rets[0].s
             : NULL;
}

static char *
get_image_xml (StasisDriver *self, const char *path, StasisXmlFlags flags, GError **error)
{
  const guint32 theirs = (flags & STASIS_XML_SECURE) != 0 ? 0x1u : 0;
  const StasisWireValue args[] = { { .s = (char *) path }, { .u = theirs } };
  StasisWireValue rets[1];
  return stasis_client_call (stasis_client_of_driver (self), REMOTE,
                             "domain-save-image-get-xml-desc", args, rets, error)
             ? rets[0].s
             : NULL;
}

static gboolean
define_image_xml (StasisDriver *self, const char *path, const char *xml, const char *source_name,
                  StasisSaveFlags flags, GError **error)
{
  StasisClient *client = stasis_client_of_driver (self);
  const StasisWireValue own[] = {
    { .s = (char *) path }, { .s = (char *) xml }, { .s = (char *) source_name }, { .u = flags }
  };
  const StasisWireValue common[]
      = { { .s = (char *) path }, { .s = (char *) xml }, { .u = flags } };
  if (stasis_client_is_own (client))
    return stasis_client_call (client, OWN, "image-define-xml", own, NULL, error);
  return stasis_client_call (client, REMOTE, "domain-save-image-define-xml", common, NULL, error);
}

/* (transfer full) (nullable): none where nobody can say. */
static GPtrArray *
parse_damages (const char *text)
{
  g_autoptr (StasisJson) array = stasis_json_parse (text, -1, NULL);
  const guint n = array != NULL ? stasis_json_array_length (array) : 0;
  if (n == 0)
    return NULL;
  GPtrArray *damages = g_ptr_array_new_with_free_func ((GDestroyNotify) stasis_image_damage_free);
  for (guint i = 0; i < n; i++)
    {
      const StasisJson *object = stasis_json_array_get (array, i);
      StasisImageDamage *damage = g_new0 (StasisImageDamage, 1);
      damage->offset = stasis_json_uint (stasis_json_get (object, "offset"), 0);
      damage->length = stasis_json_uint (stasis_json_get (object, "length"), 0);
      damage->what = g_strdup (stasis_json_string (stasis_json_get (object, "what"), ""));
      g_ptr_array_add (damages, damage);
    }
  return damages;
}

static gboolean
check_image (StasisDriver *self, const char *path, GPtrArray **out_damages,
             StasisProgressFunc progress, gpointer user_data, GCancellable *cancellable,
             GError **error)
{
  StasisClient *client = stasis_client_of_driver (self);
  const StasisClientJob job
      = { .progress = progress, .user_data = user_data, .cancellable = cancellable };
  const StasisWireValue args[] = { { .s = (char *) path } };
  StasisWireValue rets[3];
  if (out_damages != NULL)
    *out_damages = NULL;
  if (!stasis_client_need_own (client, _ ("a check of an image"), error)
      || !stasis_client_call_job (client, OWN, "image-check", args, rets, &job, error))
    return FALSE;
  const gboolean is_good = rets[0].i != 0;
  if (!is_good)
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_IMAGE,
                           rets[1].s != NULL ? rets[1].s : _ ("it is damaged"));
      if (out_damages != NULL)
        *out_damages = parse_damages (rets[2].s);
    }
  stasis_client_clear (OWN, "image-check", rets);
  return is_good;
}

static gboolean
flatten_image (StasisDriver *self, const char *in_path, const char *out_path,
               StasisProgressFunc progress, gpointer user_data, GCancellable *cancellable,
               GError **error)
{
  StasisClient *client = stasis_client_of_driver (self);
  const StasisClientJob job
      = { .progress = progress, .user_data = user_data, .cancellable = cancellable };
  const StasisWireValue args[] = { { .s = (char *) in_path }, { .s = (char *) out_path } };
  return stasis_client_need_own (client, _ ("making an image whole"), error)
         && stasis_client_call_job (client, OWN, "image-flatten", args, NULL, &job, error);
}

static GBytes *
draw_image_map (StasisDriver *self, const char *path, const char *format, GCancellable *cancellable,
                GError **error)
{
  StasisClient *client = stasis_client_of_driver (self);
  const StasisClientJob job = { .cancellable = cancellable };
  const StasisWireValue args[] = { { .s = (char *) path }, { .s = (char *) format } };
  StasisWireValue rets[1];
  return stasis_client_need_own (client, _ ("a picture of an image"), error)
                 && stasis_client_call_job (client, OWN, "image-draw-map", args, rets, &job, error)
             ? rets[0].bytes
             : NULL;
}

/* Save images. */
void
stasis_client_fill_image (StasisDriverOps *ops)
{
  ops->get_image_info = get_image_info;
  ops->get_image_xml = get_image_xml;
  ops->define_image_xml = define_image_xml;
  ops->check_image = check_image;
  ops->convert_image = stasis_client_convert_image;
  ops->flatten_image = flatten_image;
  ops->draw_image_map = draw_image_map;
}
