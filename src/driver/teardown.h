/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * teardown.h: the end of a running domain
 */

#pragma once

#include "driver/status.h"

G_BEGIN_DECLS

/* Note why QEMU is about to be ended on purpose: "destroyed", "saved", "shutdown", "crashed",
 * "failed" ...  The last one written holds. */
gboolean stasis_end_reason_write (const char *folder, const char *reason, GError **error);

/* It goes on after all: forget the reason. */
void stasis_end_reason_clear (const char *folder);

/* The reason that was noted: (transfer full), NULL where none was. */
char *stasis_end_reason_read (const char *folder) G_GNUC_WARN_UNUSED_RESULT;

/* The caller holds the domain's lock.  Ends QEMU if it still lives (SIGTERM, SIGKILL after 3 s),
 * writes status->last with the noted reason (@fallback_reason where there is none) and removes
 * the run folder.  May be repeated: a folder that has gone, and a last file of this same run, are
 * left alone. */
gboolean stasis_teardown (const StasisStatus *status, const char *folder,
                          const char *fallback_reason, GError **error);

/* (nullable) interned: why the last run ended, by the file that it wrote; @id: of this run, or 0:
 * of whichever was the last. */
const char *stasis_last_read_reason (const char *path, int id);

/* The name of a file that teardown makes in the run folder before it removes that: the reason
 * follows. Who watches the folder needs not be fast to learn it (picture-run.c). */
#define STASIS_TEARDOWN_ENDED "ended-"

G_END_DECLS
