/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-settle.h: whose the guest is after a migration was cut off
 */

#pragma once

#include "driver/migrate-door.h"
#include "driver/migrate-journal.h"
#include "driver/status.h"
#include "monitor/monitor.h"

G_BEGIN_DECLS

/* What a migration calls the descriptors that it gives to QEMU by `getfd`. */
#define STASIS_MIGRATE_FD_NAME "stasis-migrate"

/* The caller of all of these, but those that need none, holds the domain's lock, and where nothing
 * else is said QEMU lives.  They clear what they have settled in @status, and write it; the domain
 * may have been torn down then. */

/* Source, SENDING: end the migration, the guest goes on as it was.  Where QEMU says that the state
 * of the devices may have left, it is as HANDED. */
gboolean stasis_migrate_settle_sending (const char *folder, StasisStatus *status,
                                        StasisMonitor *monitor, GError **error);

/* Source, HANDED: ask the destination.  Where it cannot tell, the guest stays paused, without a
 * journal, and the status says so (undecided_migration). */
gboolean stasis_migrate_settle_handed (const char *folder, StasisStatus *status,
                                       StasisMonitor *monitor, GError **error);

/* Source, HANDED, and QEMU has ended: (transfer none): why, "migrated" where the guest has begun
 * over there. */
const char *stasis_migrate_settle_dead (StasisStatus *status);

/* Ask at all doors of a migration whose driver is dead, until one of them can tell.  FALSE with the
 * last error where none answered.  Needs no lock. */
gboolean stasis_migrate_settle_ask (const StasisMigrateJournal *migration, int timeout_ms,
                                    GCancellable *cancellable, StasisDoorAnswer *out_answer,
                                    GError **error);

/* The same, with a question of the caller's choice. */
gboolean stasis_migrate_settle_ask_as (const StasisMigrateJournal *migration,
                                       StasisDoorQuestion question, int timeout_ms,
                                       GCancellable *cancellable, StasisDoorAnswer *out_answer,
                                       GError **error);

/* What the verdict says has been done for good: tell the doors that nobody asks again, so that they
 * may close.  The destination may be gone by now.  Needs no lock. */
void stasis_migrate_settle_take_leave (const StasisMigrateJournal *migration);

/* Source, undecided, once somebody knows: the destination, or people.  BEGUN ends the copy that is
 * here, REVOKED has it go on.  Where QEMU still has memory that the destination lacks (postcopy)
 * nothing is done; so with other answers.
 * @out_is_settled: TRUE where it is not undecided any more */
gboolean stasis_migrate_settle_undecided (const char *folder, StasisStatus *status,
                                          StasisMonitor *monitor, StasisDoorAnswer answer,
                                          gboolean *out_is_settled, GError **error);

/* Destination, INCOMING, QEMU alive or not: decide.  *@out_verdict: what is wanted (revoked; begun
 * where the guest can go on nowhere else), and then what holds. */
gboolean stasis_migrate_settle_incoming (const StasisStatus *status, StasisVerdict *out_verdict,
                                         GError **error);

/* FALSE with STASIS_ERROR_INVALID_STATE: what would make a second copy of such a guest. */
gboolean stasis_migrate_throw_undecided (const char *name, GError **error);
/* The same of one with `undecided_migration`, which may be a postcopy. */
gboolean stasis_migrate_throw_elsewhere (const StasisStatus *status, GError **error);

G_END_DECLS
