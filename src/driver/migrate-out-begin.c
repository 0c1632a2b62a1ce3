/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-out-begin.c: may the guest move, and what is the destination to know of it?
 *
 * Nothing is changed but that the journal says it is at a migration.  External devices are asked
 * before anything else.
 *
 * A guest whose memory is mapped from an image is migrated as any other one: all of it is read and
 * sent.  Writes that are tracked for the next incremental save go on being so, until the guest has
 * gone.
 */

#include "config.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/device-unplug.h"
#include "driver/devices.h"
#include "driver/domain-private.h"
#include "driver/job-fate.h"
#include "driver/memory-check.h"
#include "driver/migrate-disk.h"
#include "driver/migrate-host.h"
#include "driver/migrate-limits.h"
#include "driver/migrate-note.h"
#include "driver/migrate-out-private.h"
#include "driver/migrate-settle.h"
#include "driver/migration-end.h"
#include "driver/registry.h"
#include "driver/save-facts.h"
#include "driver/still.h"
#include "driver/vcpus.h"
#include "image/facts.h"
#include "monitor/commands-query.h"
#include "monitor/commands-run.h"
#include "util/fault.h"

#define XML_FLAGS \
  (STASIS_DOMAIN_FORMAT_INACTIVE | STASIS_DOMAIN_FORMAT_MIGRATABLE | STASIS_DOMAIN_FORMAT_SECURE)

static gboolean
throw_unsupported (const char *what, GError **error)
{
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED, _ ("%s is not supported yet"), what);
  return FALSE;
}

/* What nobody has built. */
static gboolean
check_flags (StasisMigrateFlags flags, GError **error)
{
  if ((flags & (STASIS_MIGRATE_COPY_STORAGE_ALL | STASIS_MIGRATE_COPY_STORAGE_INC)) != 0
      && (flags & (STASIS_MIGRATE_TUNNELLED | STASIS_MIGRATE_POSTCOPY)) != 0)
    return throw_unsupported (_ ("copying disks through a tunnel, or in postcopy,"), error);
  return TRUE;
}

/* What was mapped from an image that nobody has verified yet is not passed on as good.  The lock is
 * not held meanwhile. */
static gboolean
await_memory_check (StasisDomain *domain, GCancellable *cancellable, GError **error)
{
  g_autoptr (StasisStatus) status = NULL;
  if (!stasis_domain_look (domain, &status, error))
    return FALSE;
  if (status == NULL)
    return TRUE;
  g_autofree char *folder
      = stasis_paths_domain (stasis_domain_get_driver (domain)->paths, status->name, NULL);
  StasisMemoryFinding finding;
  g_autofree char *message = NULL;
  return stasis_memory_check_wait (status, folder, cancellable, &finding, &message, error);
}

static gboolean
check_memory (const StasisMigrateOut *out, GCancellable *cancellable, GError **error)
{
  const StasisStatus *status = out->hold->status;
  StasisMemoryFinding finding;
  g_autofree char *message = NULL;
  if (!stasis_memory_check_wait (status, out->hold->folder, cancellable, &finding, &message, error))
    return FALSE;
  if (finding != STASIS_MEMORY_FINDING_DAMAGED || status->is_damage_accepted)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED,
               _ ("the memory of domain '%1$s' comes from a damaged image (%2$s); it can migrate "
                  "once it has been resumed in spite of that"),
               status->name, message);
  return FALSE;
}

static gboolean
look_at_guest (StasisMigrateOut *out, GCancellable *cancellable, GError **error)
{
  const StasisStatus *status = out->hold->status;
  StasisRunState state;
  if (status->undecided_migration != NULL)
    return stasis_migrate_throw_elsewhere (status, error);
  if (!stasis_monitor_query_status (out->monitor, &state, cancellable, error)
      || !stasis_migration_check_none (out->monitor, out->name, cancellable, error))
    return FALSE;
  if (status->is_undecided && state != STASIS_RUN_STATE_RUNNING)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
                   _ ("an earlier save of domain '%1$s' into a pipe may be complete: resume or "
                      "destroy the domain first"),
                   out->name);
      return FALSE;
    }
  out->was_running = state == STASIS_RUN_STATE_RUNNING || state == STASIS_RUN_STATE_SUSPENDED;
  out->is_postmigrate = state == STASIS_RUN_STATE_POSTMIGRATE;
  if (out->was_running || out->is_postmigrate || state == STASIS_RUN_STATE_PAUSED
      || state == STASIS_RUN_STATE_PRELAUNCH)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
               _ ("domain '%1$s' cannot migrate in the state '%2$s'"), out->name,
               stasis_run_state_to_string (state));
  return FALSE;
}

static gboolean
take_running (StasisMigrateOut *out, StasisDomain *domain, GCancellable *cancellable,
              GError **error)
{
  if (!await_memory_check (domain, cancellable, error))
    return FALSE;
  out->hold = stasis_hold_take_running (out->driver, out->name, error);
  if (out->hold == NULL)
    return FALSE;
  out->def = stasis_domain_load_live (domain, error);
  out->monitor = out->def != NULL ? stasis_hold_open_monitor (out->hold, cancellable, error) : NULL;
  if (out->monitor == NULL)
    return FALSE;
  const StasisDeviceRequest request = {
    .operation = STASIS_DEVICE_MIGRATE,
    .is_live = (out->flags & STASIS_MIGRATE_LIVE) != 0,
    .def = out->def,
    .monitor = out->monitor,
  };
  return stasis_devices_test (&request, error)
         && stasis_device_unplug_settle_held (out->driver, out->hold, out->monitor, out->def, error)
         && stasis_vcpus_check_boot (out->def, out->monitor, cancellable, error)
         && check_memory (out, cancellable, error) && look_at_guest (out, cancellable, error);
}

/* Its definition, and nothing of a guest. */
static gboolean
take_offline (StasisMigrateOut *out, GCancellable *cancellable, GError **error)
{
  out->hold = stasis_hold_take_cancellable (out->driver, out->name, cancellable, error);
  if (out->hold == NULL)
    return FALSE;
  if (out->hold->status != NULL)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
                   _ ("domain '%s' is running: --offline is for one that is not"), out->name);
      return FALSE;
    }
  out->def = stasis_registry_load (out->driver, out->name, error);
  return out->def != NULL;
}

/* (transfer full) */
static char *
choose_xml (const StasisMigrateOut *out, const StasisMigrateRequest *request, GError **error)
{
  if (request == NULL || request->xml == NULL)
    return stasis_domain_def_format (out->def, XML_FLAGS);
  g_autoptr (StasisDomainDef) wanted
      = stasis_driver_parse (out->driver, request->xml, NULL, STASIS_DOMAIN_PARSE_DEFAULT, error);
  if (wanted == NULL || !stasis_domain_def_check_abi (out->def, wanted, error))
    return NULL;
  if (g_str_equal (wanted->name, out->def->name))
    return stasis_domain_def_format (wanted, XML_FLAGS);
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
               _ ("the definition for the destination names the domain '%1$s', not '%2$s': that is "
                  "for --dname"),
               wanted->name, out->def->name);
  return NULL;
}

/* Of the same domain. */
static char *
choose_users_persistent (const StasisMigrateOut *out, const char *xml, GError **error)
{
  g_autoptr (StasisDomainDef) wanted
      = stasis_driver_parse (out->driver, xml, NULL, STASIS_DOMAIN_PARSE_DEFAULT, error);
  if (wanted == NULL)
    return NULL;
  if (g_strcmp0 (wanted->uuid, out->def->uuid) == 0)
    return stasis_domain_def_format (wanted, XML_FLAGS);
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
               _ ("the persistent definition is of another domain, with uuid %s"), wanted->uuid);
  return NULL;
}

/* *@out_xml: NULL: the destination has no other one than what the guest runs by. */
static gboolean
choose_persistent (const StasisMigrateOut *out, const StasisMigrateRequest *request, char **out_xml,
                   GError **error)
{
  *out_xml = NULL;
  if ((out->flags & (STASIS_MIGRATE_PERSIST_DEST | STASIS_MIGRATE_OFFLINE)) == 0)
    return TRUE;
  if (request != NULL && request->persistent_xml != NULL)
    {
      *out_xml = choose_users_persistent (out, request->persistent_xml, error);
      return *out_xml != NULL;
    }
  if (!stasis_registry_has (out->driver, out->name))
    return TRUE;
  g_autoptr (StasisDomainDef) def = stasis_registry_load (out->driver, out->name, error);
  if (def == NULL)
    return FALSE;
  *out_xml = stasis_domain_def_format (def, XML_FLAGS);
  return TRUE;
}

/* Before 9.0, which has mapped-ram, QEMU loses track of what an emulated processor writes to in all
 * passes but the first: see save-engine.c. */
static gboolean
find_passes (StasisMigrateOut *out, GHashTable *capabilities, GCancellable *cancellable,
             GError **error)
{
  gboolean is_kvm = FALSE;
  if (!stasis_monitor_query_kvm (out->monitor, &is_kvm, cancellable, error))
    return FALSE;
  out->is_one_pass = !is_kvm && !g_hash_table_contains (capabilities, "mapped-ram");
  return TRUE;
}

StasisMigratePlan *
stasis_migrate_out_plan (StasisMigrateOut *out, const StasisMigrateRequest *request,
                         GCancellable *cancellable, GError **error)
{
  g_autoptr (GHashTable) capabilities
      = stasis_monitor_query_migrate_capabilities (out->monitor, cancellable, error);
  g_autoptr (StasisJson) parameters
      = capabilities != NULL
            ? stasis_monitor_query_migrate_parameters (out->monitor, cancellable, error)
            : NULL;
  if (parameters == NULL || !find_passes (out, capabilities, cancellable, error))
    return NULL;
  StasisMigratePlan *plan = stasis_migrate_plan_new (STASIS_MIGRATE_SIDE_SOURCE, out->flags,
                                                     request, capabilities, parameters);
  stasis_migrate_limits_apply (out->driver, out->name, out->flags, request, plan->parameters);
  if (out->is_one_pass)
    stasis_json_set_uint (plan->parameters, "downtime-limit", 0);
  return plan;
}

static GStrv
dup_names (const GPtrArray *names)
{
  GStrv copy = g_new0 (char *, names->len + 1);
  for (guint i = 0; i < names->len; i++)
    copy[i] = g_strdup (g_ptr_array_index (names, i));
  return copy;
}

static StasisJson *
names_to_json (const GPtrArray *names)
{
  StasisJson *array = stasis_json_new_array ();
  for (guint i = 0; names != NULL && i < names->len; i++)
    stasis_json_array_append_string (array, g_ptr_array_index (names, i));
  return array;
}

/* Of a QEMU that runs, which knows its version. */
static void
add_running_facts (StasisJson *facts, const StasisMigrateOut *out, GCancellable *cancellable)
{
  const StasisMonitorVersion *version = stasis_monitor_version (out->monitor);
  g_autofree char *text
      = g_strdup_printf ("%u.%u.%u", version->major, version->minor, version->micro);
  stasis_json_set_string (facts, STASIS_IMAGE_FACTS_EMULATOR, out->hold->status->emulator);
  stasis_json_set_string (facts, STASIS_IMAGE_FACTS_VERSION, text);
  stasis_json_set_string (facts, STASIS_IMAGE_FACTS_PACKAGE, version->package);
  StasisJson *cpu = stasis_save_facts_cpu (out->def, out->monitor, cancellable);
  if (cpu != NULL)
    stasis_json_set (facts, STASIS_IMAGE_FACTS_CPU, cpu);
}

static gboolean
add_offline_facts (StasisJson *facts, const StasisMigrateOut *out, GError **error)
{
  g_autoptr (StasisQemuCaps) caps = stasis_driver_get_caps (out->driver, out->def->emulator, error);
  if (caps == NULL)
    return FALSE;
  stasis_json_set_string (facts, STASIS_IMAGE_FACTS_EMULATOR, out->def->emulator);
  stasis_json_set_string (facts, STASIS_IMAGE_FACTS_VERSION, stasis_qemu_caps_version (caps));
  return TRUE;
}

/* @plan: (nullable): offline
 * (transfer full) */
static StasisJson *
make_facts (const StasisMigrateOut *out, const StasisMigratePlan *plan, GCancellable *cancellable,
            GError **error)
{
  g_autoptr (StasisJson) facts = stasis_json_new_object ();
  if (plan != NULL)
    add_running_facts (facts, out, cancellable);
  else if (!add_offline_facts (facts, out, error))
    return NULL;
  stasis_json_set_string (facts, STASIS_IMAGE_FACTS_MACHINE, out->def->os.machine);
  stasis_json_set_string (facts, STASIS_IMAGE_FACTS_ACCELERATOR,
                          out->def->type == STASIS_DOMAIN_TYPE_KVM ? "kvm" : "tcg");
  stasis_json_set_string (facts, STASIS_IMAGE_FACTS_RUN_STATE,
                          out->was_running ? "running" : "paused");
  stasis_json_set_string (facts, STASIS_IMAGE_FACTS_RUN_STATE_REASON, "migration");
  stasis_json_set_string (facts, STASIS_IMAGE_FACTS_HOST, g_get_host_name ());
  stasis_json_set (facts, STASIS_IMAGE_FACTS_CAPABILITIES,
                   names_to_json (plan != NULL ? plan->needed : NULL));
  return g_steal_pointer (&facts);
}

static gboolean
add_disks (StasisMigrateBegin *begin, const StasisMigrateOut *out, GError **error)
{
  for (guint i = 0; i < out->def->disks->len; i++)
    {
      const StasisDiskDef *disk = g_ptr_array_index (out->def->disks, i);
      if (disk->source == NULL)
        continue;
      StasisMigrateDisk *described = stasis_migrate_disk_describe (disk, error);
      if (described == NULL)
        return FALSE;
      g_ptr_array_add (begin->disks, described);
      if (!stasis_migrate_out_describe_copy (out, described, error))
        return FALSE;
    }
  return TRUE;
}

static GBytes *
make_cookie (const StasisMigrateOut *out, const StasisMigrateRequest *request,
             const StasisMigratePlan *plan, GCancellable *cancellable, GError **error)
{
  g_autoptr (StasisMigrateCookie) cookie = stasis_migrate_cookie_new (out->token);
  StasisMigrateBegin *begin = stasis_migrate_cookie_add_begin (cookie);
  stasis_migrate_host_fill (&begin->source, out->driver->paths);
  begin->name = g_strdup (out->name);
  begin->uuid = g_strdup (out->def->uuid);
  begin->memory_kib = (guint64) out->def->memory;
  begin->time_us = g_get_real_time ();
  begin->qemu = make_facts (out, plan, cancellable, error);
  if (begin->qemu == NULL || !add_disks (begin, out, error)
      || !choose_persistent (out, request, &begin->persistent, error))
    return NULL;
  if (plan != NULL)
    begin->offers = dup_names (plan->offers);
  return stasis_migrate_cookie_format (cookie, NULL, error);
}

/* From here on others are told that the domain is busy.  Whoever recovers it finds a guest that is
 * as it was. */
static gboolean
open_journal (const StasisMigrateOut *out, GError **error)
{
  StasisJournal *journal = &out->hold->status->journal;
  stasis_journal_begin (journal, STASIS_STEP_MIGRATE_SENDING, "migrate-out");
  journal->was_running = out->was_running;
  journal->migration = stasis_migrate_journal_new (out->token);
  journal->migration->flags = out->flags;
  journal->migration->was_running = out->was_running;
  journal->migration->note = stasis_migrate_note_path (out->driver->paths, out->def->uuid);
  journal->migration->copied = g_strdupv (out->copied);
  gboolean have_failed = TRUE;
  if (out->was_running && !stasis_still_query_disks (out->monitor, &have_failed, error))
    return FALSE;
  journal->are_disks_fine = !have_failed;
  journal->parameters = stasis_migration_note_parameters (out->monitor, NULL, error);
  /* From here on it can be aborted, though it has no job yet: Perform looks. */
  stasis_job_fate_clear (out->hold->folder, NULL);
  journal->id = stasis_job_id_new ();
  return journal->parameters != NULL && stasis_hold_write (out->hold, error);
}

static gboolean
describe_running (StasisMigrateOut *out, StasisDomain *domain, const StasisMigrateRequest *request,
                  char **out_xml, GBytes **out_cookie, GCancellable *cancellable, GError **error)
{
  if (!take_running (out, domain, cancellable, error)
      || !stasis_migrate_out_choose_disks (out, request, error))
    return FALSE;
  g_autofree char *emulator = g_strdup_printf ("'%s'", out->hold->status->emulator);
  g_autoptr (StasisMigratePlan) plan = stasis_migrate_out_plan (out, request, cancellable, error);
  if (plan == NULL || !stasis_migrate_plan_check (plan, emulator, error))
    return FALSE;
  if (!stasis_migrate_plan_has (plan, "pause-before-switchover"))
    return throw_unsupported (_ ("migrating with a QEMU that lacks pause-before-switchover"),
                              error);
  g_autofree char *xml = choose_xml (out, request, error);
  g_autoptr (GBytes) cookie
      = xml != NULL ? make_cookie (out, request, plan, cancellable, error) : NULL;
  if (cookie == NULL || !open_journal (out, error))
    return FALSE;
  if (!stasis_fault ("migrate-out-begin", error))
    {
      stasis_migrate_out_undo (out, NULL, &(gboolean){ FALSE }, NULL);
      return FALSE;
    }
  *out_xml = g_steal_pointer (&xml);
  *out_cookie = g_steal_pointer (&cookie);
  return TRUE;
}

/* Its destination has all of this but what the token says: which one it is. */
static gboolean
describe_again (StasisMigrateOut *out, StasisDomain *domain, char **out_xml, GBytes **out_cookie,
                GCancellable *cancellable, GError **error)
{
  if (!stasis_migrate_out_take_again (out, domain, cancellable, error))
    return FALSE;
  g_autoptr (GBytes) cookie = make_cookie (out, NULL, NULL, cancellable, error);
  if (cookie == NULL || !stasis_migrate_out_open_again (out, error))
    return FALSE;
  *out_xml = stasis_domain_def_format (out->def, XML_FLAGS);
  *out_cookie = g_steal_pointer (&cookie);
  return TRUE;
}

gboolean
stasis_migrate_out_describe (StasisMigrateOut *out, StasisDomain *domain,
                             const StasisMigrateRequest *request, char **out_xml,
                             GBytes **out_cookie, GCancellable *cancellable, GError **error)
{
  if (!check_flags (out->flags, error))
    return FALSE;
  if ((out->flags & STASIS_MIGRATE_POSTCOPY_RESUME) != 0)
    return describe_again (out, domain, out_xml, out_cookie, cancellable, error);
  if (!stasis_migrate_out_is_offline (out))
    return describe_running (out, domain, request, out_xml, out_cookie, cancellable, error);
  if (!take_offline (out, cancellable, error))
    return FALSE;
  g_autofree char *xml = choose_xml (out, request, error);
  *out_cookie = xml != NULL ? make_cookie (out, request, NULL, cancellable, error) : NULL;
  if (*out_cookie == NULL)
    return FALSE;
  *out_xml = g_steal_pointer (&xml);
  return TRUE;
}
