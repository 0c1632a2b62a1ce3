/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-note.h: a migration that nobody decided when its source's host went down
 */

#pragma once

#include "driver/migrate-journal.h"
#include "driver/paths.h"

G_BEGIN_DECLS

/* (transfer full): of the domain with this UUID. */
char *stasis_migrate_note_path (const StasisPaths *paths, const char *uuid);

/* On disk when it returns. */
gboolean stasis_migrate_note_write (const char *path, const StasisMigrateJournal *migration,
                                    const char *name, GError **error);

/* It is decided.  @path: (nullable); nothing there is fine. */
void stasis_migrate_note_remove (const char *path);

/* *@out_migration: (transfer full): NULL where there is none.  FALSE where it cannot be read. */
gboolean stasis_migrate_note_read (const char *path, StasisMigrateJournal **out_migration,
                                   GError **error);

/* Before a QEMU is started for a domain that does not run: where there is a note its destination is
 * asked for a short while.  FALSE with STASIS_ERROR_INVALID_STATE unless that has revoked. */
gboolean stasis_migrate_note_check (const StasisPaths *paths, const char *name, const char *uuid,
                                    GCancellable *cancellable, GError **error);

G_END_DECLS
