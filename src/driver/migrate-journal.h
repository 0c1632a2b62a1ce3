/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-journal.h: what the status file keeps of a migration
 */

#pragma once

#include "util/json.h"

G_BEGIN_DECLS

typedef struct
{
  char *token;      /* (owned) */
  char *secret;     /* (owned) (nullable) out: proves the destination's answers, once it has one */
  char *peer;       /* (owned) (nullable) out: the destination's URI, as it was given */
  char **doors;     /* (owned) out: addresses where the destination can be asked, may be empty */
  char *note;       /* (owned) (nullable) out: what outlasts a boot (migrate-note.h) */
  char *verdicts;   /* (owned) (nullable) in: the folder of this host's verdicts */
  char **copied;    /* (owned) (nullable) out: the targets of the disks that are copied */
  char **copies_to; /* (owned) (nullable) out: where QEMU's connections for that lead to, as
                     * numbers (migrate-mirror-ways.h) */
  guint64 flags;    /* libvirt's */
  gboolean was_running;   /* out: the guest ran before */
  StasisJson *parameters; /* (owned) (nullable) out, undecided: QEMU's, to be set back */
  gboolean is_postcopy;   /* out: memory is on both sides: the destination is not asked to revoke */
  gboolean is_kept; /* out: the word without which it cannot begin has not left, nor will it */
} StasisMigrateJournal;

StasisMigrateJournal *stasis_migrate_journal_new (const char *token);
StasisMigrateJournal *stasis_migrate_journal_copy (const StasisMigrateJournal *journal);
void stasis_migrate_journal_free (StasisMigrateJournal *journal);

/* (transfer full) */
StasisJson *stasis_migrate_journal_to_json (const StasisMigrateJournal *journal);
/* (transfer full) (nullable): NULL where it has no token: nobody could be asked. */
StasisMigrateJournal *stasis_migrate_journal_from_json (const StasisJson *json);
/* The one that is @json's member @name; FALSE where that is no migration: read as none, its guest
 * could be let run beside another one, or lose what it lacks.
 * @out: (transfer full) (nullable) */
gboolean stasis_migrate_journal_read (const StasisJson *json, const char *name,
                                      StasisMigrateJournal **out, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisMigrateJournal, stasis_migrate_journal_free)

G_END_DECLS
