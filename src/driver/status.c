/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * status.c: the status file of a running domain, which is also its journal
 *
 * Theory of operation
 *
 * Drivers come and go; what they must know of a running domain stands in one small JSON file
 * that is replaced atomically.  Only who holds the domain's lock writes it.  Before a step that
 * cannot be undone the journal part names it, so that whoever next takes the lock (recover.c)
 * knows whether to roll back or forward.
 */

#include "config.h"

#include "driver/status.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/bound-sockets.h"
#include "driver/job-fate.h"
#include "driver/migration-end.h"
#include "util/atomic-file.h"
#include "util/json-path.h"

#define STATUS_FILE     "status.json"
#define STATUS_FORMAT   1
#define STATUS_SIZE_MAX (1024 * 1024) /* octets */

/* In the file by name: append, never rename. */
static const char *const step_names[] = {
  [STASIS_STEP_NONE] = "none",
  [STASIS_STEP_START] = "start",
  [STASIS_STEP_SAVE] = "save",
  [STASIS_STEP_COMMIT] = "commit",
  [STASIS_STEP_COMMITTED] = "committed",
  [STASIS_STEP_RESUME] = "resume",
  [STASIS_STEP_RESTART] = "restart",
  [STASIS_STEP_DEVICE] = "device",
  [STASIS_STEP_MIGRATE_SENDING] = "migrate-sending",
  [STASIS_STEP_MIGRATE_HANDED] = "migrate-handed",
  [STASIS_STEP_MIGRATE_INCOMING] = "migrate-incoming",
  [STASIS_STEP_MIGRATE_BEGUN] = "migrate-begun",
  [STASIS_STEP_HANDOVER] = "handover",
  [STASIS_STEP_HANDED_OVER] = "handed-over",
};

StasisStatus *
stasis_status_new (void)
{
  StasisStatus *status = g_new0 (StasisStatus, 1);
  status->journal.fdset = -1;
  status->sockets = stasis_bound_sockets_new ();
  status->unplugs = stasis_device_changes_new ();
  return status;
}

/* Not from a flat file. */
gboolean
stasis_status_is_on_image (const StasisStatus *status)
{
  return status->memory_image != NULL && status->memory_flat_of == NULL;
}

/* In the words of `domstate --reason`. */
const char *
stasis_status_undecided_reason (const StasisStatus *status)
{
  if (status->undecided_migration != NULL && status->undecided_migration->is_postcopy)
    return NULL; /* QEMU's own state tells more */
  if (status->undecided_migration != NULL)
    return g_intern_string (_ ("migration undecided"));
  return status->is_undecided ? g_intern_string (_ ("save undecided")) : NULL;
}

/* TRUE where the journal tells of a job. */
gboolean
stasis_journal_has_job (const StasisJournal *journal)
{
  return journal->step != STASIS_STEP_NONE && journal->step != STASIS_STEP_RESTART
         && journal->step != STASIS_STEP_DEVICE;
}

/* TRUE where the journal tells of a migration. */
gboolean
stasis_journal_is_migration (const StasisJournal *journal)
{
  return journal->step >= STASIS_STEP_MIGRATE_SENDING && journal->step <= STASIS_STEP_MIGRATE_BEGUN;
}

/* No job any more. */
void
stasis_journal_clear (StasisJournal *journal)
{
  g_free (journal->operation);
  g_free (journal->id);
  g_free (journal->target);
  g_free (journal->temp);
  g_free (journal->mark);
  g_clear_pointer (&journal->overlays, g_ptr_array_unref);
  stasis_json_unref (journal->parameters);
  stasis_device_change_free (journal->change);
  stasis_migrate_journal_free (journal->migration);
  *journal = (StasisJournal){ .fdset = -1 };
}

/* A new journal entry in memory, owned by this process. */
void
stasis_journal_begin (StasisJournal *journal, StasisStep step, const char *operation)
{
  stasis_journal_clear (journal);
  journal->step = step;
  journal->operation = g_strdup (operation);
  stasis_process_lookup (getpid (), &journal->owner);
}

/* Which boot this is: a pid and its start time name a process until the next one only. */
static char *
boot_id (void)
{
  char *text = NULL;
  if (!g_file_get_contents ("/proc/sys/kernel/random/boot_id", &text, NULL, NULL))
    return g_strdup ("unknown");
  return g_strstrip (text);
}

/* NULL is fine. */
void
stasis_status_free (StasisStatus *status)
{
  if (status == NULL)
    return;

  stasis_journal_clear (&status->journal);
  g_free (status->name);
  g_free (status->uuid);
  g_free (status->emulator);
  g_free (status->reason);
  g_free (status->log);
  g_free (status->last);
  g_free (status->last_job);
  g_free (status->lock);
  g_free (status->definition);
  g_free (status->on_poweroff);
  g_free (status->on_reboot);
  g_free (status->on_crash);
  g_ptr_array_unref (status->sockets);
  g_ptr_array_unref (status->unplugs);
  stasis_migrate_journal_free (status->undecided_migration);
  stasis_migrate_journal_free (status->postcopy);
  g_free (status->frozen);
  g_free (status->memory_image);
  g_free (status->memory_flat_of);
  g_free (status->memory_stamp);
  g_free (status->clone_of);
  g_free (status->clone_image);
  g_free (status->overlays);
  g_free (status->hooks);
  stasis_tracked_free (status->tracked);
  g_free (status);
}

static void
set_optional (StasisJson *object, const char *key, const char *value)
{
  if (value != NULL)
    stasis_json_set_string (object, key, value);
}

static StasisJson *
process_to_json (const StasisProcess *process)
{
  StasisJson *json = stasis_json_new_object ();
  stasis_json_set_int (json, "pid", process->pid);
  stasis_json_set_uint (json, "start-time", process->start_time);
  return json;
}

static StasisJson *
journal_to_json (const StasisJournal *journal)
{
  StasisJson *json = stasis_json_new_object ();
  stasis_json_set_string (json, "step", step_names[journal->step]);
  stasis_json_set_string (json, "operation", journal->operation);
  if (journal->id != NULL)
    stasis_json_set_string (json, "id", journal->id);
  stasis_json_set (json, "owner", process_to_json (&journal->owner));
  stasis_json_set_boolean (json, "was-running", journal->was_running);
  if (journal->are_disks_fine)
    stasis_json_set_boolean (json, "disks-fine", TRUE);
  if (journal->is_released)
    stasis_json_set_boolean (json, "released", TRUE);
  if (journal->is_turning)
    stasis_json_set_boolean (json, "turning", TRUE);
  stasis_json_set_path (json, "target", journal->target);
  stasis_json_set_path (json, "temp", journal->temp);
  stasis_json_set_path (json, "mark", journal->mark);
  stasis_json_set_uint (json, "device", journal->image.device);
  stasis_json_set_uint (json, "inode", journal->image.inode);
  stasis_json_set_uint (json, "replaced-device", journal->replaced.device);
  stasis_json_set_uint (json, "replaced-inode", journal->replaced.inode);
  stasis_json_set_int (json, "fdset", journal->fdset);
  if (journal->overlays != NULL)
    stasis_json_set (json, "overlays", stasis_journal_overlays_to_json (journal->overlays));
  if (journal->parameters != NULL)
    stasis_json_set (json, "migrate-parameters", stasis_json_ref (journal->parameters));
  if (journal->change != NULL)
    stasis_json_set (json, "change", stasis_device_change_to_json (journal->change));
  if (journal->migration != NULL)
    stasis_json_set (json, "migration", stasis_migrate_journal_to_json (journal->migration));
  if (journal->beside.pid != 0)
    stasis_json_set (json, "beside", process_to_json (&journal->beside));
  return json;
}

static StasisJson *
sockets_to_json (const GPtrArray *sockets)
{
  StasisJson *array = stasis_json_new_array ();
  for (guint i = 0; i < sockets->len; i++)
    {
      const StasisBoundSocket *bound = g_ptr_array_index (sockets, i);
      StasisJson *json = stasis_json_new_object ();
      stasis_json_set_path (json, "path", bound->path);
      stasis_json_set_uint (json, "device", bound->device);
      stasis_json_set_uint (json, "inode", bound->inode);
      stasis_json_array_append (array, json);
    }
  return array;
}

static const char *const memory_checks[] = { "before", "background", "none" };

static StasisMemoryCheck
memory_check_from_json (const StasisJson *image)
{
  const char *word = stasis_json_string (stasis_json_get (image, "verified"), "");
  for (guint i = 0; i < G_N_ELEMENTS (memory_checks); i++)
    if (g_str_equal (word, memory_checks[i]))
      return (StasisMemoryCheck) i;
  return STASIS_MEMORY_CHECK_BEFORE;
}

static StasisJson *
memory_image_to_json (const StasisStatus *status)
{
  StasisJson *json = stasis_json_new_object ();
  stasis_json_set_path (json, "path", status->memory_image);
  stasis_json_set_path (json, "flat-of", status->memory_flat_of);
  stasis_json_set_uint (json, "device", status->memory_image_id.device);
  stasis_json_set_uint (json, "inode", status->memory_image_id.inode);
  stasis_json_set_string (json, "verified", memory_checks[status->memory_check]);
  stasis_json_set_path (json, "stamp", status->memory_stamp);
  stasis_json_set_int (json, "since", status->memory_since_us);
  if (status->is_damage_accepted)
    stasis_json_set_boolean (json, "accepted", TRUE);
  return json;
}

static StasisJson *
clone_to_json (const StasisStatus *status)
{
  StasisJson *json = stasis_json_new_object ();
  stasis_json_set_string (json, "of", status->clone_of);
  stasis_json_set_path (json, "image", status->clone_image);
  return json;
}

static StasisJson *
tracked_to_json (const StasisTracked *tracked)
{
  StasisJson *json = stasis_json_new_object ();
  StasisJson *blocks = stasis_json_new_array ();
  stasis_json_set_string (json, "state", stasis_track_state_to_string (tracked->state));
  stasis_json_set_path (json, "file", tracked->file);
  stasis_json_set_string (json, "image", tracked->image);
  stasis_json_set_string (json, "hashes", tracked->hashes);
  for (guint i = 0; i < tracked->blocks->len; i++)
    {
      const StasisRamBlock *block = g_ptr_array_index (tracked->blocks, i);
      StasisJson *object = stasis_json_new_object ();
      stasis_json_set_string (object, "name", block->name);
      stasis_json_set_uint (object, "address", block->host_address);
      stasis_json_set_uint (object, "length", block->used_length);
      stasis_json_array_append (blocks, object);
    }
  stasis_json_set (json, "blocks", blocks);
  return json;
}

/* Atomic: a reader sees the old or the new one. */
gboolean
stasis_status_write (const StasisStatus *status, const char *folder, GError **error)
{
  g_autoptr (StasisJson) json = stasis_json_new_object ();
  g_autofree char *boot = boot_id ();
  stasis_json_set_int (json, "format", STATUS_FORMAT);
  stasis_json_set_string (json, "boot", boot);
  stasis_json_set_string (json, "name", status->name);
  stasis_json_set_string (json, "uuid", status->uuid);
  stasis_json_set_int (json, "id", status->id);
  stasis_json_set_boolean (json, "transient", status->is_transient);
  stasis_json_set (json, "qemu", process_to_json (&status->qemu));
  stasis_json_set_path (json, "emulator", status->emulator);
  set_optional (json, "reason", status->reason);
  stasis_json_set_path (json, "log", status->log);
  stasis_json_set_uint (json, "log-start", status->log_start);
  stasis_json_set_path (json, "last", status->last);
  stasis_json_set_path (json, "last-job", status->last_job);
  stasis_json_set_path (json, "lock", status->lock);
  stasis_json_set_path (json, "definition", status->definition);
  set_optional (json, "on-poweroff", status->on_poweroff);
  set_optional (json, "on-reboot", status->on_reboot);
  set_optional (json, "on-crash", status->on_crash);
  stasis_json_set_int (json, "started", status->started_us);
  stasis_json_set_uint (json, "uid", status->uid);
  if (status->is_undecided)
    stasis_json_set_boolean (json, "undecided", TRUE);
  if (status->is_fd_left)
    stasis_json_set_boolean (json, "left-fd", TRUE);
  if (status->undecided_migration != NULL)
    stasis_json_set (json, "undecided-migration",
                     stasis_migrate_journal_to_json (status->undecided_migration));
  if (status->postcopy != NULL)
    stasis_json_set (json, "postcopy", stasis_migrate_journal_to_json (status->postcopy));
  stasis_json_set_path (json, "frozen", status->frozen);
  if (status->sockets->len > 0)
    stasis_json_set (json, "sockets", sockets_to_json (status->sockets));
  if (status->memory_image != NULL)
    stasis_json_set (json, "memory-image", memory_image_to_json (status));
  if (status->clone_of != NULL)
    stasis_json_set (json, "clone", clone_to_json (status));
  stasis_json_set_path (json, "overlays", status->overlays);
  if (status->hooks != NULL)
    {
      stasis_json_set_path (json, "hooks", status->hooks);
      stasis_json_set_uint (json, "hook-timeout", status->hook_timeout);
    }
  if (status->tracked != NULL)
    stasis_json_set (json, "tracked", tracked_to_json (status->tracked));
  if (status->unplugs->len > 0)
    stasis_json_set (json, "unplugs", stasis_device_changes_to_json (status->unplugs));
  if (status->journal.step != STASIS_STEP_NONE)
    stasis_json_set (json, "job", journal_to_json (&status->journal));

  g_autofree char *text = stasis_json_to_pretty_string (json);
  g_autofree char *path = g_build_filename (folder, STATUS_FILE, NULL);
  return stasis_atomic_file_write (path, text, strlen (text), 0600, error);
}

static char *
dup_optional (const StasisJson *object, const char *key)
{
  return g_strdup (stasis_json_string (stasis_json_get (object, key), NULL));
}

/* A number of the file in a smaller type: cut off, it would be another process or user. */
static gboolean
number_from_json (const StasisJson *object, const char *key, gint64 max, gint64 *out_value,
                  GError **error)
{
  const gint64 value = stasis_json_int (stasis_json_get (object, key), 0);
  if (value >= 0 && value <= max)
    {
      *out_value = value;
      return TRUE;
    }
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_FAILED, _ ("'%1$s' is out of range: %2$" PRId64),
               key, value);
  return FALSE;
}

static gboolean
process_from_json (const StasisJson *json, StasisProcess *out_process, GError **error)
{
  gint64 pid = 0;
  if (!number_from_json (json, "pid", G_MAXINT, &pid, error))
    return FALSE;
  out_process->pid = (pid_t) pid;
  out_process->start_time = stasis_json_uint (stasis_json_get (json, "start-time"), 0);
  return TRUE;
}

static gboolean
journal_from_json (const StasisJson *json, StasisJournal *journal, GError **error)
{
  const char *step = NULL;
  if (!stasis_json_need_string (json, "step", &step, error))
    return FALSE;

  for (gsize i = 0; i < G_N_ELEMENTS (step_names); i++)
    if (g_str_equal (step, step_names[i]))
      journal->step = (StasisStep) i;
  if (journal->step == STASIS_STEP_NONE)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_FAILED, _ ("unknown step '%s' of a job"),
                   step);
      return FALSE;
    }
  const char *operation = stasis_json_string (stasis_json_get (json, "operation"), "job");
  journal->operation = g_strdup (operation);
  const char *id = stasis_json_string (stasis_json_get (json, "id"), NULL);
  if (id != NULL && stasis_job_id_is_valid (id))
    journal->id = g_strdup (id);
  if (!process_from_json (stasis_json_get (json, "owner"), &journal->owner, error))
    return FALSE;
  const StasisJson *beside = stasis_json_get (json, "beside");
  if (beside != NULL && !process_from_json (beside, &journal->beside, error))
    return FALSE;
  journal->was_running = stasis_json_boolean (stasis_json_get (json, "was-running"), FALSE);
  journal->are_disks_fine = stasis_json_boolean (stasis_json_get (json, "disks-fine"), FALSE);
  journal->is_released = stasis_json_boolean (stasis_json_get (json, "released"), FALSE);
  journal->is_turning = stasis_json_boolean (stasis_json_get (json, "turning"), FALSE);
  journal->target = stasis_json_dup_path (json, "target");
  journal->temp = stasis_json_dup_path (json, "temp");
  journal->mark = stasis_json_dup_path (json, "mark");
  journal->image.device = stasis_json_uint (stasis_json_get (json, "device"), 0);
  journal->image.inode = stasis_json_uint (stasis_json_get (json, "inode"), 0);
  journal->replaced.device = stasis_json_uint (stasis_json_get (json, "replaced-device"), 0);
  journal->replaced.inode = stasis_json_uint (stasis_json_get (json, "replaced-inode"), 0);
  journal->fdset = stasis_json_int (stasis_json_get (json, "fdset"), -1);
  journal->overlays = stasis_journal_overlays_from_json (stasis_json_get (json, "overlays"));
  const StasisJson *parameters = stasis_json_get (json, "migrate-parameters");
  if (parameters != NULL)
    journal->parameters = stasis_migration_pick_parameters (parameters);
  journal->change = stasis_device_change_from_json (stasis_json_get (json, "change"));
  journal->migration = stasis_migrate_journal_from_json (stasis_json_get (json, "migration"));
  if (!stasis_journal_is_migration (journal) || journal->migration != NULL)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_FAILED, _ ("step '%s' without its migration"),
               step);
  return FALSE;
}

/* A socket that makes no sense is one that stays behind. */
static void
sockets_from_json (const StasisJson *array, GPtrArray *sockets)
{
  for (guint i = 0; i < stasis_json_array_length (array); i++)
    {
      const StasisJson *json = stasis_json_array_get (array, i);
      char *path = stasis_json_dup_path (json, "path");
      if (path != NULL)
        stasis_bound_sockets_add (sockets, path,
                                  stasis_json_uint (stasis_json_get (json, "device"), 0),
                                  stasis_json_uint (stasis_json_get (json, "inode"), 0));
    }
}

/* What makes no sense is not relied on. */
static StasisTracked *
tracked_from_json (const StasisJson *json)
{
  g_autofree char *file = stasis_json_dup_path (json, "file");
  const char *image = stasis_json_string (stasis_json_get (json, "image"), NULL);
  const char *hashes = stasis_json_string (stasis_json_get (json, "hashes"), NULL);
  const StasisJson *blocks = stasis_json_get (json, "blocks");
  if (file == NULL || image == NULL || hashes == NULL)
    return NULL;
  StasisTracked *tracked = stasis_tracked_new (file, image, hashes);
  tracked->state
      = stasis_track_state_from_string (stasis_json_string (stasis_json_get (json, "state"), ""));
  for (guint i = 0; i < stasis_json_array_length (blocks); i++)
    {
      const StasisJson *object = stasis_json_array_get (blocks, i);
      const char *name = stasis_json_string (stasis_json_get (object, "name"), "");
      const StasisRamBlock block
          = { .name = (char *) name,
              .host_address = stasis_json_uint (stasis_json_get (object, "address"), 0),
              .used_length = stasis_json_uint (stasis_json_get (object, "length"), 0) };
      stasis_tracked_add_block (tracked, &block);
    }
  return tracked;
}

/* What a status cannot do without, and what a wrong number would do harm in. */
static gboolean
needed_from_json (const StasisJson *json, StasisStatus *status, GError **error)
{
  gint64 format = 0;
  gint64 id = 0;
  gint64 uid = 0;
  const char *name = NULL;
  const char *uuid = NULL;
  if (!stasis_json_need_int (json, "format", &format, error))
    return FALSE;
  if (format != STATUS_FORMAT)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                   _ ("format %" PRId64 " of another version"), format);
      return FALSE;
    }
  if (!stasis_json_need_string (json, "name", &name, error)
      || !stasis_json_need_string (json, "uuid", &uuid, error)
      || !stasis_json_need_int (json, "id", &id, error)
      || !number_from_json (json, "id", G_MAXINT, &id, error)
      || !number_from_json (json, "uid", G_MAXUINT32, &uid, error)
      || !process_from_json (stasis_json_get (json, "qemu"), &status->qemu, error))
    return FALSE;

  status->name = g_strdup (name);
  status->uuid = g_strdup (uuid);
  status->id = (int) id;
  status->uid = (guint32) uid;
  return TRUE;
}

static StasisStatus *
status_from_json (const StasisJson *json, GError **error)
{
  g_autoptr (StasisStatus) status = stasis_status_new ();
  if (!needed_from_json (json, status, error))
    return NULL;

  status->is_transient = stasis_json_boolean (stasis_json_get (json, "transient"), FALSE);
  status->emulator = stasis_json_dup_path (json, "emulator");
  status->reason = dup_optional (json, "reason");
  status->log = stasis_json_dup_path (json, "log");
  status->log_start = stasis_json_uint (stasis_json_get (json, "log-start"), 0);
  status->last = stasis_json_dup_path (json, "last");
  status->last_job = stasis_json_dup_path (json, "last-job");
  status->lock = stasis_json_dup_path (json, "lock");
  status->definition = stasis_json_dup_path (json, "definition");
  status->on_poweroff = dup_optional (json, "on-poweroff");
  status->on_reboot = dup_optional (json, "on-reboot");
  status->on_crash = dup_optional (json, "on-crash");
  status->started_us = stasis_json_int (stasis_json_get (json, "started"), 0);
  status->is_undecided = stasis_json_boolean (stasis_json_get (json, "undecided"), FALSE);
  status->is_fd_left = stasis_json_boolean (stasis_json_get (json, "left-fd"), FALSE);
  if (!stasis_migrate_journal_read (json, "undecided-migration", &status->undecided_migration,
                                    error)
      || !stasis_migrate_journal_read (json, "postcopy", &status->postcopy, error))
    return NULL;
  status->frozen = stasis_json_dup_path (json, "frozen");
  sockets_from_json (stasis_json_get (json, "sockets"), status->sockets);
  const StasisJson *image = stasis_json_get (json, "memory-image");
  status->memory_image = stasis_json_dup_path (image, "path");
  status->memory_flat_of = stasis_json_dup_path (image, "flat-of");
  status->memory_image_id.device = stasis_json_uint (stasis_json_get (image, "device"), 0);
  status->memory_image_id.inode = stasis_json_uint (stasis_json_get (image, "inode"), 0);
  status->memory_check = memory_check_from_json (image);
  status->memory_stamp = stasis_json_dup_path (image, "stamp");
  status->is_damage_accepted = stasis_json_boolean (stasis_json_get (image, "accepted"), FALSE);
  status->memory_since_us = stasis_json_int (stasis_json_get (image, "since"), 0);
  const StasisJson *clone = stasis_json_get (json, "clone");
  status->clone_of = dup_optional (clone, "of");
  status->clone_image = stasis_json_dup_path (clone, "image");
  status->overlays = stasis_json_dup_path (json, "overlays");
  status->hooks = stasis_json_dup_path (json, "hooks");
  status->hook_timeout = (guint32) stasis_json_uint (stasis_json_get (json, "hook-timeout"), 0);
  status->tracked = tracked_from_json (stasis_json_get (json, "tracked"));
  g_ptr_array_unref (status->unplugs);
  status->unplugs = stasis_device_changes_from_json (stasis_json_get (json, "unplugs"));
  const StasisJson *job = stasis_json_get (json, "job");
  if (job != NULL && !journal_from_json (job, &status->journal, error))
    return NULL;

  /* From before a reboot: whoever has these pids now, they are not who is meant. */
  g_autofree char *boot = boot_id ();
  if (!g_str_equal (stasis_json_string (stasis_json_get (json, "boot"), boot), boot))
    {
      status->qemu = (StasisProcess){ 0 };
      status->journal.owner = (StasisProcess){ 0 };
    }
  return g_steal_pointer (&status);
}

/* Read the status file in @folder. */
StasisStatus *
stasis_status_read (const char *folder, GError **error)
{
  g_autofree char *path = g_build_filename (folder, STATUS_FILE, NULL);
  g_autofree char *text = NULL;
  gsize size = 0;
  g_autoptr (GError) local = NULL;
  if (!g_file_get_contents (path, &text, &size, &local))
    {
      const gboolean missing = g_error_matches (local, G_FILE_ERROR, G_FILE_ERROR_NOENT)
                               || g_error_matches (local, G_FILE_ERROR, G_FILE_ERROR_NOTDIR);
      g_set_error_literal (error, G_IO_ERROR, missing ? G_IO_ERROR_NOT_FOUND : G_IO_ERROR_FAILED,
                           local->message);
      return NULL;
    }
  if (size > STATUS_SIZE_MAX)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_FAILED, _ ("'%s' is too large"), path);
      return NULL;
    }

  g_autoptr (StasisJson) json = stasis_json_parse (text, (gssize) size, error);
  StasisStatus *status = json != NULL ? status_from_json (json, error) : NULL;
  if (status == NULL)
    g_prefix_error (error, _ ("status file '%s': "), path);
  return status;
}
