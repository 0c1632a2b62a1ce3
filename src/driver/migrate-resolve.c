/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-resolve.c: whose a guest is that nobody could tell of, asked once more or said by people
 *
 * Theory of operation
 *
 * Undecided is a guest that stands here, paused, because its destination could not be asked
 * (migrate-settle.c); or a domain of which nothing runs here any more, and a note is left
 * (migrate-note.c).  The destination is asked at its doors, and then by its URI, where the journal
 * has it: that may take long, so nobody's lock is held meanwhile, and what is found afterwards has
 * to be the same migration.
 *
 * People decide where it cannot be asked.  It is asked all the same, for whoever waits there is to
 * hear that the guest is not his any more; and what it says holds, whatever people say: no wish of
 * theirs makes a second copy beside one that has begun.
 *
 * Of a guest that is gone here nothing is asked to be revoked unless people say so: what waits at
 * the destination may be all that is left of it.
 */

#include "config.h"

#include <glib/gi18n-lib.h>

#include "driver/domain-private.h"
#include "driver/hold.h"
#include "driver/migrate-note.h"
#include "driver/migrate-settle.h"
#include "driver/registry.h"
#include "driver/teardown.h"

#define ASK_MS 5000 /* each door */

typedef struct
{
  StasisDomain *domain; /* (borrowed) */
  StasisDriver *driver; /* (borrowed) */
  const char *name;
  char *note;                      /* (owned) */
  StasisMigrateJournal *migration; /* (owned) */
  gboolean is_here;                /* its guest stands here */
  GCancellable *cancellable;       /* (borrowed) (nullable) */
} Resolve;

static void
resolve_clear (Resolve *self)
{
  g_free (self->note);
  stasis_migrate_journal_free (self->migration);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Resolve, resolve_clear)

static gboolean
is_verdict (StasisDoorAnswer answer)
{
  return answer == STASIS_DOOR_BEGUN || answer == STASIS_DOOR_REVOKED;
}

/* *@out_migration: (transfer full): NULL where nothing is undecided. */
static gboolean
find (const Resolve *self, const StasisHold *hold, StasisMigrateJournal **out_migration,
      GError **error)
{
  *out_migration = NULL;
  if (hold->status == NULL)
    return stasis_migrate_note_read (self->note, out_migration, error);
  if (hold->status->undecided_migration != NULL)
    *out_migration = stasis_migrate_journal_copy (hold->status->undecided_migration);
  return TRUE;
}

/* What a dead process has left is recovered first, which may decide it. */
static gboolean
look (Resolve *self, GError **error)
{
  g_autoptr (StasisHold) hold
      = stasis_hold_take_cancellable (self->driver, self->name, self->cancellable, error);
  if (hold == NULL || !find (self, hold, &self->migration, error))
    return FALSE;
  self->is_here = hold->status != NULL;
  if (self->migration != NULL)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
               _ ("no migration of domain '%s' is undecided"), self->name);
  return FALSE;
}

/* By a connection to its daemon, of which the journal has the URI. */
static gboolean
ask_peer (const Resolve *self, gboolean revoke, StasisDoorAnswer *out_answer, GError **error)
{
  const char *peer = self->migration->peer;
  StasisMigrateVerdict verdict = STASIS_MIGRATE_VERDICT_UNKNOWN;
  g_autoptr (StasisDriver) destination = stasis_driver_open (peer, self->cancellable, error);
  if (destination == NULL
      || !stasis_driver_migrate_verdict (destination, self->migration->token, revoke, &verdict,
                                         self->cancellable, error))
    {
      g_prefix_error (error, "'%s': ", peer);
      return FALSE;
    }
  *out_answer = (StasisDoorAnswer) verdict;
  return TRUE;
}

/* At its doors, and where none of them can tell, by its URI.  FALSE where nobody answered. */
static gboolean
ask (const Resolve *self, gboolean revoke, StasisDoorAnswer *out_answer, GError **error)
{
  g_autoptr (GError) at_door = NULL;
  g_autoptr (GError) at_peer = NULL;
  StasisDoorAnswer answer = STASIS_DOOR_UNKNOWN;
  const StasisDoorQuestion question = revoke ? STASIS_DOOR_REVOKE : STASIS_DOOR_STATUS;
  gboolean is_told = stasis_migrate_settle_ask_as (self->migration, question, ASK_MS,
                                                   self->cancellable, &answer, &at_door);
  *out_answer = answer;
  if ((is_told && answer != STASIS_DOOR_UNKNOWN) || g_cancellable_is_cancelled (self->cancellable))
    return is_told || g_cancellable_set_error_if_cancelled (self->cancellable, error) == FALSE;
  if (self->migration->peer != NULL && ask_peer (self, revoke, &answer, &at_peer))
    {
      *out_answer = answer;
      return TRUE;
    }
  if (is_told)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_FAILED, "%1$s%2$s%3$s", at_door->message,
               at_peer != NULL ? "; " : "", at_peer != NULL ? at_peer->message : "");
  return FALSE;
}

/* Those of the destination hold, whatever people say. */
static gboolean
check_wish (const Resolve *self, StasisDoorAnswer wish, StasisDoorAnswer answer, GError **error)
{
  const gboolean is_open = answer == STASIS_DOOR_WAITING;
  if (answer == wish || answer == STASIS_DOOR_UNKNOWN || (is_open && wish == STASIS_DOOR_REVOKED))
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED,
               answer == STASIS_DOOR_BEGUN
                   ? _ ("the guest of domain '%s' is at its destination, which has just said so")
               : answer == STASIS_DOOR_REVOKED
                   ? _ ("the destination of domain '%s' has just said that it has revoked the "
                        "migration: the guest is not there")
                   : _ ("the destination of domain '%s' has just said that it waits for the guest, "
                        "and has not begun"),
               self->name);
  return FALSE;
}

static gboolean
decide_by_hand (const Resolve *self, StasisDoorAnswer wish, StasisDoorAnswer *out_answer,
                GError **error)
{
  StasisDoorAnswer answer = STASIS_DOOR_UNKNOWN;
  g_autoptr (GError) local = NULL;
  const gboolean revoke = wish == STASIS_DOOR_REVOKED && !self->migration->is_postcopy;
  if (!ask (self, revoke, &answer, &local))
    {
      if (g_cancellable_set_error_if_cancelled (self->cancellable, error))
        return FALSE;
      g_message (_ ("the migration of domain '%1$s' is decided by hand, for its destination cannot "
                    "be asked: %2$s"),
                 self->name, local->message);
    }
  else if (!check_wish (self, wish, answer, error))
    return FALSE;
  *out_answer = wish;
  return TRUE;
}

static gboolean
decide (const Resolve *self, StasisDoorAnswer wish, StasisDoorAnswer *out_answer, GError **error)
{
  if (wish != STASIS_DOOR_UNKNOWN)
    return decide_by_hand (self, wish, out_answer, error);
  const gboolean revoke = self->is_here && !self->migration->is_postcopy;
  if (!ask (self, revoke, out_answer, error))
    {
      g_prefix_error (error, _ ("the destination cannot be asked: "));
      return FALSE;
    }
  if (is_verdict (*out_answer))
    return TRUE;
  g_set_error (
      error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
      *out_answer == STASIS_DOOR_WAITING
          ? _ ("the destination of domain '%s' waits for the guest, and nothing is decided")
          : _ ("who answers for the destination of domain '%s' does not know of the "
               "migration"),
      self->name);
  return FALSE;
}

/* The supervisor has asked as well. */
static gboolean
see_decided (const Resolve *self, const StasisHold *hold, StasisDoorAnswer *out_answer,
             GError **error)
{
  g_autofree char *last = stasis_paths_last (self->driver->paths, self->name);
  const gboolean has_left
      = hold->status == NULL && g_strcmp0 (stasis_last_read_reason (last, 0), "migrated") == 0;
  if (hold->status != NULL || has_left)
    {
      *out_answer = has_left ? STASIS_DOOR_BEGUN : STASIS_DOOR_REVOKED;
      return TRUE;
    }
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
               _ ("domain '%s' has ended meanwhile"), self->name);
  return FALSE;
}

/* The supervisor has seen it before the next command asks that. */
static void
sync_supervisor (const Resolve *self)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisControl) control = stasis_domain_open_control (self->domain, &error);
  if (control == NULL || !stasis_control_sync (control, &error))
    g_debug ("%s", error->message);
}

static gboolean
settle_here (const Resolve *self, StasisHold *hold, StasisDoorAnswer answer, GError **error)
{
  gboolean is_settled = FALSE;
  g_autoptr (StasisMonitor) monitor = stasis_hold_open_monitor (hold, self->cancellable, error);
  if (monitor == NULL
      || !stasis_migrate_settle_undecided (hold->folder, hold->status, monitor, answer, &is_settled,
                                           error))
    return FALSE;
  if (!is_settled)
    {
      g_set_error (
          error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
          _ ("QEMU of domain '%s' still has memory that the destination lacks (post-copy): "
             "nothing is ended, and the guest cannot go on here"),
          self->name);
      return FALSE;
    }
  if (answer == STASIS_DOOR_REVOKED)
    sync_supervisor (self);
  return TRUE;
}

/* Nothing of it runs here. */
static gboolean
settle_note (const Resolve *self, StasisHold *hold, StasisDoorAnswer answer, GError **error)
{
  stasis_migrate_note_remove (self->note);
  g_clear_pointer (&hold, stasis_hold_release);
  if (answer != STASIS_DOOR_BEGUN || (self->migration->flags & STASIS_MIGRATE_UNDEFINE_SOURCE) == 0
      || !stasis_registry_has (self->driver, self->name))
    return TRUE;
  return stasis_domain_undefine (self->domain, STASIS_UNDEFINE_KEEP_NVRAM, error);
}

/* *@out_answer: what holds, if somebody else was faster. */
static gboolean
apply (const Resolve *self, StasisDoorAnswer *answer, GError **error)
{
  g_autoptr (StasisMigrateJournal) now = NULL;
  g_autoptr (StasisHold) hold
      = stasis_hold_take_cancellable (self->driver, self->name, self->cancellable, error);
  if (hold == NULL || !find (self, hold, &now, error))
    return FALSE;
  if (now == NULL || !g_str_equal (now->token, self->migration->token))
    return see_decided (self, hold, answer, error);
  return hold->status != NULL ? settle_here (self, hold, *answer, error)
                              : settle_note (self, g_steal_pointer (&hold), *answer, error);
}

/**
 * stasis_domain_migrate_resolve:
 * @self: a domain whose migration is undecided: at the source
 * @wish: %STASIS_MIGRATE_VERDICT_UNKNOWN: as the destination says; or what the caller knows
 * @out_verdict: (out): what was decided
 * @cancellable: (nullable): gives up asking
 * @error: return location
 *
 * Asks the destination, and does what it says: where the guest has begun there the copy that is
 * here ends, and where it never will the guest goes on here.  Of a domain that does not run here
 * any more only the note goes that keeps it from being started.
 *
 * With %STASIS_MIGRATE_VERDICT_BEGUN or %STASIS_MIGRATE_VERDICT_REVOKED the caller says which; a
 * destination that can be asked and says otherwise has it refused (%STASIS_ERROR_REFUSED).  One
 * that cannot be asked is not protected: who says %STASIS_MIGRATE_VERDICT_REVOKED of a guest that
 * runs there makes a second copy of it.
 *
 * Returns: %TRUE if it is decided; %STASIS_ERROR_INVALID_STATE where nothing was undecided, or the
 * destination does not know either
 */
gboolean
stasis_domain_migrate_resolve (StasisDomain *self, StasisMigrateVerdict wish,
                               StasisMigrateVerdict *out_verdict, GCancellable *cancellable,
                               GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->migrate_resolve (self, wish, out_verdict, cancellable, error);

  if (wish == STASIS_MIGRATE_VERDICT_WAITING)
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                           _ ("a migration is decided as begun or as revoked"));
      return FALSE;
    }
  g_auto (Resolve) resolve = {
    .domain = self,
    .driver = stasis_domain_get_driver (self),
    .name = stasis_domain_get_name (self),
    .cancellable = cancellable,
  };
  resolve.note = stasis_migrate_note_path (resolve.driver->paths, stasis_domain_get_uuid (self));
  StasisDoorAnswer answer = STASIS_DOOR_UNKNOWN;
  if (!look (&resolve, error) || !decide (&resolve, (StasisDoorAnswer) wish, &answer, error)
      || !apply (&resolve, &answer, error))
    return FALSE;
  *out_verdict = (StasisMigrateVerdict) answer;
  return TRUE;
}
