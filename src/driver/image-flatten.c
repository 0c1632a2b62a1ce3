/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-flatten.c: a whole image out of an incremental one and those it stands on
 */

#include "config.h"

#include <stasis/image.h>

#include <string.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/driver-private.h"
#include "driver/image-job.h"
#include "driver/image-open.h"
#include "driver/image-owner.h"
#include "driver/marks.h"
#include "driver/save-target.h"
#include "image/chain-body.h"
#include "image/origin.h"
#include "image/verify.h"
#include "image/writer.h"

typedef struct
{
  StasisImageInput *input;  /* (owned) */
  const StasisImage *top;   /* (borrowed) */
  StasisImageChain *chain;  /* (owned) */
  StasisSaveTarget *target; /* (owned) */
  StasisAtomicFile *file;   /* (owned) */
  StasisImageJob *job;      /* (borrowed) */
  GCancellable *cancellable;
} Flatten;

static void
flatten_clear (Flatten *self)
{
  stasis_atomic_file_free (self->file);
  stasis_save_target_free (self->target);
  stasis_image_chain_free (self->chain);
  stasis_image_input_free (self->input);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Flatten, flatten_clear)

static gboolean
open_chain (Flatten *self, const char *path, GError **error)
{
  self->input = stasis_image_open_any (path, -1, self->cancellable, error);
  if (self->input == NULL)
    return FALSE;
  self->top = stasis_image_input_ours (self->input);
  if (self->top == NULL || stasis_image_parent (self->top) == NULL)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                   _ ("'%s' is not incremental: it is whole as it is"), path);
      return FALSE;
    }
  self->chain = stasis_image_chain_open (self->top, self->cancellable, error);
  return self->chain != NULL;
}

/* What is damaged shall not go into a new image with new checksums. */
static gboolean
verify (Flatten *self, GError **error)
{
  for (guint i = 0; i < stasis_image_chain_n (self->chain); i++)
    if (!stasis_image_verify (stasis_image_chain_get (self->chain, i), STASIS_IMAGE_VERIFY_NONE, 0,
                              NULL, NULL, self->cancellable, error))
      return FALSE;
  return TRUE;
}

static gboolean
write_image (Flatten *self, GError **error)
{
  const int fd = stasis_atomic_file_fd (self->file);
  g_autoptr (StasisJson) origin = stasis_image_origin_new (
      "stasis", stasis_image_writer_version (self->top), stasis_image_origin (self->top));
  StasisImageFacts facts = {
    .xml = stasis_image_xml (self->top),
    .qemu_facts = stasis_image_qemu_facts (self->top),
    .body_kind = STASIS_IMAGE_BODY_MAPPED_RAM,
    .image_uuid = stasis_image_uuid (self->top),
    .created_ns = stasis_image_created_ns (self->top),
    .origin = origin,
  };
  memcpy (facts.domain_uuid, stasis_image_domain_uuid (self->top), sizeof facts.domain_uuid);
  g_autoptr (StasisImageWriter) writer = stasis_image_writer_begin (fd, &facts, error);
  if (writer == NULL
      || !stasis_image_chain_write_body (self->chain, fd, stasis_image_writer_body_offset (writer),
                                         NULL, G_MAXUINT64, stasis_image_job_tell, self->job,
                                         self->cancellable, error))
    return FALSE;
  const StasisImageTail tail = { .disks = stasis_image_disks (self->top) };
  return stasis_image_writer_finish (writer, 0, &tail, NULL, NULL, self->cancellable, error)
         && stasis_image_owner_keep_chain (self->chain, fd, error);
}

static gboolean
flatten (Flatten *self, StasisDriver *driver, const char *in_path, const char *out_path,
         GError **error)
{
  self->target = stasis_save_target_new (out_path, error);
  if (self->target == NULL || !open_chain (self, in_path, error) || !verify (self, error))
    return FALSE;
  self->file = stasis_save_target_begin (self->target, error);
  if (self->file == NULL || !write_image (self, error)
      || g_cancellable_set_error_if_cancelled (self->cancellable, error)
      || !stasis_atomic_file_rename (self->file, NULL, error))
    return FALSE;
  stasis_mark_verified (driver->paths, stasis_atomic_file_fd (self->file));
  return TRUE;
}

/**
 * stasis_image_flatten:
 * @driver: a driver
 * @in_path: (type filename): an incremental image
 * @out_path: (type filename): where the whole one goes
 * @progress: (nullable) (scope call): told how it goes
 * @user_data: for @progress
 * @cancellable: (nullable): stops it
 * @error: return location
 *
 * Makes a whole image out of an incremental one and all those that it stands on, which are verified
 * first and never changed.  The output is complete or not there, and an older one stays until then.
 * It keeps the UUID of the incremental one, and its owner, or that of the first in the chain that a
 * restore would not trust.
 *
 * Returns: %TRUE if the new image is complete
 */
gboolean
stasis_image_flatten (StasisDriver *driver, const char *in_path, const char *out_path,
                      StasisProgressFunc progress, gpointer user_data, GCancellable *cancellable,
                      GError **error)
{
  const StasisDriverOps *ops = stasis_driver_get_ops (driver);
  if (ops != NULL)
    return ops->flatten_image (driver, in_path, out_path, progress, user_data, cancellable, error);

  g_autofree char *operation = g_strdup ("flatten");
  StasisImageJob job = stasis_image_job_begin (operation, progress, user_data);
  g_auto (Flatten) self = { .job = &job, .cancellable = cancellable };
  g_autoptr (GError) local = NULL;
  const gboolean ok = flatten (&self, driver, in_path, out_path, &local);
  stasis_image_job_end (&job, local);
  if (!ok)
    g_propagate_error (error, g_steal_pointer (&local));
  return ok;
}
