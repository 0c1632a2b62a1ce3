/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * background.h: QEMU's background snapshots
 */

#pragma once

#include "driver/job.h"
#include "monitor/monitor.h"
#include "util/process.h"

G_BEGIN_DECLS

/* Whether QEMU, this host and the guest's memory (of StasisRamBlock) allow one.  Nothing is left
 * switched on in QEMU.  STASIS_ERROR_UNSUPPORTED, in words, where not. */
gboolean stasis_background_probe (StasisMonitor *monitor, const StasisProcess *qemu,
                                  const GPtrArray *ram_blocks, GCancellable *cancellable,
                                  GError **error);

/* A migration of that kind was begun: wait until QEMU has taken the moment.  From then on what the
 * guest writes is not in the snapshot.  A guest that was paused before is so now; one that ran does
 * again, and was stopped for *@out_pause_us.  FALSE where QEMU has failed before; the guest may
 * stand still then. */
gboolean stasis_background_await (StasisMonitor *monitor, StasisJob *job, gint64 *out_pause_us,
                                  GError **error);

G_END_DECLS
