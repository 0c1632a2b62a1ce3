/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory-image-api.c: the save image that a domain's memory is mapped from, for the public API
 */

#include "config.h"

#include <sys/stat.h>

#include <glib/gi18n-lib.h>

#include "driver/domain-private.h"
#include "driver/memory-check.h"

/**
 * stasis_domain_get_memory_image:
 * @self: a domain
 * @out_is_there: (out) (optional): %FALSE where another file lies there by now, or none: the guest
 *   goes on with the one that it had; where it has a flat file, this is said of that
 * @error: return location
 *
 * Returns: (transfer full) (nullable): the save image that its memory is mapped from, if need be
 *   by way of a flat file (stasis_domain_get_flat_file()); %NULL with no error where it has memory
 *   of its own, or does not run
 */
char *
stasis_domain_get_memory_image (StasisDomain *self, gboolean *out_is_there, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->get_memory_image (self, out_is_there, error);

  g_autoptr (StasisStatus) status = NULL;
  if (!stasis_domain_look (self, &status, error) || status == NULL || status->memory_image == NULL)
    return NULL;

  struct stat st;
  const StasisFileId *id = &status->memory_image_id;
  /* Of a flat file's image nothing is needed any more. */
  if (out_is_there != NULL)
    *out_is_there = stat (status->memory_image, &st) == 0 && st.st_dev == id->device
                    && st.st_ino == id->inode;
  return g_strdup (status->memory_flat_of != NULL ? status->memory_flat_of : status->memory_image);
}

/**
 * stasis_domain_get_flat_file:
 * @self: a domain
 * @error: return location
 *
 * Returns: (transfer full) (nullable): the flat file, made of the save image, that its memory is
 *   mapped from; %NULL with no error where there is none
 */
char *
stasis_domain_get_flat_file (StasisDomain *self, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->get_flat_file (self, error);

  g_autoptr (StasisStatus) status = NULL;
  if (!stasis_domain_look (self, &status, error) || status == NULL
      || status->memory_flat_of == NULL)
    return NULL;
  return g_strdup (status->memory_image);
}

/**
 * stasis_domain_get_image_check:
 * @self: a domain whose memory is mapped from a save image
 * @out_message: (out) (optional) (nullable) (transfer full): what is wrong, where something is
 * @error: return location
 *
 * Returns: what is known of that image; %STASIS_IMAGE_CHECK_NONE with @error where the domain
 *   cannot be looked at, or uses no image
 */
StasisImageCheck
stasis_domain_get_image_check (StasisDomain *self, char **out_message, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->get_image_check (self, out_message, error);

  if (out_message != NULL)
    *out_message = NULL;
  g_autoptr (StasisStatus) status = NULL;
  if (!stasis_domain_look (self, &status, error))
    return STASIS_IMAGE_CHECK_NONE;
  if (status == NULL || status->memory_image == NULL)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
                   _ ("the memory of domain '%s' is not mapped from an image"),
                   stasis_domain_get_name (self));
      return STASIS_IMAGE_CHECK_NONE;
    }
  if (status->memory_check != STASIS_MEMORY_CHECK_BACKGROUND)
    return status->memory_check == STASIS_MEMORY_CHECK_BEFORE ? STASIS_IMAGE_CHECK_BEFORE
                                                              : STASIS_IMAGE_CHECK_NONE;
  static const StasisImageCheck checks[] = {
    [STASIS_MEMORY_FINDING_NONE_YET] = STASIS_IMAGE_CHECK_GOES_ON,
    [STASIS_MEMORY_FINDING_GOOD] = STASIS_IMAGE_CHECK_GOOD,
    [STASIS_MEMORY_FINDING_DAMAGED] = STASIS_IMAGE_CHECK_DAMAGED,
    [STASIS_MEMORY_FINDING_UNKNOWN] = STASIS_IMAGE_CHECK_UNKNOWN,
  };
  g_autofree char *folder
      = stasis_paths_domain (stasis_domain_get_driver (self)->paths, status->name, NULL);
  return checks[stasis_memory_check_read (folder, out_message)];
}
