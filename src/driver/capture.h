/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * capture.h: writing the state of a paused guest ourselves, from outside QEMU
 */

#pragma once

#include "driver/job.h"
#include "driver/status.h"
#include "image/hashes.h"
#include "image/reader.h"
#include "monitor/monitor.h"

G_BEGIN_DECLS

typedef struct _StasisCapture StasisCapture;

/* Get ready to write the state of a guest whose memory is mapped from @base (consumed).
 * @ram_blocks: (borrowed) of StasisRamBlock.  Fails where this QEMU cannot say what its devices'
 * state is, where its memory cannot be read from outside, or is not what the image says. */
StasisCapture *stasis_capture_new (StasisImage *base_take, const StasisProcess *qemu,
                                   const GPtrArray *ram_blocks, StasisMonitor *monitor,
                                   GCancellable *cancellable, GError **error);
void stasis_capture_free (StasisCapture *self);

/* The image that the memory is mapped from. */
const char *stasis_capture_base_name (const StasisCapture *self);

/* Give QEMU the descriptor that it writes its devices' state to.  *@out_fdset: where. */
gboolean stasis_capture_pass (StasisCapture *self, StasisMonitor *monitor, const char *opaque,
                              gint64 *out_fdset, GCancellable *cancellable, GError **error);

/* What is written, and where; all borrowed. */
typedef struct
{
  const StasisProcess *qemu;
  const GPtrArray *ram_blocks; /* of StasisRamBlock */
  int fd;                      /* the file */
  guint64 offset;              /* of the body in it */
  gboolean direct_io;          /* past the page cache */
  gint64 fdset;
} StasisCaptureTarget;

/* Write a mapped body (image/mapped-writer.h) of the guest, which is paused and stays so.  The
 * hashes of what was written: *@out_hashes (transfer full). */
gboolean stasis_capture_run (StasisCapture *self, const StasisCaptureTarget *target,
                             StasisMonitor *monitor, StasisJob *job, StasisImageHashes **out_hashes,
                             GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisCapture, stasis_capture_free)

G_END_DECLS
