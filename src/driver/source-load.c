/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * source-load.c: having QEMU load a saved state of whatever kind, and checking all of it
 *
 * Theory of operation
 *
 * QEMU reads a mapped body by itself, and threads of ours verify the image at the same time.  Where
 * its memory is mapped from the image it reads only a view of the rest (image/view.h); of a flat
 * file it is fed the stream that is kept with that (image/flat.h).  A plain stream goes through us
 * (feed.c), so that no octet reaches QEMU before it was verified. What a kind has no checksums for
 * cannot be verified: of libvirt's sparse images at least the structure is looked at, and where
 * QEMU notices something, it says so.
 */

#include "config.h"

#include <string.h>
#include <sys/stat.h>

#include "driver/feed.h"
#include "driver/load-engine.h"
#include "driver/side-thread.h"
#include "driver/source.h"
#include "image/facts.h"
#include "image/info.h"
#include "image/qemu-stream.h"
#include "image/verify.h"
#include "util/fd.h"

static gboolean
was_saved_with (const StasisImage *image, const char *capability)
{
  const StasisJson *used
      = stasis_json_get (stasis_image_qemu_facts (image), STASIS_IMAGE_FACTS_CAPABILITIES);
  for (guint i = 0; i < stasis_json_array_length (used); i++)
    if (g_str_equal (stasis_json_string (stasis_json_array_get (used, i), ""), capability))
      return TRUE;
  return FALSE;
}

static gboolean
verify (StasisSideThread *side, gpointer image, GCancellable *cancellable, GError **error)
{
  return stasis_image_verify (image, STASIS_IMAGE_VERIFY_DEEP, 0, stasis_side_thread_tell, side,
                              cancellable, error);
}

/* Load and verify at the same time.  Where both fail, damage is the better reason; damage that is
 * found first ends the load. */
static gboolean
load_mapped (const StasisSourceLoad *self, StasisMonitor *monitor, StasisJob *job, GError **error)
{
  const StasisImage *image = stasis_image_input_ours (self->input);
  const StasisMappedBody body = {
    .name = stasis_image_name (image),
    .fd = self->view >= 0 ? self->view : stasis_image_fd (image),
    .offset = stasis_image_body_offset (image),
    .multifd = was_saved_with (image, "multifd"),
    .engine = self->engine,
  };
  if (!self->verify)
    return stasis_load_engine_run (&body, monitor, self->qemu, job, error);

  g_autoptr (StasisSideThread) side
      = stasis_side_thread_start ("verify", verify, (gpointer) image, job);
  g_autoptr (GError) local = NULL;
  const gboolean loaded = stasis_load_engine_run (&body, monitor, self->qemu, job, &local);
  const gboolean cancelled = g_error_matches (local, G_IO_ERROR, G_IO_ERROR_CANCELLED)
                             && !stasis_side_thread_has_failed (side);
  if (!cancelled && !stasis_side_thread_finish (side, error))
    return FALSE;
  if (!loaded)
    g_propagate_error (error, g_steal_pointer (&local));
  return loaded;
}

/* What is left of a plain stream whose main memory is mapped already, and was checked with it. */
static gboolean
load_rest (const StasisSourceLoad *self, StasisMonitor *monitor, StasisJob *job, GError **error)
{
  struct stat st;
  if (fstat (self->view, &st) < 0)
    return stasis_throw_errno (error, "'%s'", stasis_image_input_name (self->input));
  g_autoptr (StasisStreamIn) rest = stasis_stream_in_new_file (self->view, 0, (guint64) st.st_size);
  return stasis_feed_run (rest, (guint64) st.st_size, FALSE, monitor, job, error);
}

/* libvirt writes these with several threads, always. */
static gboolean
load_sparse (const StasisImageInput *input, StasisMonitor *monitor, const StasisProcess *qemu,
             StasisJob *job, GError **error)
{
  guint64 offset, end;
  stasis_image_input_get_mapped (input, &offset, &end);
  const StasisMappedBody body = {
    .name = stasis_image_input_name (input),
    .fd = stasis_image_input_fd (input),
    .offset = offset,
    .octets = end - offset,
    .multifd = TRUE,
  };
  g_autoptr (StasisQemuStreamInfo) info
      = stasis_qemu_stream_scan_mapped (body.fd, offset, end, stasis_job_cancellable (job), error);
  if (info == NULL)
    {
      g_prefix_error (error, "'%s': ", body.name);
      return FALSE;
    }
  return stasis_load_engine_run (&body, monitor, qemu, job, error);
}

/* Let QEMU load the body, and check all of it. */
gboolean
stasis_source_load (const StasisSourceLoad *self, StasisMonitor *monitor, StasisJob *job,
                    GError **error)
{
  StasisImageInput *input = self->input;
  GCancellable *cancellable = stasis_job_cancellable (job);
  const StasisImage *ours = stasis_image_input_ours (input);
  if (stasis_image_input_kind (input) == STASIS_IMAGE_KIND_LIBVIRT_SPARSE)
    return load_sparse (input, monitor, self->qemu, job, error);
  if (self->view < 0 && !stasis_image_input_check_whole (input, error))
    return FALSE;
  if (stasis_source_is_mapped (input))
    return load_mapped (self, monitor, job, error);
  if (self->view >= 0)
    return load_rest (self, monitor, job, error);

  /* What stands around the body is soon checked, and the body as it goes by. */
  if (ours != NULL && stasis_image_input_is_file (input)
      && !stasis_image_verify (ours, STASIS_IMAGE_VERIFY_AROUND, 0, NULL, NULL, cancellable, error))
    return FALSE;
  g_autoptr (GError) local = NULL;
  StasisStreamIn *body = stasis_image_input_stream (input, cancellable, &local);
  if (body != NULL
      && stasis_feed_run (body, stasis_image_input_stream_length (input), ours == NULL, monitor,
                          job, &local))
    return TRUE;
  /* What is wrong with the image names it already. */
  g_autofree char *name = g_strdup_printf ("'%s': ", stasis_image_input_name (input));
  const gboolean is_named = g_str_has_prefix (local->message, name);
  g_propagate_prefixed_error (error, g_steal_pointer (&local), "%s", is_named ? "" : name);
  return FALSE;
}
