/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * source-load.c: having QEMU load a saved state of whatever kind, and checking all of it
 *
 * Theory of operation
 *
 * QEMU reads a mapped body by itself, and threads of ours verify the image at the same time.  A
 * plain stream goes through us (feed.c), so that no octet reaches QEMU before it was verified.
 * What a kind has no checksums for cannot be verified: of libvirt's sparse images at least the
 * structure is looked at, and where QEMU notices something, it says so.
 */

#include "config.h"

#include <string.h>
#include <sys/stat.h>

#include "driver/feed.h"
#include "driver/load-engine.h"
#include "driver/side-thread.h"
#include "driver/source-private.h"
#include "image/body-stream.h"
#include "image/facts.h"
#include "image/info.h"
#include "image/qemu-stream.h"
#include "image/verify.h"

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
load_mapped (StasisImage *image, StasisMonitor *monitor, const StasisProcess *qemu, StasisJob *job,
             GError **error)
{
  const StasisMappedBody body = {
    .name = stasis_image_name (image),
    .fd = stasis_image_fd (image),
    .offset = stasis_image_body_offset (image),
    .multifd = was_saved_with (image, "multifd"),
  };
  g_autoptr (StasisSideThread) side = stasis_side_thread_start ("verify", verify, image, job);
  g_autoptr (GError) local = NULL;
  const gboolean loaded = stasis_load_engine_run (&body, monitor, qemu, job, &local);
  const gboolean cancelled = g_error_matches (local, G_IO_ERROR, G_IO_ERROR_CANCELLED)
                             && !stasis_side_thread_has_failed (side);
  if (!cancelled && !stasis_side_thread_finish (side, error))
    return FALSE;
  if (!loaded)
    g_propagate_error (error, g_steal_pointer (&local));
  return loaded;
}

/* libvirt writes these with several threads, always. */
static gboolean
load_sparse (const StasisLibvirtImage *image, StasisMonitor *monitor, const StasisProcess *qemu,
             StasisJob *job, GError **error)
{
  const StasisMappedBody body = {
    .name = stasis_libvirt_image_name (image),
    .fd = stasis_libvirt_image_fd (image),
    .offset = stasis_libvirt_image_body_offset (image),
    .octets = stasis_libvirt_image_body_end (image) - stasis_libvirt_image_body_offset (image),
    .multifd = TRUE,
  };
  g_autoptr (StasisQemuStreamInfo) info
      = stasis_qemu_stream_scan_mapped (body.fd, body.offset, stasis_libvirt_image_body_end (image),
                                        stasis_job_cancellable (job), error);
  if (info == NULL)
    {
      g_prefix_error (error, "'%s': ", body.name);
      return FALSE;
    }
  return stasis_load_engine_run (&body, monitor, qemu, job, error);
}

/* QEMU's plain stream; *@out_own is to be freed. */
static StasisStreamIn *
open_body (StasisSource *self, StasisStreamIn **out_own, GError **error)
{
  if (self->streamed != NULL)
    return stasis_streamed_reader_body (self->streamed);
  if (self->libvirt != NULL)
    *out_own = stasis_libvirt_image_body (self->libvirt, error);
  else if (self->image != NULL)
    *out_own = stasis_image_body_stream (self->image, 0, error);
  else
    *out_own = stasis_stream_in_new_file (self->fd, 0, self->body_end);
  return *out_own;
}

/* How many octets that stream has; 0: nobody knows before its end. */
static guint64
body_length (const StasisSource *self)
{
  if (self->kind == STASIS_IMAGE_KIND_TRAILER)
    return self->body_end;
  if (self->kind == STASIS_IMAGE_KIND_LIBVIRT_RAW && !self->is_pipe)
    return stasis_libvirt_image_body_end (self->libvirt)
           - stasis_libvirt_image_body_offset (self->libvirt);
  return 0;
}

/* Let QEMU load the body, and check all of it. */
gboolean
stasis_source_load (StasisSource *self, StasisMonitor *monitor, const StasisProcess *qemu,
                    StasisJob *job, GError **error)
{
  if (self->kind == STASIS_IMAGE_KIND_LIBVIRT_SPARSE)
    return load_sparse (self->libvirt, monitor, qemu, job, error);
  if (stasis_source_is_mapped (self))
    return load_mapped (self->image, monitor, qemu, job, error);

  /* What stands around the body is soon checked, and the body as it goes by. */
  if (self->image != NULL
      && !stasis_image_verify (self->image, STASIS_IMAGE_VERIFY_AROUND, 0, NULL, NULL,
                               stasis_job_cancellable (job), error))
    return FALSE;
  g_autoptr (StasisStreamIn) own = NULL;
  StasisStreamIn *body = open_body (self, &own, error);
  if (body == NULL || !stasis_feed_run (body, body_length (self), monitor, job, error))
    {
      g_prefix_error (error, "'%s': ", self->name);
      return FALSE;
    }
  return TRUE;
}
