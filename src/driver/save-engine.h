/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save-engine.h: having QEMU write the state of a paused guest into our file
 */

#pragma once

#include "driver/job.h"
#include "driver/status.h"
#include "image/types.h"
#include "monitor/monitor.h"

G_BEGIN_DECLS

/* What this QEMU and this file system allow; chosen once, before the guest is paused. */
typedef struct
{
  StasisImageBodyKind body_kind;
  gboolean multifd;   /* several threads of QEMU write */
  gboolean direct_io; /* past the page cache */
  guint n_channels;
  char *description; /* (owned) for people */
} StasisSaveEngine;

StasisSaveEngine *stasis_save_engine_choose (StasisMonitor *monitor, int fd,
                                             GCancellable *cancellable, GError **error);
void stasis_save_engine_free (StasisSaveEngine *engine);

/* (transfer full): the engine's capabilities by QEMU's names, for the image's facts */
GStrv stasis_save_engine_capabilities (const StasisSaveEngine *engine);

/* Give QEMU the descriptors it will write to.  Notes the fd set in the journal (in memory: the
 * caller writes the status before going on). */
gboolean stasis_save_engine_pass (const StasisSaveEngine *engine, StasisMonitor *monitor, int fd,
                                  guint64 body_offset, StasisJournal *journal,
                                  GCancellable *cancellable, GError **error);

/* Write the state behind @body_offset and wait until it is done. */
gboolean stasis_save_engine_run (const StasisSaveEngine *engine, StasisMonitor *monitor,
                                 guint64 body_offset, const StasisJournal *journal, StasisJob *job,
                                 GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisSaveEngine, stasis_save_engine_free)

G_END_DECLS
