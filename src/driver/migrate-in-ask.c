/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-in-ask.c: a source asks by our own program what became of a migration
 *
 * As at the door (migrate-door.h), and by the same verdicts; but who comes this way has been let in
 * by the daemon, and finds this host by a URI, which may lead the one that asks to somebody else
 * than those who wrote it down.  So of a migration that is not known here nothing is decided: the
 * true destination may have the guest.
 */

#include "config.h"

#include <stasis/error.h>

#include "driver/migrate-door.h"
#include "driver/migrate-in-private.h"
#include "driver/migrate-prepared.h"

static gboolean
judge (StasisDriver *driver, const char *token, gboolean revoke, StasisDoorAnswer *out_answer,
       GError **error)
{
  g_autofree char *verdicts = stasis_migrate_verdicts (driver->paths);
  g_autoptr (GError) local = NULL;
  g_autoptr (StasisMigratePrepared) prepared
      = stasis_migrate_prepared_read (verdicts, token, &local);
  if (prepared == NULL && !g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  const gboolean is_known = prepared != NULL;
  const StasisDoorQuestion question = revoke && is_known ? STASIS_DOOR_REVOKE : STASIS_DOOR_STATUS;
  if (!stasis_migrate_door_judge (verdicts, token, question, is_known ? prepared->name : NULL,
                                  is_known ? prepared->uuid : NULL, out_answer, error))
    return FALSE;
  if (!is_known && *out_answer == STASIS_DOOR_WAITING)
    *out_answer = STASIS_DOOR_UNKNOWN;
  return TRUE;
}

/**
 * stasis_driver_migrate_verdict:
 * @self: the destination
 * @token: the migration's
 * @revoke: where it waits here, decide for the source
 * @out_verdict: (out): how it stands then
 * @cancellable: (nullable): cancels it
 * @error: return location
 *
 * For a source that does not know whose its guest is.  With @revoke a migration that waits here is
 * revoked; of one that is not known here nothing is decided.
 *
 * Returns: %TRUE if it could be told
 */
gboolean
stasis_driver_migrate_verdict (StasisDriver *self, const char *token, gboolean revoke,
                               StasisMigrateVerdict *out_verdict, GCancellable *cancellable,
                               GError **error)
{
  G_STATIC_ASSERT ((guint) STASIS_MIGRATE_VERDICT_UNKNOWN == STASIS_DOOR_UNKNOWN);
  G_STATIC_ASSERT ((guint) STASIS_MIGRATE_VERDICT_WAITING == STASIS_DOOR_WAITING);
  G_STATIC_ASSERT ((guint) STASIS_MIGRATE_VERDICT_BEGUN == STASIS_DOOR_BEGUN);
  G_STATIC_ASSERT ((guint) STASIS_MIGRATE_VERDICT_REVOKED == STASIS_DOOR_REVOKED);
  const StasisDriverOps *ops = stasis_driver_get_ops (self);
  if (ops != NULL)
    return ops->migrate_verdict (self, token, revoke, out_verdict, cancellable, error);

  StasisDoorAnswer answer = STASIS_DOOR_UNKNOWN;
  g_autoptr (StasisMigrateIn) in = stasis_migrate_ins_find (self->migrations, token);
  if (!judge (self, token, revoke, &answer, error))
    return FALSE;
  /* Who watches over it ends its QEMU. */
  if (in != NULL && answer == STASIS_DOOR_REVOKED)
    {
      g_atomic_int_set (&in->is_revoked, TRUE);
      g_cond_signal (&in->stirred);
    }
  *out_verdict = (StasisMigrateVerdict) answer;
  return TRUE;
}
