/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-in-again.c: the destination of a postcopy that goes on after its connection broke
 *
 * Theory of operation
 *
 * The guest is here, and was decided to be: none of it is ever undone.  Its status has `postcopy`
 * (migrate-in-postcopy.c), which becomes the journal's migration, at MIGRATE_BEGUN, as while the
 * first Finish waited; whatever goes wrong then, recovery makes `postcopy` of it again.  The source
 * proves by the token that it is the one, and gets an address of a door as the first time.
 */

#include "config.h"

#include "driver/migrate-in-private.h"

#include <glib/gi18n-lib.h>

#include "driver/migrate-broken.h"
#include "driver/migrate-settle.h"
#include "monitor/commands-fd.h"
#include "monitor/commands-migrate.h"
#include "monitor/commands-run.h"

static gboolean
take_hold (StasisMigrateIn *in, GError **error)
{
  in->hold = stasis_hold_take_cancellable (in->driver, in->name, in->cancellable, error);
  if (in->hold == NULL)
    return FALSE;
  const StasisStatus *status = in->hold->status;
  if (status != NULL && status->postcopy != NULL
      && g_str_equal (status->postcopy->token, in->token))
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
               _ ("domain '%s' lacks no memory here that this source could have"), in->name);
  return FALSE;
}

/* What the first Finish had: who recovers from our death finds it. */
static gboolean
open_journal (StasisMigrateIn *in, GError **error)
{
  StasisStatus *status = in->hold->status;
  StasisJournal *journal = &status->journal;
  StasisRunState state;
  if (!stasis_monitor_query_status (in->monitor, &state, NULL, error))
    return FALSE;
  stasis_journal_begin (journal, STASIS_STEP_MIGRATE_BEGUN, "migrate-in");
  journal->id = g_strdup (stasis_job_id (in->job));
  journal->was_running = state == STASIS_RUN_STATE_RUNNING;
  journal->migration = g_steal_pointer (&status->postcopy);
  journal->parameters = g_steal_pointer (&journal->migration->parameters);
  if (journal->parameters != NULL)
    in->parameters = stasis_json_ref (journal->parameters);
  return stasis_hold_write (in->hold, error);
}

static gboolean
start (StasisMigrateIn *in, GError **error)
{
  if (!take_hold (in, error))
    return FALSE;
  in->monitor = stasis_hold_open_monitor (in->hold, in->cancellable, error);
  if (in->monitor == NULL
      || !stasis_migrate_await_broken (in->monitor, in->name, in->cancellable, error))
    return FALSE;
  g_autofree char *last = stasis_paths_last_job (in->driver->paths, in->name);
  in->job = stasis_job_new ("migrate-in", NULL, NULL, in->cancellable);
  stasis_job_begin (in->job, last);
  if (!open_journal (in, error))
    return FALSE;
  in->is_again = TRUE;
  stasis_job_attach (in->job, in->hold->folder);
  return TRUE;
}

gboolean
stasis_migrate_in_start_again (StasisMigrateIn *in, GError **error)
{
  if (start (in, error))
    return TRUE;
  /* Nothing has changed, and the guest is not for us to clear away. */
  g_clear_pointer (&in->monitor, stasis_monitor_close);
  g_clear_pointer (&in->hold, stasis_hold_release);
  return FALSE;
}

gboolean
stasis_migrate_in_hand_over_again (StasisMigrateIn *in, int fd, GError **error)
{
  return stasis_monitor_getfd (in->monitor, STASIS_MIGRATE_FD_NAME, fd, NULL, error)
         && stasis_monitor_migrate_recover (in->monitor, "fd:" STASIS_MIGRATE_FD_NAME, NULL, error);
}
