/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-block.h: change the graph of block nodes below a guest that runs
 */

#pragma once

#include "monitor/monitor.h"

G_BEGIN_DECLS

/* What is to lie on top of what, by node name. */
typedef struct
{
  const char *node;    /* what lies on top so far */
  const char *overlay; /* an open node that rests on nothing yet */
} StasisBlockSnapshot;

/* A node that was described as -blockdev has it. */
gboolean stasis_monitor_blockdev_add (StasisMonitor *monitor, StasisJson *node_take,
                                      GCancellable *cancellable, GError **error);
gboolean stasis_monitor_blockdev_del (StasisMonitor *monitor, const char *node,
                                      GCancellable *cancellable, GError **error);

/* In one transaction: all of them, or none.  What is written from then on goes to the overlays;
 * what is below is flushed first, and only read from then on. */
gboolean stasis_monitor_snapshot (StasisMonitor *monitor, const StasisBlockSnapshot *snapshots,
                                  gsize n, GCancellable *cancellable, GError **error);

/* The way back, as a block job called @job: the octets of @overlay are copied into @node, which it
 * rests on, while the guest runs.  Once it is ready the job waits to be completed: @node takes the
 * place of @overlay then. */
gboolean stasis_monitor_block_commit (StasisMonitor *monitor, const char *job, const char *overlay,
                                      const char *node, GCancellable *cancellable, GError **error);

G_END_DECLS
