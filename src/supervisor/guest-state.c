/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest-state.c: what state a guest is in, and why, in libvirt's words
 */

#include "config.h"

#include "supervisor/guest-state.h"

#include <string.h>

#include "driver/guest-reset.h"
#include "util/atomic-file.h"
#include "util/json.h"

#define STOPPED_BY_USER       "user"
#define STOPPED_BY_MEMORY     "memory"
#define STOPPED_BY_DISK       "io-error"
#define STOPPED_BY_WATCHDOG   "watchdog"
#define STOPPED_BY_CHECKPOINT "checkpoint" /* the job of that name, which lets it go on */

/* A guest that is about to run for @reason. */
void
stasis_guest_state_init (StasisGuestState *self, const char *reason)
{
  *self = (StasisGuestState){
    .run_state = STASIS_RUN_STATE_UNKNOWN,
    .running_reason = g_intern_string (reason != NULL ? reason : "booted"),
  };
}

/* It has ended, and begins anew. */
void
stasis_guest_state_boot (StasisGuestState *self)
{
  self->run_state = STASIS_RUN_STATE_PRELAUNCH;
  self->running_reason = g_intern_static_string ("booted");
  self->stopped_by = NULL;
  self->is_reboot_pending = FALSE;
}

/* In postcopy. */
void
stasis_guest_state_migrates (StasisGuestState *self, StasisMigrationStatus status)
{
  switch (status)
    {
    case STASIS_MIGRATION_UNKNOWN:
    case STASIS_MIGRATION_POSTCOPY_RECOVER_SETUP:
    case STASIS_MIGRATION_POSTCOPY_RECOVER:
      break; /* as it was */
    case STASIS_MIGRATION_POSTCOPY_ACTIVE:
      self->postcopy = g_intern_static_string ("post-copy");
      break;
    case STASIS_MIGRATION_POSTCOPY_PAUSED:
      self->postcopy = g_intern_static_string ("post-copy failed");
      break;
    case STASIS_MIGRATION_FAILED:
      if (self->postcopy == NULL)
        break;
      self->postcopy = g_intern_static_string ("post-copy failed");
      self->is_given_up = TRUE;
      break;
    default:
      self->postcopy = NULL;
    }
}

/* virsh's word for a pause that belongs to a job. */
static const char *
job_reason (const char *job)
{
  if (g_str_equal (job, "save") || g_str_equal (job, "managedsave"))
    return "saving";
  if (g_str_equal (job, "start") || g_str_equal (job, "restore") || g_str_equal (job, "clone"))
    return "starting up";
  if (g_str_has_prefix (job, "migrat"))
    return "migrating";
  if (g_str_equal (job, STOPPED_BY_CHECKPOINT))
    return "creating snapshot";
  return g_str_equal (job, "dump") ? "dumping" : "user";
}

static gboolean
is_stopped_only (StasisRunState state)
{
  switch (state)
    {
    case STASIS_RUN_STATE_PAUSED:
    case STASIS_RUN_STATE_POSTMIGRATE:
    case STASIS_RUN_STATE_FINISH_MIGRATE:
    case STASIS_RUN_STATE_IO_ERROR:
    case STASIS_RUN_STATE_WATCHDOG:
      return TRUE;
    default:
      return FALSE;
    }
}

/* (nullable) Why it stopped by itself: QEMU's migration hides that. */
static const char *
trouble_reason (const StasisGuestState *self)
{
  if (g_strcmp0 (self->stopped_by, STOPPED_BY_DISK) == 0)
    return "I/O error";
  return g_strcmp0 (self->stopped_by, STOPPED_BY_WATCHDOG) == 0 ? "watchdog" : NULL;
}

/* Why it runs, now that it does. */
static const char *
resumed_reason (const StasisGuestState *self)
{
  if (self->run_state == STASIS_RUN_STATE_SUSPENDED)
    return "wakeup";
  if (self->stopped_by == NULL || g_str_equal (self->stopped_by, STOPPED_BY_CHECKPOINT))
    return self->running_reason;
  if (g_str_equal (self->stopped_by, STOPPED_BY_USER)
      || g_str_equal (self->stopped_by, STOPPED_BY_MEMORY) || trouble_reason (self) != NULL)
    return "unpaused";
  return g_str_equal (job_reason (self->stopped_by), "migrating") ? "migration canceled"
                                                                  : "save canceled";
}

/* It was stopped because its memory is damaged. */
void
stasis_guest_state_blame_memory (StasisGuestState *self)
{
  if (is_stopped_only (self->run_state))
    self->stopped_by = g_intern_static_string (STOPPED_BY_MEMORY);
}

/* It had stopped over a disk when QEMU came to the end of its migration. */
void
stasis_guest_state_blame_disk (StasisGuestState *self)
{
  self->stopped_by = g_intern_static_string (STOPPED_BY_DISK);
}

/* TRUE where nobody saw, or heard, why. */
gboolean
stasis_guest_state_may_hide (const StasisGuestState *self, StasisRunState now)
{
  return now == STASIS_RUN_STATE_POSTMIGRATE && trouble_reason (self) == NULL;
}

/* QEMU says that the run state is @now. */
gboolean
stasis_guest_state_change (StasisGuestState *self, StasisRunState now, const char *job)
{
  const StasisGuestState before = *self;
  if (now == STASIS_RUN_STATE_RUNNING && before.run_state != now)
    {
      if (self->is_given_up)
        self->postcopy = NULL; /* it was taken back */
      self->is_given_up = FALSE;
      self->running_reason = resumed_reason (&before);
      self->stopped_by = NULL;
      self->has_run = TRUE;
    }
  else if (now == STASIS_RUN_STATE_IO_ERROR)
    self->stopped_by = g_intern_static_string (STOPPED_BY_DISK);
  else if (now == STASIS_RUN_STATE_WATCHDOG)
    self->stopped_by = g_intern_static_string (STOPPED_BY_WATCHDOG);
  /* It ran meanwhile, unseen. */
  else if (now == STASIS_RUN_STATE_PAUSED && trouble_reason (&before) != NULL)
    self->stopped_by = g_intern_string (job != NULL ? job : STOPPED_BY_USER);
  /* Unknown: it was stopped while there was no supervisor. */
  else if (is_stopped_only (now) && before.has_run && before.stopped_by == NULL
           && (before.run_state == STASIS_RUN_STATE_RUNNING
               || before.run_state == STASIS_RUN_STATE_UNKNOWN))
    self->stopped_by = g_intern_string (job != NULL ? job : STOPPED_BY_USER);

  self->run_state = now;
  self->is_known = TRUE;
  return self->running_reason != before.running_reason || self->stopped_by != before.stopped_by
         || self->has_run != before.has_run;
}

/* State and reason for people. */
StasisDomainState
stasis_guest_state_describe (const StasisGuestState *self, const char *job, const char **out_reason)
{
  *out_reason = "unknown";
  switch (self->run_state)
    {
    case STASIS_RUN_STATE_RUNNING:
    case STASIS_RUN_STATE_COLO:
      *out_reason = self->postcopy != NULL ? self->postcopy : self->running_reason;
      return STASIS_DOMAIN_RUNNING;

    case STASIS_RUN_STATE_PAUSED:
    case STASIS_RUN_STATE_POSTMIGRATE:
    case STASIS_RUN_STATE_FINISH_MIGRATE:
    case STASIS_RUN_STATE_PRELAUNCH:
    case STASIS_RUN_STATE_INMIGRATE:
    case STASIS_RUN_STATE_SAVE_VM:
    case STASIS_RUN_STATE_RESTORE_VM:
      *out_reason = trouble_reason (self) != NULL                          ? trouble_reason (self)
                    : self->postcopy != NULL                               ? self->postcopy
                    : job != NULL                                          ? job_reason (job)
                    : g_strcmp0 (self->stopped_by, STOPPED_BY_MEMORY) == 0 ? "I/O error"
                                                                           : "user";
      return STASIS_DOMAIN_PAUSED;

    case STASIS_RUN_STATE_IO_ERROR:
      *out_reason = "I/O error";
      return STASIS_DOMAIN_PAUSED;
    case STASIS_RUN_STATE_WATCHDOG:
      *out_reason = "watchdog";
      return STASIS_DOMAIN_PAUSED;
    case STASIS_RUN_STATE_INTERNAL_ERROR:
    case STASIS_RUN_STATE_DEBUG:
      return STASIS_DOMAIN_PAUSED;

    case STASIS_RUN_STATE_SHUTDOWN:
      *out_reason = "user";
      return STASIS_DOMAIN_SHUTDOWN;
    case STASIS_RUN_STATE_GUEST_PANICKED:
      *out_reason = "panicked";
      return STASIS_DOMAIN_CRASHED;
    case STASIS_RUN_STATE_SUSPENDED:
      return STASIS_DOMAIN_PMSUSPENDED;
    case STASIS_RUN_STATE_UNKNOWN:
      break;
    }
  return STASIS_DOMAIN_NOSTATE;
}

/* Keep what QEMU cannot tell a later supervisor. */
gboolean
stasis_guest_state_store (const StasisGuestState *self, const char *folder, GError **error)
{
  g_autoptr (StasisJson) json = stasis_json_new_object ();
  stasis_json_set_string (json, STASIS_SUPERVISOR_RUNNING_REASON, self->running_reason);
  if (self->stopped_by != NULL)
    stasis_json_set_string (json, STASIS_SUPERVISOR_STOPPED_BY, self->stopped_by);
  stasis_json_set_boolean (json, STASIS_SUPERVISOR_HAS_RUN, self->has_run);
  stasis_json_set_boolean (json, STASIS_SUPERVISOR_REBOOT_PENDING, self->is_reboot_pending);
  g_autofree char *text = stasis_json_to_string (json);
  g_autofree char *path = g_build_filename (folder, STASIS_SUPERVISOR_FILE, NULL);
  return stasis_atomic_file_write (path, text, strlen (text), 0600, error);
}

/* Take over what an earlier supervisor knew, where there was one.  Without it we know less. */
void
stasis_guest_state_load (StasisGuestState *self, const char *folder)
{
  g_autofree char *path = g_build_filename (folder, STASIS_SUPERVISOR_FILE, NULL);
  g_autofree char *text = NULL;
  gsize size = 0;
  if (!g_file_get_contents (path, &text, &size, NULL))
    return;
  g_autoptr (StasisJson) json = stasis_json_parse (text, (gssize) size, NULL);
  if (json == NULL)
    return;

  const char *reason
      = stasis_json_string (stasis_json_get (json, STASIS_SUPERVISOR_RUNNING_REASON), NULL);
  if (reason != NULL)
    self->running_reason = g_intern_string (reason);
  const char *stopped_by
      = stasis_json_string (stasis_json_get (json, STASIS_SUPERVISOR_STOPPED_BY), NULL);
  self->stopped_by = stopped_by != NULL ? g_intern_string (stopped_by) : NULL;
  self->has_run = stasis_json_boolean (stasis_json_get (json, STASIS_SUPERVISOR_HAS_RUN), FALSE);
  self->is_reboot_pending
      = stasis_json_boolean (stasis_json_get (json, STASIS_SUPERVISOR_REBOOT_PENDING), FALSE);
}
