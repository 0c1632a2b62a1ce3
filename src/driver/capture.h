/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * capture.h: writing a guest's state ourselves, from outside QEMU
 *
 * Of a paused guest: pass, run.  Live: pass, follow, then `stop`, cut, `cont`, finish.
 */

#pragma once

#include "driver/capture-copy.h"
#include "driver/job.h"
#include "image/body-notes.h"
#include "image/reader.h"
#include "monitor/monitor.h"

G_BEGIN_DECLS

typedef struct _StasisCapture StasisCapture;

typedef struct
{
  StasisImage *base_take; /* (nullable), consumed: the image that its memory is mapped from */
  const StasisProcess *qemu;
  const GPtrArray *ram_blocks;   /* of StasisRamBlock */
  gboolean is_live;              /* it is copied while it runs; else there is a base */
  gboolean is_patient;           /* what it changes again and again, not once */
  gboolean release_disks;        /* it will not go on: QEMU is to let go of its disks */
  const StasisImageChain *chain; /* (borrowed) (nullable) only what differs from it is written */
  gboolean is_chain_mapped;      /* the memory is mapped from that one image */
  gboolean is_tracked;           /* the guest's writes are tracked already */
  gboolean is_chain_tracked;     /* since the moment of the chain's first image */
  gboolean keep_track; /* they are to be tracked on after a live capture, if they can be */
} StasisCaptureGuest;

/* Get ready.  Fails, in words for people, where this QEMU cannot say what its devices' state is,
 * where its memory cannot be read from outside or is not what the image says, and for a live
 * capture where its writes cannot be tracked. */
StasisCapture *stasis_capture_new (const StasisCaptureGuest *guest, StasisMonitor *monitor,
                                   GCancellable *cancellable, GError **error);
void stasis_capture_free (StasisCapture *self);

/* (transfer full): for people. */
char *stasis_capture_describe (const StasisCapture *self);
gboolean stasis_capture_is_live (const StasisCapture *self);

/* Know how the body begins, and give QEMU the descriptor that it writes its devices' state to.
 * *@out_fdset: where.  A guest without a base may stand still after it, where its whole memory was
 * zero: QEMU was asked by way of a migration. */
gboolean stasis_capture_pass (StasisCapture *self, StasisMonitor *monitor, const char *opaque,
                              gint64 *out_fdset, GCancellable *cancellable, GError **error);

/* Write a mapped body (image/mapped-writer.h) of the guest, which is paused and stays so.  The
 * notes on what was written: @notes.  @fdset: stasis_capture_pass()'s. */
gboolean stasis_capture_run (StasisCapture *self, const GPtrArray *ram_blocks,
                             const StasisCaptureTarget *target, gint64 fdset,
                             StasisMonitor *monitor, StasisJob *job, StasisBodyNotes *notes,
                             GError **error);

/* Live: write the memory of the guest, which runs, and what it changes meanwhile.  @is_calm: it is
 * stopped for a moment whenever its writes are taken, and with it all requests to its disks: memory
 * that is written to by direct I/O is not seen to be.  It runs again afterwards. */
gboolean stasis_capture_follow (StasisCapture *self, const GPtrArray *ram_blocks,
                                const StasisCaptureTarget *target, gboolean is_calm,
                                StasisMonitor *monitor, StasisJob *job, GError **error);

/* Live: the guest stands still; take what is left and the devices. */
gboolean stasis_capture_cut (StasisCapture *self, gint64 fdset, StasisMonitor *monitor,
                             StasisJob *job, GError **error);

/* Live: write that, the guest may go on.  @notes: on what was written. */
gboolean stasis_capture_finish (StasisCapture *self, StasisJob *job, StasisBodyNotes *notes,
                                GError **error);

/* TRUE where the guest's writes can be tracked on. */
gboolean stasis_capture_keeps_track (const StasisCapture *self);

/* Do so: the image has its name. */
void stasis_capture_leave_track (StasisCapture *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisCapture, stasis_capture_free)

G_END_DECLS
