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

/* Whether the guest ever stopped over one of its disks.  The run state tells that no more once QEMU
 * has come to the end of a migration; this stays, although the guest may have been let run since.
 */
gboolean stasis_still_query_disks (StasisMonitor *monitor, gboolean *out_have_failed,
                                   GError **error);

/* An error (STASIS_ERROR_INVALID_STATE) where the guest stopped by itself. */
gboolean stasis_still_check_trouble (StasisRunState state, GError **error);

/* An error where it does not stand still any more, or did not for a while. */
gboolean stasis_still_check (const StasisStill *still, GError **error);

G_END_DECLS
