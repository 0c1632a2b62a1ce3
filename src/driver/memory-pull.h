/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory-pull.h: bring what a process has mapped copy-on-write from a file into its own memory
 */

#pragma once

#include <gio/gio.h>

#include "util/process.h"

G_BEGIN_DECLS

typedef struct _StasisMemoryPull StasisMemoryPull;

/* Octets that have been dealt with since the last call. */
typedef void (*StasisMemoryPullFunc) (guint64 octets, gpointer data);

/* Of a process that goes on meanwhile, and the file behind @file (borrowed: outlives it).
 * G_IO_ERROR_PERMISSION_DENIED where the kernel does not let us at its memory. */
StasisMemoryPull *stasis_memory_pull_new (const StasisProcess *process, int file,
                                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Look which mappings of the file there are, and which of their pages come from it.  A page that
 * does not will never do so again.  STASIS_ERROR_UNSUPPORTED where the file is mapped in another
 * way than private and writable, or not at all: nothing could be said of it then. */
gboolean stasis_memory_pull_look (StasisMemoryPull *pull, GError **error);

/* What was found, in octets: of the mappings, and of pages that still come from the file. */
guint64 stasis_memory_pull_total (const StasisMemoryPull *pull);
guint64 stasis_memory_pull_missing (const StasisMemoryPull *pull);

/* Once through all mappings.  What could not be got shows at the next look. */
gboolean stasis_memory_pull_run (StasisMemoryPull *pull, StasisMemoryPullFunc func, gpointer data,
                                 GCancellable *cancellable, GError **error);

/* NULL is fine. */
void stasis_memory_pull_free (StasisMemoryPull *pull);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisMemoryPull, stasis_memory_pull_free)

G_END_DECLS
