/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-api.c: save images as files, for the public API
 */

#include "config.h"

#include <stasis/image.h>

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "conf/domain-def.h"
#include "driver/driver-private.h"
#include "driver/job.h"
#include "driver/marks.h"
#include "driver/save-target.h"
#include "image/error.h"
#include "image/facts.h"
#include "image/info.h"
#include "image/rewrite.h"
#include "image/verify.h"
#include "util/atomic-file.h"
#include "util/fd.h"

G_DEFINE_BOXED_TYPE (StasisImageDamage, stasis_image_damage, stasis_image_damage_copy,
                     stasis_image_damage_free)

/**
 * stasis_image_damage_copy:
 * @self: a damaged place
 *
 * Returns: (transfer full): a copy
 */
StasisImageDamage *
stasis_image_damage_copy (const StasisImageDamage *self)
{
  StasisImageDamage *copy = g_new0 (StasisImageDamage, 1);
  copy->offset = self->offset;
  copy->length = self->length;
  copy->what = g_strdup (self->what);
  return copy;
}

/**
 * stasis_image_damage_free:
 * @self: (nullable): a damaged place
 */
void
stasis_image_damage_free (StasisImageDamage *self)
{
  if (self == NULL)
    return;

  g_free (self->what);
  g_free (self);
}

static char *
image_text (const StasisImage *image)
{
  gsize size = 0;
  const char *octets = g_bytes_get_data (stasis_image_xml (image), &size);
  return g_strndup (octets, size);
}

/* The definition as it stands there, with nothing filled in. */
static StasisDomainDef *
image_def (const StasisImage *image, GError **error)
{
  g_autofree char *xml = image_text (image);
  return stasis_domain_def_parse (xml, -1, stasis_image_name (image), NULL,
                                  STASIS_DOMAIN_PARSE_ACTIVE | STASIS_DOMAIN_PARSE_AS_IS, error);
}

/* What the reader tells, and behind the first member the domain's name, which only the definition
 * knows: null where that is not one of ours. */
static StasisJson *
info_with_name (const StasisImage *image)
{
  g_autoptr (StasisJson) info = stasis_image_info_to_json (image);
  g_autoptr (StasisDomainDef) def = image_def (image, NULL);
  StasisJson *named = stasis_json_new_object ();
  for (guint i = 0; i < stasis_json_object_size (info); i++)
    {
      stasis_json_set (named, stasis_json_object_key (info, i),
                       stasis_json_ref ((StasisJson *) stasis_json_object_value (info, i)));
      if (i == 0)
        stasis_json_set (named, "domain-name",
                         def != NULL && def->name != NULL ? stasis_json_new_string (def->name)
                                                          : stasis_json_new_null ());
    }
  return named;
}

/**
 * stasis_image_get_info_json:
 * @path: (type filename): a save image
 * @error: return location
 *
 * Checks everything but the guest's memory, and tells what the image says of itself.
 *
 * Returns: (transfer full): a JSON object, indented
 */
char *
stasis_image_get_info_json (const char *path, GError **error)
{
  g_autoptr (StasisImage) image = stasis_image_open (path, error);
  if (image == NULL)
    return NULL;
  g_autoptr (StasisJson) json = info_with_name (image);
  return stasis_json_to_pretty_string (json);
}

/**
 * stasis_image_get_xml:
 * @path: (type filename): a save image
 * @flags: %STASIS_XML_SECURE: with passwords; the others mean nothing here
 * @error: return location
 *
 * The definition as it stands in the image; without %STASIS_XML_SECURE its secrets are left out,
 * and one that this version does not understand is refused, since nobody can tell what in it is
 * secret.
 *
 * Returns: (transfer full): the definition inside
 */
char *
stasis_image_get_xml (const char *path, StasisXmlFlags flags, GError **error)
{
  g_autoptr (StasisImage) image = stasis_image_open (path, error);
  if (image == NULL)
    return NULL;
  if (flags & STASIS_XML_SECURE)
    return image_text (image);
  g_autoptr (StasisDomainDef) def = image_def (image, error);
  if (def == NULL)
    return NULL;
  return stasis_domain_def_format (def, STASIS_DOMAIN_FORMAT_ACTIVE);
}

/* The new definition as it goes into the image: the same guest, by ABI. */
static char *
check_xml (StasisDriver *driver, const StasisImage *image, const char *xml, const char *source_name,
           GError **error)
{
  g_autofree char *old_xml = image_text (image);
  g_autoptr (StasisDomainDef) old = stasis_driver_parse (driver, old_xml, stasis_image_name (image),
                                                         STASIS_DOMAIN_PARSE_DEFAULT, error);
  g_autoptr (StasisDomainDef) new
      = old == NULL
            ? NULL
            : stasis_driver_parse (driver, xml, source_name, STASIS_DOMAIN_PARSE_DEFAULT, error);
  if (new == NULL || !stasis_domain_def_check_abi (old, new, error))
    return NULL;
  return stasis_domain_def_format (new, STASIS_DOMAIN_FORMAT_INACTIVE
                                            | STASIS_DOMAIN_FORMAT_MIGRATABLE
                                            | STASIS_DOMAIN_FORMAT_SECURE);
}

/* The new file stays whose the old one was: as root's own it would be trusted at restore, though
 * its definition and memory came from somebody else. */
static gboolean
keep_owner (const StasisImage *image, int fd, GError **error)
{
  struct stat old;
  struct stat new;
  if (fstat (stasis_image_fd (image), &old) < 0 || fstat (fd, &new) < 0)
    return stasis_throw_errno (error, "'%s'", stasis_image_name (image));
  const gboolean differs = old.st_uid != new.st_uid || old.st_gid != new.st_gid;
  if (differs && fchown (fd, old.st_uid, old.st_gid) < 0)
    return stasis_throw_errno (error, _ ("cannot keep the owner of '%s'"),
                               stasis_image_name (image));
  if (fchmod (fd, old.st_mode & 0777) < 0)
    return stasis_throw_errno (error, _ ("cannot keep the mode of '%s'"),
                               stasis_image_name (image));
  return TRUE;
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

/**
 * stasis_image_define_xml:
 * @driver: a driver
 * @path: (type filename): a save image
 * @xml: a definition of the same guest ABI
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
  if ((flags & STASIS_SAVE_RUNNING) && (flags & STASIS_SAVE_PAUSED))
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                           _ ("an image cannot be resumed both running and paused"));
      return FALSE;
    }
  g_autofree char *target = stasis_save_target_resolve (path, error);
  g_autoptr (StasisImage) image = target != NULL ? stasis_image_open (target, error) : NULL;
  g_autofree char *text = image != NULL ? check_xml (driver, image, xml, source_name, error) : NULL;
  if (text == NULL)
    return FALSE;

  const gboolean was_verified = stasis_mark_is_verified (driver->paths, stasis_image_fd (image));
  g_autoptr (StasisAtomicFile) file = stasis_atomic_file_begin (target, 0600, error);
  g_autoptr (GBytes) octets = g_bytes_new_static (text, strlen (text));
  g_autoptr (StasisJson) facts = other_facts (image, flags);
  if (file == NULL
      || !stasis_image_rewrite (image, octets, facts, stasis_atomic_file_fd (file), NULL, NULL,
                                NULL, error)
      || !keep_owner (image, stasis_atomic_file_fd (file), error)
      || !stasis_atomic_file_commit (file, NULL, error))
    return FALSE;
  /* The hash table came along unchanged: the copy is as good as the original was known to be. */
  if (was_verified)
    stasis_mark_verified (driver->paths, stasis_atomic_file_fd (file));
  return TRUE;
}

typedef struct
{
  StasisJobStats stats;
  StasisProgressFunc progress;
  gpointer user_data;
  gint64 began_us;
} Check;

static void
on_progress (guint64 done, guint64 total, gpointer data)
{
  Check *check = data;
  StasisJobStats *stats = &check->stats;
  stats->elapsed_us = g_get_monotonic_time () - check->began_us;
  stats->bytes_total = total;
  stats->bytes_processed = done;
  stats->bytes_remaining = total - MIN (done, total);
  stats->remaining_us = -1;
  if (stats->elapsed_us > 0)
    stats->bytes_per_second = done * G_USEC_PER_SEC / (guint64) stats->elapsed_us;
  if (stats->bytes_per_second > 0)
    stats->remaining_us
        = (gint64) (stats->bytes_remaining * G_USEC_PER_SEC / stats->bytes_per_second);
  if (check->progress != NULL)
    check->progress (stats, check->user_data);
}

/* The last word goes to the caller as every job's does: how it ended. */
static void
finish (Check *check, const GError *error)
{
  StasisJobStats *stats = &check->stats;
  g_autofree char *message = error != NULL ? g_strdup (error->message) : NULL;
  stats->state = STASIS_JOB_COMPLETED;
  if (error != NULL)
    stats->state = g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED) ? STASIS_JOB_CANCELLED
                                                                             : STASIS_JOB_FAILED;
  stats->error = message;
  stats->remaining_us = 0;
  stats->elapsed_us = g_get_monotonic_time () - check->began_us;
  if (check->progress != NULL)
    check->progress (stats, check->user_data);
  stats->error = NULL;
}

static gboolean
throw_damaged (const char *path, const GPtrArray *faults, GPtrArray **out_damages, GError **error)
{
  g_autoptr (GPtrArray) damages
      = g_ptr_array_new_with_free_func ((GDestroyNotify) stasis_image_damage_free);
  for (guint i = 0; i < faults->len; i++)
    {
      const StasisImageFault *fault = g_ptr_array_index (faults, i);
      const StasisImageDamage damage = { fault->offset, fault->length, fault->what };
      g_ptr_array_add (damages, stasis_image_damage_copy (&damage));
    }
  const StasisImageFault *first = g_ptr_array_index (faults, 0);
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_IMAGE,
               _ ("'%1$s' is damaged at offset %2$" G_GUINT64_FORMAT ": %3$s"), path, first->offset,
               first->what);
  if (out_damages != NULL)
    *out_damages = g_steal_pointer (&damages);
  return FALSE;
}

/* What the reader says of a file that it would not open as an image is damage as well, unless it
 * is of another kind altogether. */
static gboolean
throw_unreadable (GError *reason, GError **error)
{
  if (g_error_matches (reason, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT)
      || g_error_matches (reason, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INCOMPLETE))
    g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_IMAGE, reason->message);
  else
    g_propagate_error (error, g_error_copy (reason));
  return FALSE;
}

/**
 * stasis_image_check:
 * @driver: a driver
 * @path: (type filename): a save image
 * @out_damages: (out) (optional) (nullable) (element-type StasisImageDamage) (transfer full): the
 *   damaged places
 * @progress: (nullable) (scope call): told how it goes
 * @user_data: for @progress
 * @cancellable: (nullable): stops it
 * @error: return location
 *
 * Checks every octet of an image.  Fails with %STASIS_ERROR_IMAGE where it is damaged; any other
 * error means that it could not be looked at.
 *
 * Returns: %TRUE if the image is as it was written
 */
gboolean
stasis_image_check (StasisDriver *driver, const char *path, GPtrArray **out_damages,
                    StasisProgressFunc progress, gpointer user_data, GCancellable *cancellable,
                    GError **error)
{
  if (out_damages != NULL)
    *out_damages = NULL;
  g_autofree char *operation = g_strdup ("verify");
  Check check = { .stats = { .state = STASIS_JOB_ACTIVE,
                             .operation = operation,
                             .owner_pid = getpid (),
                             .pause_us = -1 },
                  .progress = progress,
                  .user_data = user_data,
                  .began_us = g_get_monotonic_time () };
  g_autoptr (GError) local = NULL;
  g_autoptr (GError) unreadable = NULL;
  g_autoptr (StasisImage) image = stasis_image_open (path, &unreadable);
  if (image == NULL)
    {
      throw_unreadable (unreadable, &local);
      if (g_error_matches (local, STASIS_ERROR, STASIS_ERROR_IMAGE))
        finish (&check, local);
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }

  struct stat before;
  stasis_mark_begin (stasis_image_fd (image), &before);
  g_autoptr (GPtrArray) faults = stasis_image_verify_report (
      image, STASIS_IMAGE_VERIFY_DEEP, 0, on_progress, &check, cancellable, &local);
  if (faults != NULL && faults->len > 0)
    throw_damaged (path, faults, out_damages, &local);
  finish (&check, local);
  if (local != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  stasis_mark_verified_since (driver->paths, stasis_image_fd (image), &before);
  return TRUE;
}
