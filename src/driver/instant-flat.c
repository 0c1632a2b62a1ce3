/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * instant-flat.c: an instant restore by a flat file, for emulators that cannot map from an image
 *
 * Theory of operation
 *
 * A QEMU before 9.0 maps files from their beginning, and its images have its plain stream as body.
 * So the memory is laid out in a file of its own (flat-store.c), which is mapped, and QEMU is fed
 * the stream without the pages that lie there.  To make that file takes as long as to load the
 * image, and as much room as its pages: a restore makes one only where it is told to, clones
 * always, for they share it.  One that is there is used by all.
 *
 * It is made of an image that is verified on the way, and has a stamp of its own as images have
 * (marks.c).  One that turns out damaged is removed: the image is still good.
 */

#include "config.h"

#include "driver/instant-flat.h"

#include <sys/mman.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/command.h"
#include "driver/marks.h"
#include "image/error.h"
#include "util/fd.h"

static void G_GNUC_PRINTF (2, 3) refuse (StasisInstant *self, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_free (self->why_not);
  self->why_not = g_strdup_vprintf (format, args);
  va_end (args);
}

static gboolean
is_cancelled_or_damaged (const GError *error)
{
  return g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED)
         || g_error_matches (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT)
         || g_error_matches (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INCOMPLETE);
}

static void
tell (guint64 done, guint64 total, gpointer job)
{
  StasisJobStats *stats = stasis_job_stats (job);
  stats->bytes_total = total;
  stats->bytes_processed = done;
  stats->bytes_remaining = total - done;
  stasis_job_update (job);
}

/* What is loaded after that is counted anew. */
static gboolean
make (StasisInstant *self, const StasisFlatRequest *flat, StasisJob *job, GCancellable *cancellable,
      GError **error)
{
  g_autoptr (GError) local = NULL;
  StasisJobStats *stats = stasis_job_stats (job);
  stasis_job_set_phase (job, "make the flat file");
  self->flat = stasis_flat_store_make (flat, cancellable, &local);
  stats->bytes_total = stats->bytes_processed = stats->bytes_remaining = 0;
  self->is_made = self->flat != NULL;
  if (self->is_made)
    return TRUE;
  if (is_cancelled_or_damaged (local))
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  refuse (self, "%s", local->message);
  return TRUE;
}

/* The pages of one that was there; FALSE where it was cancelled. */
static gboolean
verify (StasisInstant *self, const StasisInstantRequest *request, GCancellable *cancellable,
        GError **error)
{
  struct stat before;
  g_autoptr (GError) local = NULL;
  stasis_job_set_phase (request->job, "verify the flat file");
  stasis_mark_begin (self->flat->fd, &before);
  if (stasis_flat_verify (self->flat->flat, 0, cancellable, &local))
    {
      stasis_mark_verified_since (request->paths, self->flat->fd, &before);
      return TRUE;
    }
  if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  refuse (self, _ ("'%1$s' was damaged, and has been removed: %2$s"), self->flat->path,
          local->message);
  stasis_flat_file_remove (self->flat);
  g_clear_pointer (&self->flat, stasis_flat_file_free);
  return TRUE;
}

/* One that is there and good, as far as that is to be known before the guest runs. */
static gboolean
find (StasisInstant *self, const StasisInstantRequest *request, const StasisFlatRequest *flat,
      GCancellable *cancellable, GError **error)
{
  self->flat = stasis_flat_store_find (flat);
  if (self->flat == NULL)
    {
      refuse (
          self,
          _ ("QEMU %1$s cannot map memory from within a file, and there is no flat file of this "
             "image's ('--flat' makes one)"),
          stasis_qemu_caps_version (request->caps));
      return TRUE;
    }
  self->is_stamped = stasis_mark_is_verified (request->paths, self->flat->fd);
  return stasis_instant_choose_check (request->flags, self->is_stamped)
             != STASIS_MEMORY_CHECK_BEFORE
         || verify (self, request, cancellable, error);
}

/* What QEMU is fed, as a file of which the amount can be told. */
static gboolean
make_view (StasisInstant *self, GError **error)
{
  gsize size;
  const void *octets = g_bytes_get_data (stasis_flat_stream (self->flat->flat), &size);
  stasis_autofd int view = memfd_create ("stasis-view", MFD_CLOEXEC);
  if (view < 0)
    return stasis_throw_errno (error, _ ("cannot make a memory file"));
  if (!stasis_fd_pwrite_exact (view, octets, size, 0, error))
    return FALSE;
  self->view = stasis_fd_steal (&view);
  return TRUE;
}

static gboolean
check_request (StasisInstant *self, const StasisInstantRequest *request)
{
  const StasisImageInput *input = request->input;
  const StasisImage *image = stasis_image_input_ours (input);
  if (!stasis_qemu_caps_has_property (request->caps, STASIS_QEMU_FILE_MEMORY, "mem-path"))
    refuse (self, _ ("QEMU %1$s cannot map memory from a file"),
            stasis_qemu_caps_version (request->caps));
  else if (image == NULL || !stasis_image_input_is_file (input)
           || stasis_image_ram_map (image) != NULL)
    refuse (self,
            _ ("QEMU %1$s cannot map memory from within a file, and an image of this kind has no "
               "flat file"),
            stasis_qemu_caps_version (request->caps));
  else
    return TRUE;
  return FALSE;
}

/* Get ready, if it can be done. */
gboolean
stasis_instant_flat_prepare (StasisInstant *self, const StasisInstantRequest *request,
                             GCancellable *cancellable, GError **error)
{
  if (!check_request (self, request) || !stasis_instant_check_definition (self, request->def))
    return TRUE;
  const StasisFlatRequest flat = {
    .paths = request->paths,
    .input = request->input,
    .block = stasis_qemu_caps_ram_id (request->caps, request->def->os.machine),
    .length = (guint64) stasis_command_ram_size (request->def),
    .progress = tell,
    .progress_data = request->job,
  };
  if (!find (self, request, &flat, cancellable, error))
    return FALSE;
  if (self->flat == NULL && (request->flags & STASIS_RESTORE_FLAT) != 0
      && !make (self, &flat, request->job, cancellable, error))
    return FALSE;
  if (self->flat == NULL)
    return TRUE;
  if (!make_view (self, error))
    return FALSE;
  g_clear_pointer (&self->why_not, g_free);
  const int fd = self->flat->fd;
  self->memory = (StasisMemoryImage){
    .fd = fd,
    .name = self->flat->path,
    .flat_of = self->flat->image,
    .since_us = g_get_monotonic_time (),
    .check = stasis_instant_choose_check (request->flags, self->is_stamped || self->is_made),
    .stamp = stasis_mark_verified_path (request->paths, fd),
  };
  /* By whoever has verified it. */
  self->is_stamped = stasis_mark_is_verified (request->paths, fd);
  return TRUE;
}
