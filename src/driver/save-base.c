/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save-base.c: the image that an incremental save is made on top of
 */

#include "config.h"

#include "driver/save-base.h"

#include <string.h>
#include <sys/stat.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "image/parent.h"
#include "util/uuid.h"

/* NULL is fine. */
void
stasis_save_base_free (StasisSaveBase *base)
{
  if (base == NULL)
    return;
  stasis_image_chain_free (base->chain);
  stasis_image_free (base->image);
  stasis_json_unref (base->parent);
  g_free (base);
}

static gboolean G_GNUC_PRINTF (2, 3) refuse (GError **error, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *message = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_REFUSED, message);
  return FALSE;
}

static gboolean
is_memory_image (const StasisStatus *status, const StasisImage *image)
{
  struct stat st;
  return status->memory_image != NULL && fstat (stasis_image_fd (image), &st) == 0
         && st.st_dev == status->memory_image_id.device
         && st.st_ino == status->memory_image_id.inode;
}

/* A rename over a base would take it away from its own child. */
static gboolean
check_target (const StasisSaveBase *base, const char *target, GError **error)
{
  struct stat st, its;
  if (target == NULL || stat (target, &st) < 0)
    return TRUE;
  for (guint i = 0; i < stasis_image_chain_n (base->chain); i++)
    {
      const StasisImage *image = stasis_image_chain_get (base->chain, i);
      if (fstat (stasis_image_fd (image), &its) == 0 && its.st_dev == st.st_dev
          && its.st_ino == st.st_ino)
        return refuse (error, _ ("'%s' is what the new image would stand on: save to another file"),
                       target);
    }
  return TRUE;
}

static gboolean
check_domain (const StasisSaveBase *base, const StasisStatus *status, GError **error)
{
  g_autofree char *uuid = stasis_uuid_format (stasis_image_domain_uuid (base->image));
  return g_str_equal (uuid, status->uuid)
         || refuse (error, _ ("'%1$s' is an image of another domain (%2$s)"),
                    stasis_image_name (base->image), uuid);
}

/* Open it. */
StasisSaveBase *
stasis_save_base_open (const StasisStatus *status, const char *path, const char *target,
                       GCancellable *cancellable, GError **error)
{
  const char *mapped = stasis_status_is_on_image (status) ? status->memory_image : NULL;
  const char *name = path != NULL ? path : mapped;
  if (name == NULL)
    {
      refuse (error,
              _ ("the memory of domain '%s' is not mapped from an image: name the base (--base)"),
              status->name);
      return NULL;
    }
  StasisSaveBase *base = g_new0 (StasisSaveBase, 1);
  base->image = stasis_image_open (name, error);
  if (base->image != NULL)
    base->is_mapped = is_memory_image (status, base->image);
  if (base->image != NULL && path == NULL && !base->is_mapped)
    refuse (error,
            _ ("'%1$s', which the memory of domain '%2$s' is mapped from, was replaced since: name "
               "the base (--base)"),
            name, status->name);
  else if (base->image != NULL && check_domain (base, status, error))
    base->parent = stasis_image_parent_new (base->image, name, error);
  if (base->parent != NULL)
    base->chain = stasis_image_chain_open (base->image, cancellable, error);
  if (base->chain != NULL && check_target (base, target, error))
    return base;
  stasis_save_base_free (base);
  return NULL;
}
