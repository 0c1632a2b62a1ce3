/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-check.c: whether a save image is as it was written, for the public API
 */

#include "config.h"

#include <stasis/image.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/driver-private.h"
#include "driver/image-job.h"
#include "driver/image-open.h"
#include "driver/marks.h"
#include "image/chain.h"
#include "image/error.h"
#include "image/input-verify.h"
#include "image/verify.h"

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
  if (out_damages != NULL)
    {
      *out_damages = g_steal_pointer (&damages);
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_IMAGE, _ ("'%1$s' is damaged"), path);
    }
  else
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_IMAGE,
                 _ ("'%1$s' is damaged at offset %2$" G_GUINT64_FORMAT ": %3$s"), path,
                 first->offset, first->what);
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

/* Those that an incremental image stands on, named where they are damaged. */
static gboolean
check_parents (const StasisImage *image, GCancellable *cancellable, GError **error)
{
  if (image == NULL || stasis_image_parent (image) == NULL)
    return TRUE;
  g_autoptr (GError) local = NULL;
  g_autoptr (StasisImageChain) chain = stasis_image_chain_open (image, cancellable, &local);
  for (guint i = 1; local == NULL && i < stasis_image_chain_n (chain); i++)
    stasis_image_verify (stasis_image_chain_get (chain, i), STASIS_IMAGE_VERIFY_DEEP, 0, NULL, NULL,
                         cancellable, &local);
  if (local == NULL)
    return TRUE;
  if (local->domain == STASIS_IMAGE_ERROR)
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_IMAGE, _ ("'%1$s' itself is good, but %2$s"),
                 stasis_image_name (image), local->message);
  else
    g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

static gboolean
check (StasisDriver *driver, const char *path, int fd, GPtrArray **out_damages,
       StasisProgressFunc progress, gpointer user_data, GCancellable *cancellable, GError **error)
{
  if (out_damages != NULL)
    *out_damages = NULL;
  g_autofree char *operation = g_strdup ("verify");
  StasisImageJob job = stasis_image_job_begin (operation, progress, user_data);
  g_autoptr (GError) local = NULL;
  g_autoptr (GError) unreadable = NULL;
  g_autoptr (StasisImageInput) input = stasis_image_open_any (path, fd, cancellable, &unreadable);
  if (input == NULL)
    {
      throw_unreadable (unreadable, &local);
      if (g_error_matches (local, STASIS_ERROR, STASIS_ERROR_IMAGE))
        stasis_image_job_end (&job, local);
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }

  /* What is remembered of images is about the checksums of ours. */
  const gboolean is_ours = stasis_driver_get_ops (driver) == NULL
                           && stasis_image_input_is_file (input)
                           && stasis_image_input_ours (input) != NULL;
  const int own = stasis_image_input_fd (input);
  struct stat before;
  stasis_mark_begin (own, &before);
  g_autoptr (GPtrArray) faults
      = stasis_image_input_verify (input, stasis_image_job_tell, &job, cancellable, &local);
  if (faults != NULL && faults->len > 0)
    throw_damaged (stasis_image_input_name (input), faults, out_damages, &local);
  if (local == NULL)
    check_parents (stasis_image_input_ours (input), cancellable, &local);
  stasis_image_job_end (&job, local);
  if (local != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  if (is_ours)
    stasis_mark_verified_since (driver->paths, own, &before);
  return TRUE;
}

/**
 * stasis_image_check:
 * @driver: a driver
 * @path: (type filename): a save image, of any kind
 * @out_damages: (out) (optional) (nullable) (element-type StasisImageDamage) (transfer full): the
 *   damaged places
 * @progress: (nullable) (scope call): told how it goes
 * @user_data: for @progress
 * @cancellable: (nullable): stops it
 * @error: return location
 *
 * Checks every octet of an image, as far as its kind allows, and QEMU's stream in it.  Fails with
 * %STASIS_ERROR_IMAGE where it is damaged; any other error means that it could not be looked at.
 * The message names the first damage where @out_damages does not take them.
 *
 * Returns: %TRUE if the image is as it was written
 */
gboolean
stasis_image_check (StasisDriver *driver, const char *path, GPtrArray **out_damages,
                    StasisProgressFunc progress, gpointer user_data, GCancellable *cancellable,
                    GError **error)
{
  const StasisDriverOps *ops = stasis_driver_get_ops (driver);
  if (ops != NULL)
    return ops->check_image (driver, path, out_damages, progress, user_data, cancellable, error);

  return check (driver, path, -1, out_damages, progress, user_data, cancellable, error);
}

/**
 * stasis_image_check_fd:
 * @driver: a driver
 * @fd: a pipe or a file; borrowed
 * @out_damages: (out) (optional) (nullable) (element-type StasisImageDamage) (transfer full): the
 *   damaged places
 * @progress: (nullable) (scope call): told how it goes
 * @user_data: for @progress
 * @cancellable: (nullable): stops it
 * @error: return location
 *
 * The same of what comes out of a descriptor.  A pipe is read to its end.  It is done here, also
 * where the driver is a connection.
 *
 * Returns: %TRUE if the image is as it was written
 */
gboolean
stasis_image_check_fd (StasisDriver *driver, int fd, GPtrArray **out_damages,
                       StasisProgressFunc progress, gpointer user_data, GCancellable *cancellable,
                       GError **error)
{
  return check (driver, NULL, fd, out_damages, progress, user_data, cancellable, error);
}
