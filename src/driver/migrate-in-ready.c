/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-in-ready.c: a QEMU that waits for a guest is told how it comes, and the source where
 *
 * The journal says that the guest is the source's before anybody can connect.
 */

#include "config.h"

#include "driver/migrate-in-private.h"

#include <glib/gi18n-lib.h>

#include "driver/hook-begin.h"
#include "driver/migrate-check.h"
#include "driver/migrate-host.h"
#include "driver/migrate-params.h"
#include "driver/migrate-note.h"
#include "driver/migrate-persist.h"
#include "driver/migrate-prepared.h"
#include "driver/migrate-secret.h"
#include "driver/migrate-tls.h"
#include "driver/migration-end.h"
#include "driver/save-facts.h"
#include "monitor/commands-devices.h"
#include "monitor/commands-migrate.h"
#include "util/fault.h"

/* Of one connection that is handed over there is no second, for what cannot wait. */
#define OF_SEVERAL "postcopy-preempt"
#define LATE_DISKS "late-block-activate"

static gboolean
is_known (const StasisMigrateIn *in, const char *capability)
{
  return g_strv_contains ((const char *const *) in->known, capability);
}

/* What was asked for, and the source's QEMU is not prepared for. */
static gboolean
check_source (const StasisMigrateIn *in, const StasisMigratePlan *plan, GError **error)
{
  for (guint i = 0; i < plan->needed->len; i++)
    {
      const char *capability = g_ptr_array_index (plan->needed, i);
      if (is_known (in, capability))
        continue;
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                   _ ("the source does not say that its QEMU has the migration capability '%s'"),
                   capability);
      return FALSE;
    }
  return TRUE;
}

static void
leave_out (StasisMigratePlan *plan, const char *capability)
{
  for (guint i = plan->capabilities->len; i > 0; i--)
    if (g_str_equal (g_ptr_array_index (plan->capabilities, i - 1), capability))
      g_ptr_array_remove_index (plan->capabilities, i - 1);
}

/* Disks are the source's until the guest runs here.  One that does not would be left without, and
 * such a guest's next migration, or save, ends QEMU before 10.0 by an assertion.  There it has them
 * as soon as it is here, when the source's QEMU has let go of them. */
static gboolean
has_disks_early (const StasisMigrateIn *in)
{
  return !in->runs && !stasis_monitor_can_activate_disks (in->monitor);
}

static StasisMigratePlan *
make_plan (StasisMigrateIn *in, const StasisMigrateRequest *request, GError **error)
{
  GCancellable *cancellable = stasis_job_cancellable (in->job);
  g_autoptr (GHashTable) capabilities
      = stasis_monitor_query_migrate_capabilities (in->monitor, cancellable, error);
  g_autoptr (StasisJson) parameters
      = capabilities != NULL
            ? stasis_monitor_query_migrate_parameters (in->monitor, cancellable, error)
            : NULL;
  if (parameters == NULL)
    return NULL;
  g_autoptr (StasisMigratePlan) plan = stasis_migrate_plan_new (STASIS_MIGRATE_SIDE_DEST, in->flags,
                                                                request, capabilities, parameters);
  if (!stasis_migrate_plan_check (plan, in->def->emulator, error)
      || !check_source (in, plan, error))
    return NULL;
  stasis_migrate_plan_restrict (plan, (const char *const *) in->known);
  if (!stasis_migrate_in_is_by_qemu (in))
    leave_out (plan, OF_SEVERAL);
  in->has_disks_early = has_disks_early (in);
  if (in->has_disks_early)
    leave_out (plan, LATE_DISKS);
  return g_steal_pointer (&plan);
}

static gboolean
tell_qemu (StasisMigrateIn *in, const StasisMigratePlan *plan, GError **error)
{
  GCancellable *cancellable = stasis_job_cancellable (in->job);
  g_autoptr (GArray) on = g_array_new (FALSE, FALSE, sizeof (StasisMigrationCapability));
  for (guint i = 0; i < plan->capabilities->len; i++)
    {
      const StasisMigrationCapability one = { g_ptr_array_index (plan->capabilities, i), TRUE };
      g_array_append_val (on, one);
    }
  in->parameters = stasis_migration_note_parameters (in->monitor, cancellable, error);
  if (in->parameters == NULL
      || ((in->flags & STASIS_MIGRATE_TLS) != 0
          && !stasis_migrate_tls_begin (in->monitor, in->hold, in->driver->host,
                                        /* is_server= */ TRUE, plan->parameters, cancellable,
                                        error))
      || (on->len > 0
          && !stasis_migrate_in_switch_on (in, (const StasisMigrationCapability *) on->data,
                                           on->len, stasis_migrate_plan_has (plan, "postcopy-ram"),
                                           error)))
    return FALSE;
  return stasis_json_object_size (plan->parameters) == 0
         || stasis_monitor_migrate_set_parameters (in->monitor, stasis_json_ref (plan->parameters),
                                                   cancellable, error);
}

static gboolean
check_cpu (const StasisMigrateIn *in, GError **error)
{
  g_autoptr (StasisJson) here
      = in->cpu != NULL
            ? stasis_save_facts_cpu (in->def, in->monitor, stasis_job_cancellable (in->job))
            : NULL;
  return stasis_migrate_check_cpu (in->cpu, here, error);
}

/* From now on who finds this process dead revokes. */
static gboolean
write_journal (StasisMigrateIn *in, GError **error)
{
  StasisJournal *journal = &in->hold->status->journal;
  journal->migration = stasis_migrate_journal_new (in->token);
  journal->migration->verdicts = g_strdup (in->verdicts);
  journal->migration->flags = in->flags;
  journal->migration->note = stasis_migrate_note_path (in->driver->paths, in->uuid);
  journal->migration->was_running = in->runs;
  journal->was_running = in->runs;
  journal->parameters = stasis_json_ref (in->parameters);
  journal->step = STASIS_STEP_MIGRATE_INCOMING;
  in->is_incoming = TRUE;
  return stasis_hold_write (in->hold, error) && stasis_fault ("migrate-in-journal", error);
}

static gboolean
keep_persistent (const StasisMigrateIn *in, GError **error)
{
  if (in->persistent == NULL)
    return TRUE;
  g_autofree char *xml = stasis_domain_def_format (
      in->persistent, STASIS_DOMAIN_FORMAT_INACTIVE | STASIS_DOMAIN_FORMAT_SECURE);
  return stasis_migrate_persist_keep (in->hold->folder, xml, error);
}

/* Of a migration that was prepared before: its source knows the secret.  It asks elsewhere now. */
static gboolean
take_secret (StasisMigrateIn *in, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (StasisMigratePrepared) former
      = stasis_migrate_prepared_read (in->verdicts, in->token, &local);
  if (former == NULL && !g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  g_free (in->secret);
  in->secret = former != NULL ? g_strdup (former->secret) : stasis_migrate_secret_new (error);
  if (former != NULL)
    stasis_migrate_prepared_forget (in->verdicts, in->token);
  return in->secret != NULL;
}

/* Before the secret leaves this host: from then on somebody may ask, whatever becomes of us. */
static gboolean
keep_prepared (StasisMigrateIn *in, const StasisMigrateAddress *door, GError **error)
{
  if (in->is_again && !take_secret (in, error))
    return FALSE;
  g_autoptr (StasisMigratePrepared) prepared = stasis_migrate_prepared_new (
      in->token, in->secret, in->name, in->uuid, stasis_migrate_address_copy (door));
  prepared->run = stasis_paths_domain (in->driver->paths, in->name, NULL);
  return stasis_migrate_prepared_keep (in->verdicts, prepared, error);
}

/* The door, and the way of the data: the same, unless QEMU takes connections itself. */
static gboolean
listen_here (StasisMigrateIn *in, StasisMigrateIns *ins, const StasisMigrateRequest *request,
             char **out_data, char **out_door, GError **error)
{
  g_auto (StasisMigratePlace) place = { 0 };
  g_autoptr (StasisMigrateAddress) data = NULL;
  g_autoptr (StasisMigrateAddress) door = NULL;
  if (!stasis_migrate_place_find (in, request, &place, error))
    return FALSE;
  if (stasis_migrate_in_is_by_qemu (in))
    {
      if (!stasis_migrate_in_listen_by_qemu (in, place.bound, &data, error))
        return FALSE;
      place.bound->port = 0;
    }
  if (!stasis_migrate_doors_open (ins->doors, place.bound, in->verdicts, in->token, &door, error))
    return FALSE;
  if (!keep_prepared (in, door, error))
    return FALSE;
  *out_data = stasis_migrate_place_tell (&place, data != NULL ? data : door);
  *out_door = stasis_migrate_place_tell (&place, door);
  return TRUE;
}

/* Those that both have, for the source knows of no others. */
static GStrv
list_common (const StasisMigrateIn *in, const StasisMigratePlan *plan)
{
  g_autoptr (GStrvBuilder) names = g_strv_builder_new ();
  for (guint i = 0; i < plan->capabilities->len; i++)
    if (is_known (in, g_ptr_array_index (plan->capabilities, i)))
      g_strv_builder_add (names, g_ptr_array_index (plan->capabilities, i));
  return g_strv_builder_end (names);
}

static GBytes *
make_cookie (const StasisMigrateIn *in, const StasisMigratePlan *plan, const char *data,
             const char *door, GError **error)
{
  g_autoptr (StasisMigrateCookie) cookie = stasis_migrate_cookie_new (in->token);
  StasisMigratePrepare *prepare = stasis_migrate_cookie_add_prepare (cookie);
  stasis_migrate_host_fill (&prepare->dest, in->driver->paths);
  prepare->capabilities = plan != NULL ? list_common (in, plan) : g_new0 (char *, 1);
  if (data != NULL)
    {
      const char *const addresses[] = { data, NULL };
      prepare->addresses = g_strdupv ((char **) addresses);
    }
  prepare->door = g_strdup (door);
  if (door != NULL)
    prepare->secret = g_strdup (in->secret);
  stasis_migrate_in_tell_exports (in, prepare);
  return stasis_migrate_cookie_format (cookie, NULL, error);
}

/* Only checked: there is nothing to send. */
static gboolean
answer_offline (const StasisMigrateIn *in, GBytes **out_cookie, char **out_uri, GError **error)
{
  *out_uri = g_strdup ("");
  *out_cookie = make_cookie (in, NULL, NULL, NULL, error);
  return *out_cookie != NULL;
}

/* QEMU has been told all of it when the guest came. */
static gboolean
answer_again (StasisMigrateIn *in, StasisMigrateIns *ins, const StasisMigrateRequest *request,
              GBytes **out_cookie, char **out_uri, GError **error)
{
  g_autofree char *data = NULL;
  g_autofree char *door = NULL;
  if (!listen_here (in, ins, request, &data, &door, error))
    return FALSE;
  *out_cookie = make_cookie (in, NULL, data, door, error);
  *out_uri = (in->flags & STASIS_MIGRATE_TUNNELLED) == 0 ? g_steal_pointer (&data) : NULL;
  stasis_job_set_phase (in->job, "postcopy");
  return *out_cookie != NULL;
}

gboolean
stasis_migrate_in_ready (StasisMigrateIn *in, StasisMigrateIns *ins,
                         const StasisMigrateRequest *request, GBytes **out_cookie, char **out_uri,
                         GError **error)
{
  if ((in->flags & STASIS_MIGRATE_OFFLINE) != 0)
    return answer_offline (in, out_cookie, out_uri, error);
  if (in->is_again)
    return answer_again (in, ins, request, out_cookie, out_uri, error);
  g_autoptr (StasisMigratePlan) plan = NULL;
  g_autofree char *data = NULL;
  g_autofree char *door = NULL;
  stasis_job_set_phase (in->job, "prepare");
  if (!check_cpu (in, error) || (plan = make_plan (in, request, error)) == NULL
      || !tell_qemu (in, plan, error) || !stasis_fault ("migrate-in-told", error)
      || !stasis_hook_begin_in_job (in->hold, in->def, "started", in->job, error)
      || !keep_persistent (in, error) || !write_journal (in, error)
      || !stasis_migrate_in_export (in, request, error)
      || !listen_here (in, ins, request, &data, &door, error)
      || !stasis_fault ("migrate-in-listening", error))
    return FALSE;
  *out_cookie = make_cookie (in, plan, data, door, error);
  /* Through a tunnel there is nothing to be chosen: the source goes by its peer's URI. */
  *out_uri = (in->flags & STASIS_MIGRATE_TUNNELLED) == 0 ? g_steal_pointer (&data) : NULL;
  stasis_job_set_phase (in->job, "receive");
  return *out_cookie != NULL;
}
