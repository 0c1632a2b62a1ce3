/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-image.c: the definitions in save images
 */

#include "config.h"

#include <glib/gi18n-lib.h>

#include "remote/calls.h"
#include "remote/session.h"

#define XML_SECURE 0x1u

static const StasisFlagPair define_flags[] = {
  { 0x2, STASIS_SAVE_RUNNING },
  { 0x4, STASIS_SAVE_PAUSED },
};

static const StasisFlagPair xml_flags[] = {
  { XML_SECURE, STASIS_XML_SECURE },
};

static gboolean
get_xml (StasisCall *call, const char *path, guint32 flags, GError **error)
{
  guint32 ours;
  if (!stasis_call_translate_flags (flags, xml_flags, G_N_ELEMENTS (xml_flags), &ours, error)
      || !stasis_session_check_xml (call->session, ours, error))
    return FALSE;
  call->rets[0].s = stasis_image_get_xml (path, ours, error);
  return call->rets[0].s != NULL;
}

static gboolean
define_xml (StasisCall *call, const char *path, const char *xml, guint32 flags, GError **error)
{
  guint32 ours;
  return stasis_call_translate_flags (flags, define_flags, G_N_ELEMENTS (define_flags), &ours,
                                      error)
         && stasis_image_define_xml (call->driver, path, xml, NULL, ours, error);
}

/* Of a file. */
gboolean
stasis_call_domain_save_image_get_xml_desc (StasisCall *call, GError **error)
{
  return stasis_call_check_file (call->args[0].s, error)
         && get_xml (call, call->args[0].s, call->args[1].u, error);
}

/* Put another one into it. */
gboolean
stasis_call_domain_save_image_define_xml (StasisCall *call, GError **error)
{
  return stasis_call_check_file (call->args[0].s, error)
         && define_xml (call, call->args[0].s, call->args[1].s, call->args[2].u, error);
}

/* (transfer full): where it is; an error where there is none. */
static char *
find_managed (StasisCall *call, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  if (domain == NULL)
    return NULL;
  char *path = stasis_domain_get_managed_save_path (domain);
  if (path == NULL)
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
                 _ ("domain '%s' does not have managed save image"),
                 stasis_domain_get_name (domain));
  return path;
}

/* Of a domain's managed save image. */
gboolean
stasis_call_domain_managed_save_get_xml_desc (StasisCall *call, GError **error)
{
  g_autofree char *path = find_managed (call, error);
  return path != NULL && get_xml (call, path, call->args[1].u, error);
}

/* Put another one into that. */
gboolean
stasis_call_domain_managed_save_define_xml (StasisCall *call, GError **error)
{
  if (call->args[1].s == NULL)
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                           _ ("no definition was given"));
      return FALSE;
    }
  g_autofree char *path = find_managed (call, error);
  return path != NULL && define_xml (call, path, call->args[1].s, call->args[2].u, error);
}
