/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-out-again.c: the source of a postcopy that goes on after its connection broke
 *
 * Theory of operation
 *
 * Recovery has left `undecided_migration` in the status, with the token.  It becomes the journal's
 * migration again, at MIGRATE_HANDED: whoever gives it up, or finds its process dead, makes of it
 * what it was, for in postcopy nothing is taken back, nor revoked.  Of what QEMU was told only the
 * speed may be another one than before.
 */

#include "config.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/domain-private.h"
#include "driver/job-fate.h"
#include "driver/migrate-broken.h"
#include "driver/migrate-limits.h"
#include "driver/migrate-out-private.h"
#include "monitor/commands-migrate-params.h"

#define MIB (1024u * 1024)

gboolean
stasis_migrate_out_take_again (StasisMigrateOut *out, StasisDomain *domain,
                               GCancellable *cancellable, GError **error)
{
  out->hold = stasis_hold_take_running (out->driver, out->name, error);
  if (out->hold == NULL)
    return FALSE;
  const StasisMigrateJournal *migration = out->hold->status->undecided_migration;
  if (migration == NULL || !migration->is_postcopy)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
                   _ ("no postcopy of domain '%s' broke"), out->name);
      return FALSE;
    }
  stasis_migrate_out_set_token (out, migration->token);
  out->was_running = migration->was_running;
  out->is_postcopy = TRUE;
  out->flags |= (guint) migration->flags & STASIS_MIGRATE_UNDEFINE_SOURCE;
  out->def = stasis_domain_load_live (domain, error);
  out->monitor = out->def != NULL ? stasis_hold_open_monitor (out->hold, cancellable, error) : NULL;
  return out->monitor != NULL
         && stasis_migrate_await_broken (out->monitor, out->name, cancellable, error);
}

gboolean
stasis_migrate_out_open_again (const StasisMigrateOut *out, GError **error)
{
  StasisStatus *status = out->hold->status;
  StasisJournal *journal = &status->journal;
  stasis_journal_begin (journal, STASIS_STEP_MIGRATE_HANDED, "migrate-out");
  journal->was_running = out->was_running;
  journal->migration = g_steal_pointer (&status->undecided_migration);
  journal->parameters = g_steal_pointer (&journal->migration->parameters);
  stasis_job_fate_clear (out->hold->folder, NULL);
  journal->id = stasis_job_id_new ();
  return stasis_hold_write (out->hold, error);
}

/* In octets per second; what is not chosen is as it was. */
gboolean
stasis_migrate_out_tell_speed_again (const StasisMigrateOut *out,
                                     const StasisMigrateRequest *request, GError **error)
{
  g_autoptr (StasisJson) parameters = stasis_json_new_object ();
  if (request != NULL && request->bandwidth != 0)
    stasis_json_set_uint (parameters, "max-bandwidth", request->bandwidth * MIB);
  if (request != NULL && request->postcopy_bandwidth != 0)
    stasis_json_set_uint (parameters, "max-postcopy-bandwidth", request->postcopy_bandwidth * MIB);
  stasis_migrate_limits_apply (out->driver, out->name, out->flags, request, parameters);
  return stasis_json_object_size (parameters) == 0
         || stasis_monitor_migrate_set_parameters (out->monitor, g_steal_pointer (&parameters),
                                                   stasis_job_cancellable (out->job), error);
}
