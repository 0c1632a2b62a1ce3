/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-define.c: another definition for a save image, for the public API
 */

#include "config.h"

#include <stasis/image.h>

#include <string.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/driver-private.h"
#include "driver/image-open.h"
#include "driver/image-owner.h"
#include "driver/marks.h"
#include "driver/save-target.h"
#include "image/facts.h"
#include "image/libvirt-rewrite.h"
#include "image/rewrite.h"
#include "util/atomic-file.h"

/* Whose state it is.  The guest does not see its name, but who looks for the image goes by it. */
static gboolean
check_identity (const StasisDomainDef *old, const StasisDomainDef *new, GError **error)
{
  const gboolean is_same_name = g_str_equal (old->name, new->name);
  if (is_same_name && g_str_equal (old->uuid, new->uuid))
    return TRUE;
  if (!is_same_name)
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                 _ ("the image is of domain '%1$s', whose name cannot be changed to '%2$s'"),
                 old->name, new->name);
  else
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                 _ ("the image is of domain '%1$s' (%2$s), whose UUID cannot be changed to %3$s"),
                 old->name, old->uuid, new->uuid);
  return FALSE;
}

/* The new definition as it goes into the image: the same guest, by ABI. */
static char *
check_xml (StasisDriver *driver, const StasisImageInput *image, const char *xml,
           const char *source_name, GError **error)
{
  g_autofree char *old_xml = stasis_image_any_text (image, error);
  g_autoptr (StasisDomainDef) old
      = old_xml == NULL ? NULL
                        : stasis_driver_parse (driver, old_xml, stasis_image_input_name (image),
                                               STASIS_DOMAIN_PARSE_DEFAULT, error);
  g_autoptr (StasisDomainDef) new
      = old == NULL
            ? NULL
            : stasis_driver_parse (driver, xml, source_name, STASIS_DOMAIN_PARSE_DEFAULT, error);
  if (new == NULL || !check_identity (old, new, error)
      || !stasis_domain_def_check_abi (old, new, error))
    return NULL;
  return stasis_domain_def_format (new, STASIS_DOMAIN_FORMAT_INACTIVE
                                            | STASIS_DOMAIN_FORMAT_MIGRATABLE
                                            | STASIS_DOMAIN_FORMAT_SECURE);
}

/* The facts where they are to say another run state, else NULL. */
static StasisJson *
other_facts (const StasisImage *image, StasisSaveFlags flags)
{
  if ((flags & (STASIS_SAVE_RUNNING | STASIS_SAVE_PAUSED)) == 0)
    return NULL;
  return stasis_image_facts_with_run_state (stasis_image_qemu_facts (image),
                                            (flags & STASIS_SAVE_RUNNING) != 0);
}

static gboolean
rewrite (const StasisImageInput *input, GBytes *xml, StasisSaveFlags flags, int fd, GError **error)
{
  const StasisLibvirtImage *libvirt = stasis_image_input_libvirt (input);
  if (libvirt != NULL)
    {
      gboolean running = stasis_libvirt_image_was_running (libvirt);
      if (flags & (STASIS_SAVE_RUNNING | STASIS_SAVE_PAUSED))
        running = (flags & STASIS_SAVE_RUNNING) != 0;
      return stasis_libvirt_rewrite (libvirt, xml, running, fd, NULL, NULL, NULL, error);
    }
  const StasisImage *image = stasis_image_input_ours (input);
  g_autoptr (StasisJson) facts = other_facts (image, flags);
  return stasis_image_rewrite (image, xml, facts, fd, NULL, NULL, NULL, error);
}

/* The very file that is replaced in the end. */
static StasisImageInput *
open_target (const StasisSaveTarget *target, GError **error)
{
  g_autoptr (StasisImageInput) image = stasis_image_open_any (target->path, -1, NULL, error);
  StasisFileId found = { 0 };
  if (image == NULL || !stasis_file_id_of_fd (stasis_image_input_fd (image), &found, error))
    return NULL;
  if (found.device == target->seen.device && found.inode == target->seen.inode)
    return g_steal_pointer (&image);
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED, _ ("'%s' was replaced meanwhile"),
               target->path);
  return NULL;
}

/**
 * stasis_image_define_xml:
 * @driver: a driver
 * @path: (type filename): a save image with a definition inside, of any kind
 * @xml: a definition of the same guest ABI, name and UUID
 * @source_name: (nullable): where it is from, for messages
 * @flags: %STASIS_SAVE_RUNNING or %STASIS_SAVE_PAUSED: what the domain is to be after a restore;
 *   neither: what the image said before
 * @error: return location
 *
 * Replaces the definition inside: a new file, renamed over the old one when it is complete.  It
 * keeps the old one's owner and mode; where that is not allowed, nothing is replaced.
 *
 * Returns: %TRUE if the image has the new definition
 */
gboolean
stasis_image_define_xml (StasisDriver *driver, const char *path, const char *xml,
                         const char *source_name, StasisSaveFlags flags, GError **error)
{
  const StasisDriverOps *ops = stasis_driver_get_ops (driver);
  if (ops != NULL)
    return ops->define_image_xml (driver, path, xml, source_name, flags, error);

  if ((flags & STASIS_SAVE_RUNNING) && (flags & STASIS_SAVE_PAUSED))
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                           _ ("an image cannot be resumed both running and paused"));
      return FALSE;
    }
  g_autoptr (StasisSaveTarget) target = stasis_save_target_new (path, error);
  g_autoptr (StasisImageInput) image = target != NULL ? open_target (target, error) : NULL;
  g_autofree char *text = image != NULL ? check_xml (driver, image, xml, source_name, error) : NULL;
  if (text == NULL)
    return FALSE;

  const gboolean was_verified
      = stasis_mark_is_verified (driver->paths, stasis_image_input_fd (image));
  g_autoptr (StasisAtomicFile) file = stasis_save_target_begin (target, error);
  g_autoptr (GBytes) octets = g_bytes_new_static (text, strlen (text));
  if (file == NULL || !rewrite (image, octets, flags, stasis_atomic_file_fd (file), error)
      || !stasis_image_owner_keep (stasis_image_input_fd (image), stasis_image_input_name (image),
                                   stasis_atomic_file_fd (file), error)
      || !stasis_atomic_file_commit (file, NULL, error))
    return FALSE;
  /* The hash table came along unchanged: the copy is as good as the original was known to be. */
  if (was_verified)
    stasis_mark_verified (driver->paths, stasis_atomic_file_fd (file));
  return TRUE;
}
