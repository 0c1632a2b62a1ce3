/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * start.c: starting QEMU for a domain
 *
 * Theory of operation
 *
 * The run folder and its status file come first, then QEMU: begun but waiting (spawn.c) until
 * its pid stands in the status, so that no QEMU is ever unknown.  It gets its descriptors, drops
 * to a user of its own where we are root, and starts with its CPUs stopped, and its supervisor
 * beside it.  We connect to its monitor, learn what it chose (ptys, ports), and write the live
 * definition.
 * The journal says START all the while: who finds that with its owner dead ends QEMU.
 */

#include "config.h"

#include "driver/start-private.h"

#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/bound-sockets.h"
#include "driver/command.h"
#include "driver/domain-private.h"
#include "driver/firmware.h"
#include "driver/hook-begin.h"
#include "driver/kept-definitions.h"
#include "driver/late-options.h"
#include "driver/live-def.h"
#include "driver/log-limit.h"
#include "driver/lost.h"
#include "driver/migrate-note.h"
#include "driver/migrate-volume.h"
#include "driver/recover.h"
#include "driver/registry.h"
#include "driver/resource-open.h"
#include "driver/restore-disks.h"
#include "driver/scope.h"
#include "driver/shared-ram.h"
#include "driver/supervise.h"
#include "driver/teardown.h"
#include "driver/thaw.h"
#include "driver/vcpus.h"
#include "monitor/commands-run.h"
#include "util/fault.h"
#include "util/fd.h"

#define PRELOAD   "LD_PRELOAD"
#define USERFAULT "stasis-userfault.so"
#define READ_ONLY "stasis-read-only.so"

void
stasis_start_clear (StasisStart *start)
{
  stasis_qemu_caps_unref (start->caps);
  g_clear_pointer (&start->resources, g_ptr_array_unref);
  stasis_spawn_free (start->spawn);
  stasis_supervising_free (start->supervising);
}

/* (transfer full) A set of the users that running domains of ours have, or NULL. */
static GHashTable *
list_uids (StasisDriver *driver, GError **error)
{
  g_autoptr (GPtrArray) names = stasis_registry_running_names (driver, error);
  if (names == NULL)
    return NULL;
  GHashTable *uids = g_hash_table_new (NULL, NULL);
  for (guint i = 0; i < names->len; i++)
    {
      g_autofree char *folder
          = stasis_paths_domain (driver->paths, g_ptr_array_index (names, i), NULL);
      g_autoptr (StasisStatus) status = stasis_status_read (folder, NULL);
      guint32 uid = 0;
      if (status != NULL)
        g_hash_table_add (uids, GUINT_TO_POINTER (status->uid));
      else if (stasis_lost_get_user (folder, &uid))
        g_hash_table_add (uids, GUINT_TO_POINTER (uid));
    }
  return uids;
}

/* A user for QEMU that no other running domain of ours has. */
static gboolean
choose_uid (StasisDriver *driver, int id, guint32 *out_uid, GError **error)
{
  const StasisHostConfig *host = driver->host;
  if (geteuid () != 0 || host->uid_count == 0)
    {
      *out_uid = geteuid ();
      return TRUE;
    }
  g_autoptr (GHashTable) taken = list_uids (driver, error);
  if (taken == NULL)
    return FALSE;

  const guint32 count = stasis_host_config_n_guests (host);
  for (guint32 i = 0; i < count; i++)
    {
      const guint32 uid = host->uid_base + (guint32) (((guint64) id + i) % count);
      if (g_hash_table_contains (taken, GUINT_TO_POINTER (uid)))
        continue;
      *out_uid = uid;
      return TRUE;
    }
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED,
               _ ("all %1$u users for QEMU from %2$u on are in use by running domains; "
                  "option 'uid-count' in [security] of '%3$s' may give more"),
               count, host->uid_base, host->path);
  return FALSE;
}

static StasisStatus *
make_status (StasisStart *start, GError **error)
{
  const StasisDomainDef *def = start->def;
  const StasisPaths *paths = start->driver->paths;
  const int id = stasis_registry_next_id (start->driver, error);
  if (id < 0)
    return NULL;

  StasisStatus *status = stasis_status_new ();
  status->name = g_strdup (def->name);
  status->uuid = g_strdup (def->uuid);
  status->id = id;
  status->is_transient = start->request->is_transient;
  status->emulator = g_strdup (def->emulator);
  status->reason = g_strdup (start->request->reason);
  status->log = stasis_paths_log (paths, def->name);
  status->log_start = stasis_log_begin_run (status->log);
  status->last = stasis_paths_last (paths, def->name);
  status->last_job = stasis_paths_last_job (paths, def->name);
  status->lock = stasis_paths_lock (paths, def->name);
  status->definition = stasis_paths_definition (paths, def->name);
  status->on_poweroff = g_strdup (stasis_lifecycle_action_names[def->on_poweroff]);
  status->on_reboot = g_strdup (stasis_lifecycle_action_names[def->on_reboot]);
  status->on_crash = g_strdup (stasis_lifecycle_action_names[def->on_crash]);
  status->started_us = g_get_real_time ();
  if (start->request->clone != NULL)
    {
      status->clone_of = g_strdup (start->request->clone->of);
      status->clone_image = g_strdup (start->request->clone->image);
      status->overlays = g_strdup (start->request->clone->folder);
    }
  const StasisHooksConfig *hooks = &start->driver->host->hooks;
  status->hooks = hooks->is_off ? NULL : g_strdup (hooks->folder);
  status->hook_timeout = hooks->timeout;
  stasis_journal_begin (&status->journal, STASIS_STEP_START, start->request->operation);
  status->journal.id = g_strdup (start->request->job_id);
  return status;
}

/* The run folder, with a folder in it where QEMU's user may make sockets. */
static gboolean
make_folder (const StasisStart *start, GError **error)
{
  const StasisStatus *status = start->hold->status;
  g_autofree char *sockets = g_build_filename (start->hold->folder, "sockets", NULL);
  if (!stasis_paths_make (sockets, error))
    return FALSE;
  if (status->uid != geteuid () && chown (sockets, status->uid, status->uid) < 0)
    return stasis_throw_errno (error, _ ("cannot give '%s' to QEMU's user"), sockets);
  return stasis_hold_write (start->hold, error);
}

/* Name, UUID and user are free as long as no status file names them: looking and writing ours are
 * one step.  Whoever asked earlier asked without the lock. */
static gboolean
claim (const StasisStart *start, GError **error)
{
  StasisStatus *status = start->hold->status;
  g_autoptr (StasisLock) lock
      = stasis_registry_lock (start->driver, STASIS_REGISTRY_DEADLINE_MS, error);
  return lock != NULL
         && stasis_registry_check_unique (start->driver, status->name, status->uuid, error)
         && choose_uid (start->driver, status->id, &status->uid, error)
         && stasis_fault ("start-user", error) && make_folder (start, error);
}

/* A listening socket for a monitor, handed over; its number in QEMU, or -1. */
static int
listen_for_monitor (const StasisStart *start, const char *file, GError **error)
{
  g_autofree char *path
      = g_strconcat (start->hold->folder, "/", file, start->is_beside ? STASIS_BESIDE : "", NULL);
  const int fd = stasis_unix_listen (path, 1, error);
  return fd < 0 ? -1 : stasis_spawn_take_fd (start->spawn, fd);
}

/* /dev/kvm belongs to a group on most systems. */
gint64
stasis_start_kvm_group (const StasisDomainDef *def)
{
  if (def->type != STASIS_DOMAIN_TYPE_KVM)
    return -1;
  const struct group *group = getgrnam ("kvm");
  return group != NULL ? (gint64) group->gr_gid : -1;
}

/* One of our libraries for QEMU, which its user can read; -1: there is none. */
static int
open_library (const StasisStart *start, const char *name)
{
  g_autofree char *path = stasis_spawn_find_helper (name);
  stasis_autofd int fd = stasis_fd_open (path, O_RDONLY, 0, NULL);
  struct stat st;
  if (fd >= 0 && fstat (fd, &st) == 0
      && (start->hold->status->uid == geteuid () || (st.st_mode & S_IROTH) != 0))
    return stasis_fd_steal (&fd);
  g_debug ("'%s' cannot be read by QEMU's user", path);
  return -1;
}

/* By descriptor: QEMU's user may not reach the file by its name.  Consumes it; -1 is fine. */
static void
preload (const StasisStart *start, int fd_take, GString *value)
{
  if (fd_take < 0)
    return;
  if (value->len > 0)
    g_string_append_c (value, ':');
  g_string_append_printf (value, "/proc/self/fd/%d", stasis_spawn_take_fd (start->spawn, fd_take));
}

/* What makes it possible to track the guest's writes, and what keeps QEMU from writing to a flat
 * file (src/preload).  @others (nullable) is what the definition wants preloaded. */
static void
preload_libraries (const StasisStart *start, const char *others)
{
  g_autoptr (GString) value = g_string_new (NULL);
  preload (start, open_library (start, USERFAULT), value);
  if (start->ram.is_flat)
    {
      g_autofree char *path = stasis_command_ram_path (&start->ram);
      preload (start, open_library (start, READ_ONLY), value);
      stasis_spawn_set_env (start->spawn, "STASIS_READ_ONLY", path);
    }
  if (value->len == 0)
    return;
  if (others != NULL)
    g_string_append_printf (value, ":%s", others);
  stasis_spawn_set_env (start->spawn, PRELOAD, value->str);
}

static void
set_env (const StasisStart *start)
{
  const char *others = NULL;
  stasis_spawn_clear_env (start->spawn);
  for (guint i = 0; i < start->def->qemu_envs->len; i++)
    {
      const StasisQemuEnvDef *env = g_ptr_array_index (start->def->qemu_envs, i);
      const char *value = env->value != NULL ? env->value : "";
      stasis_spawn_set_env (start->spawn, env->name, value);
      if (g_str_equal (env->name, PRELOAD) && *value != '\0')
        others = value;
    }
  preload_libraries (start, others);
}

gboolean
stasis_start_add_args (const StasisStart *start, GError **error)
{
  StasisCommandHost host = {
    .resources = start->resources,
    .monitor_fd = listen_for_monitor (start, "monitor.sock", error),
    .is_incoming = start->request->is_incoming,
    .mapped_ram = start->ram.fd >= 0 ? &start->ram : NULL,
    .shared_ram = start->shared.fd >= 0 ? &start->shared : NULL,
  };
  if (host.monitor_fd < 0)
    return FALSE;
  host.supervisor_fd = listen_for_monitor (start, "supervisor.sock", error);
  if (host.supervisor_fd < 0)
    return FALSE;

  /* By descriptor: QEMU's user cannot walk down to the folder. */
  g_autofree char *sockets = g_build_filename (start->hold->folder, "sockets", NULL);
  const int folder = stasis_fd_open (sockets, O_PATH | O_DIRECTORY, 0, error);
  if (folder < 0)
    return FALSE;
  g_autofree char *inside
      = g_strdup_printf ("/proc/self/fd/%d", stasis_spawn_take_fd (start->spawn, folder));
  host.socket_folder = inside;

  g_auto (GStrv) args = stasis_command_build (start->def, start->caps, &host, error);
  if (args == NULL)
    return FALSE;
  stasis_spawn_add_arg (start->spawn, start->def->emulator);
  for (gsize i = 0; args[i] != NULL; i++)
    stasis_spawn_add_arg (start->spawn, args[i]);
  set_env (start);
  return TRUE;
}

/* Also where a later resource could not be opened. */
static gboolean
open_resources (StasisStart *start, GError **error)
{
  StasisStatus *status = start->hold->status;
  const StasisResourceUser user = { status->uid, start->request->is_incoming };
  const gboolean ok = stasis_resources_open (start->resources, &user, start->spawn, error);
  for (guint i = 0; i < start->resources->len; i++)
    {
      const StasisResource *resource = g_ptr_array_index (start->resources, i);
      if (resource->kind == STASIS_RESOURCE_LISTEN && resource->fd >= 0)
        stasis_bound_sockets_note (status->sockets, resource->path);
    }
  return ok;
}

/* A flat file is for a QEMU that can be kept from writing to it. */
static gboolean
check_flat (const StasisStart *start, GError **error)
{
  if (start->request->memory->flat_of == NULL)
    return TRUE;
  stasis_autofd int fd = open_library (start, READ_ONLY);
  if (fd < 0)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                 _ ("'%s', without which QEMU could write to a flat file, cannot be read"),
                 READ_ONLY);
  return fd >= 0;
}

/* Memory from an image, where the request has one and QEMU's user may open it. */
static void
map_memory (StasisStart *start)
{
  StasisMemoryImage *memory = start->request->memory;
  StasisStatus *status = start->hold->status;
  if (memory == NULL)
    return;
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd
      = check_flat (start, &error) ? stasis_memory_image_open (memory, status->uid, &error) : -1;
  if (fd < 0 || !stasis_memory_image_note (memory, status, &error))
    {
      memory->refusal = g_strdup (error->message);
      return;
    }
  start->ram.fd = stasis_spawn_take_fd (start->spawn, stasis_fd_steal (&fd));
  start->ram.offset = memory->offset;
  start->ram.is_flat = memory->flat_of != NULL;
}

/* What is to be shared. */
static gboolean
share_memory (StasisStart *start, GError **error)
{
  if (start->ram.fd >= 0 || !stasis_shared_ram_is_wanted (start->def))
    return TRUE;
  const int fd = stasis_shared_ram_make (start->def, error);
  if (fd >= 0)
    start->shared.fd = stasis_spawn_take_fd (start->spawn, fd);
  return fd >= 0;
}

/* Everything up to a QEMU that exists and waits, then let it run. */
static gboolean
launch (StasisStart *start, GError **error)
{
  StasisStatus *status = start->hold->status;
  start->spawn = stasis_spawn_new (status->log);
  stasis_live_def_prepare (start->def, start->hold->folder);
  if (start->request->kept_disks != NULL
      && !stasis_restore_disks_lay (start->hold, start->request->kept_disks, error))
    return FALSE;
  if (start->request->volumes != NULL
      && !stasis_migrate_volumes_make (start->hold, start->request->volumes, start->cancellable,
                                       error))
    return FALSE;
  start->resources = stasis_resources_list (start->def);
  const StasisStartClone *clone = start->request->clone;
  if (clone != NULL && clone->folder != NULL
      && !stasis_overlays_make (clone->overlays, clone->folder, error))
    return FALSE;
  if (!stasis_firmware_make_nvram (start->def, error) || !open_resources (start, error))
    return FALSE;
  map_memory (start);
  if (!share_memory (start, error) || !stasis_start_add_args (start, error))
    return FALSE;
  if (status->uid != geteuid ())
    stasis_spawn_set_user (start->spawn, status->uid, status->uid,
                           stasis_start_kvm_group (start->def));

  if (!stasis_hook_begin (start->hold, start->def, "start", start->cancellable, error)
      || !stasis_spawn_begin (start->spawn, &status->qemu, error)
      || !stasis_hold_write (start->hold, error) || !stasis_fault ("start-spawned", error))
    return FALSE;
  stasis_scope_enter (status->name, status->qemu.pid);
  if (!stasis_spawn_go (start->spawn, error))
    return FALSE;
  start->supervising = stasis_supervise_begin (start->hold->folder, error);
  return start->supervising != NULL;
}

/* What only the running QEMU knows goes into the live definition. */
static StasisMonitor *
meet (StasisStart *start, GCancellable *cancellable, GError **error)
{
  g_autoptr (StasisMonitor) monitor = stasis_hold_open_monitor (start->hold, cancellable, error);
  if (monitor == NULL || !stasis_vcpus_plug_at_start (start->def, monitor, cancellable, error)
      || !stasis_late_options_apply (start->def, monitor, cancellable, error)
      || (!start->request->is_incoming
          && !stasis_late_options_balloon (start->def, monitor, cancellable, error))
      || !stasis_live_def_complete (start->def, start->resources, monitor, cancellable, error))
    return NULL;

  if (!stasis_live_def_write (start->def, start->hold->status, start->hold->folder, STASIS_LIVE_XML,
                              error)
      || !stasis_supervise_await (start->supervising, error))
    return NULL;
  return g_steal_pointer (&monitor);
}

/* A guest that may run elsewhere does not begin here, unless it is the one that comes back. */
static gboolean
check_migration (const StasisStart *start, GError **error)
{
  return g_str_equal (start->request->operation, "migrate-in")
         || stasis_migrate_note_check (start->driver->paths, start->def->name, start->def->uuid,
                                       start->cancellable, error);
}

/* Start QEMU with its CPUs stopped, and the domain's supervisor. */
StasisMonitor *
stasis_start_qemu (StasisDriver *driver, StasisHold *hold, StasisDomainDef *def,
                   const StasisStartRequest *request, GCancellable *cancellable, GError **error)
{
  g_auto (StasisStart) start = {
    .driver = driver,
    .hold = hold,
    .def = def,
    .request = request,
    .cancellable = cancellable,
    .ram = { .fd = -1 },
    .shared = { .fd = -1 },
  };
  if (!stasis_lost_check_removed (hold->folder, error) || !check_migration (&start, error))
    return NULL;
  start.caps = stasis_driver_get_caps (driver, def->emulator, error);
  if (start.caps == NULL)
    return NULL;
  hold->status = make_status (&start, error);
  if (hold->status == NULL)
    return NULL;

  StasisMonitor *monitor = NULL;
  if (claim (&start, error) && stasis_hook_begin (hold, def, "prepare", cancellable, error)
      && launch (&start, error) && stasis_fault ("start-launched", error))
    monitor = meet (&start, cancellable, error);
  if (monitor == NULL)
    stasis_start_abandon (hold);
  return monitor;
}

/* `cont`; where the answer is lost the guest may run, and recovery makes sure that it does. */
gboolean
stasis_start_let_run (StasisHold *hold, StasisMonitor *monitor, GError **error)
{
  g_autoptr (GError) local = NULL;
  if (stasis_monitor_cont (monitor, NULL, &local))
    return TRUE;
  if (g_error_matches (local, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND))
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  return stasis_recover (hold->folder, hold->status, NULL, error);
}

/* It is started. */
gboolean
stasis_start_finish (StasisHold *hold, StasisMonitor *monitor, gboolean run, GError **error)
{
  StasisJournal *journal = &hold->status->journal;
  /* Somebody has ended it meanwhile, which is no start. */
  if (stasis_monitor_is_closed (monitor))
    {
      g_propagate_error (error, stasis_monitor_ended (hold->status->log, hold->status->log_start));
      return FALSE;
    }
  journal->step = STASIS_STEP_RESUME;
  journal->was_running = run;
  if (!stasis_fault ("start-resume", error) || !stasis_hold_write (hold, error)
      || !stasis_fault ("start-resuming", error)
      || (run && !stasis_start_let_run (hold, monitor, error)))
    return FALSE;

  /* A fault from here on is a process that dies, not a failure. */
  stasis_fault ("start-running", NULL);
  if (run)
    stasis_thaw_if_frozen (hold->folder, hold->status);
  stasis_fault ("start-thawed", NULL);
  stasis_recover_use_up (journal);
  stasis_kept_definitions_drop (hold->folder);
  stasis_journal_clear (journal);
  g_autoptr (GError) local = NULL;
  g_autoptr (StasisControl) control = NULL;
  if (stasis_hold_write (hold, &local))
    control = stasis_control_open (hold->folder, &local);
  if (control == NULL || !stasis_control_sync (control, &local))
    g_debug ("%s", local->message);
  return TRUE;
}

/* It is not. */
void
stasis_start_abandon (StasisHold *hold)
{
  g_autoptr (GError) reason_error = NULL;
  g_autoptr (GError) error = NULL;
  if (!stasis_end_reason_write (hold->folder, "failed", &reason_error))
    g_debug ("%s", reason_error->message);
  if (!stasis_kept_definitions_restore (hold->folder, hold->status, &error))
    {
      g_warning (_ ("the definition of domain '%1$s' names disks that were not restored: %2$s"),
                 hold->status->name, error->message);
      g_clear_error (&error);
      g_clear_pointer (&hold->status->journal.overlays, g_ptr_array_unref); /* so they stay */
    }
  if (!stasis_teardown (hold->status, hold->folder, "failed", &error)
      || !stasis_journal_overlays_unlink (hold->status->journal.overlays, &error))
    g_debug ("%s", error->message);
  g_clear_pointer (&hold->status, stasis_status_free);
}
