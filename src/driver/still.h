/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * still.h: that a guest which is being saved stands still
 */

#pragma once

#include "monitor/commands-run.h"
#include "monitor/monitor.h"
#include "util/process.h"

G_BEGIN_DECLS

typedef struct
{
  StasisMonitor *monitor;    /* (borrowed) */
  const StasisProcess *qemu; /* (borrowed) */
  const char *name;          /* (borrowed) the domain's */
  guint n_stirs;             /* stasis_monitor_stirs when it began */
} StasisStill;

/* From now on it is to stand still.  An error where it does not: a guest may end by itself until
 * its CPUs have stopped.
 * @was_running: it ran before it was stopped: one that was reset since is about to run again
 * The monitor, the process and the name outlive @still. */
gboolean stasis_still_begin (StasisStill *still, StasisMonitor *monitor, const StasisProcess *qemu,
                             const char *name, gboolean was_running, GError **error);

/* The run state; of one that stopped over a disk before QEMU came to the end of its migration that
 * of then, although QEMU tells only that it has come there. */
gboolean stasis_still_query (StasisMonitor *monitor, StasisRunState *out_state, GError **error);

/* An error (STASIS_ERROR_INVALID_STATE) where the guest stopped by itself. */
gboolean stasis_still_check_trouble (StasisRunState state, GError **error);

/* An error where it does not stand still any more, or did not for a while. */
gboolean stasis_still_check (const StasisStill *still, GError **error);

G_END_DECLS
