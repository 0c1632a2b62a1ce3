/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * life-events.c: what QEMU's events and its run state mean
 */

#include "config.h"

#include "supervisor/life-private.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "driver/still.h"

#define QUERY_TRIES 8u /* a guest that changes its state all the time is asked for it later */
#define LOOK_MIN_MS 100u
#define LOOK_MAX_MS 5000u /* for a QEMU that is stopped for long */

/* Without it a later supervisor knows less: nothing that could stop us. */
static void
store (StasisLife *life, const StasisGuestState *guest)
{
  g_autoptr (GError) error = NULL;
  if (!stasis_guest_state_store (guest, life->folder, &error))
    g_debug ("%s", error->message);
}

typedef struct
{
  StasisLifeChanged changed;
  gpointer data;
  StasisDomainState state;
  const char *reason;
} Change;

static gboolean
deliver (gpointer data)
{
  const Change *news = data;
  news->changed (news->state, news->reason, news->data);
  return G_SOURCE_REMOVE;
}

/* With the lock held: tell where there is anything new. */
void
stasis_life_tell (StasisLife *life)
{
  const char *reason = NULL;
  const StasisDomainState state = stasis_guest_state_describe (&life->guest, life->job, &reason);
  reason = g_intern_string (reason);
  if (life->changed == NULL || !life->guest.is_known
      || (state == life->told_state && reason == life->told_reason))
    return;
  life->told_state = state;
  life->told_reason = reason;
  Change *news = g_new (Change, 1);
  *news = (Change){ life->changed, life->changed_data, state, reason };
  g_idle_add_full (G_PRIORITY_DEFAULT, deliver, news, g_free);
}

/* Take a run state over, and keep on disk what a later supervisor cannot ask QEMU for. */
static void
change (StasisLife *life, StasisRunState state, gboolean have_disks_failed)
{
  g_mutex_lock (&life->lock);
  const gboolean is_changed = stasis_guest_state_change (&life->guest, state, life->job);
  if (have_disks_failed)
    stasis_guest_state_blame_disk (&life->guest);
  const StasisGuestState guest = life->guest;
  stasis_life_tell (life);
  g_mutex_unlock (&life->lock);

  if (is_changed || have_disks_failed)
    store (life, &guest);
}

static void
on_stop (StasisLife *life, const StasisMonitorEvent *event)
{
  change (life,
          life->stop_state != STASIS_RUN_STATE_UNKNOWN ? life->stop_state : STASIS_RUN_STATE_PAUSED,
          FALSE);
}

/* The guest is about to be stopped for that, so that it is never told to be paused for no reason.
 */
static void
on_trouble (StasisLife *life, const StasisMonitorEvent *event)
{
  const char *action = stasis_json_string (stasis_json_get (event->data, "action"), "");
  if (g_str_equal (event->name, "BLOCK_IO_ERROR") && g_str_equal (action, "stop"))
    life->stop_state = STASIS_RUN_STATE_IO_ERROR;
  else if (g_str_equal (event->name, "WATCHDOG") && g_str_equal (action, "pause"))
    life->stop_state = STASIS_RUN_STATE_WATCHDOG;
}

static void
on_resume (StasisLife *life, const StasisMonitorEvent *event)
{
  life->stop_state = STASIS_RUN_STATE_UNKNOWN;
  change (life, STASIS_RUN_STATE_RUNNING, FALSE);
}

/* It has begun anew, or ended once more: the end that was judged is over. */
static void
on_turn (StasisLife *life, const StasisMonitorEvent *event)
{
  life->is_restarting = FALSE;
}

static void
on_shutdown (StasisLife *life, const StasisMonitorEvent *event)
{
  const char *cause = stasis_json_string (stasis_json_get (event->data, "reason"), NULL);
  on_turn (life, event);
  life->shutdown_cause = cause != NULL ? g_intern_string (cause) : NULL;
  if (g_strcmp0 (cause, "host-signal") != 0 && g_strcmp0 (cause, "host-qmp-quit") != 0)
    return;
  g_mutex_lock (&life->lock);
  life->was_ended = TRUE;
  g_mutex_unlock (&life->lock);
}

static void
forget_reboot (StasisLife *life)
{
  g_mutex_lock (&life->lock);
  const gboolean was_pending = life->guest.is_reboot_pending;
  life->guest.is_reboot_pending = FALSE;
  const StasisGuestState guest = life->guest;
  g_mutex_unlock (&life->lock);
  if (was_pending)
    store (life, &guest);
}

/* A power button that we did not press is a wish to shut down, which overrides a reboot's. */
static void
on_powerdown (StasisLife *life, const StasisMonitorEvent *event)
{
  if (life->own_powerdowns > 0)
    life->own_powerdowns--;
  else
    forget_reboot (life);
}

/* Whoever did it: the guest boots anew, and the press on the button is lost with the reset. */
static void
on_reset (StasisLife *life, const StasisMonitorEvent *event)
{
  on_turn (life, event);
  forget_reboot (life);
  g_mutex_lock (&life->lock);
  const gboolean had_ended
      = life->shutdown_cause != NULL || stasis_run_state_is_end (life->guest.run_state);
  if (had_ended)
    stasis_guest_state_boot (&life->guest);
  const StasisGuestState guest = life->guest;
  g_mutex_unlock (&life->lock);
  life->shutdown_cause = NULL;
  if (had_ended)
    store (life, &guest);
}

/* Whose memory is on two hosts says so; the run state may be another one as well. */
static void
on_migration (StasisLife *life, const StasisMonitorEvent *event)
{
  const char *status = stasis_json_string (stasis_json_get (event->data, "status"), "");
  g_mutex_lock (&life->lock);
  stasis_guest_state_migrates (&life->guest, stasis_migration_status_from_string (status));
  stasis_life_tell (life);
  g_mutex_unlock (&life->lock);
}

static void
on_other (StasisLife *life, const StasisMonitorEvent *event)
{
}

/* Those after which the run state may be another. */
static const struct
{
  const char *name;
  void (*handle) (StasisLife *life, const StasisMonitorEvent *event);
} handlers[] = {
  { "STOP", on_stop },
  { "RESUME", on_resume },
  { "SHUTDOWN", on_shutdown },
  { "POWERDOWN", on_powerdown },
  { "RESET", on_reset },
  { "SUSPEND", on_other },
  { "SUSPEND_DISK", on_other },
  { "WAKEUP", on_other },
  { "BLOCK_IO_ERROR", on_trouble },
  { "GUEST_PANICKED", on_turn },
  { "WATCHDOG", on_trouble },
  { "MIGRATION", on_migration },
  { STASIS_MONITOR_EVENTS_LOST, on_other },
};

typedef struct
{
  StasisLifeHeard heard;
  gpointer data;
  StasisJson *event; /* (owned) */
} Heard;

static void
heard_free (gpointer data)
{
  Heard *heard = data;
  stasis_json_unref (heard->event);
  g_free (heard);
}

static gboolean
deliver_heard (gpointer data)
{
  const Heard *heard = data;
  heard->heard (heard->event, heard->data);
  return G_SOURCE_REMOVE;
}

static void
pass_on (StasisLife *life, const StasisMonitorEvent *event)
{
  g_mutex_lock (&life->lock);
  const Heard to = { life->heard, life->heard_data, NULL };
  g_mutex_unlock (&life->lock);
  if (to.heard == NULL || g_str_equal (event->name, STASIS_MONITOR_EVENTS_LOST))
    return;
  Heard *heard = g_memdup2 (&to, sizeof to);
  heard->event = stasis_json_new_object ();
  stasis_json_set_string (heard->event, "qemu", event->name);
  stasis_json_set_int (heard->event, "at", event->timestamp_us);
  if (event->data != NULL)
    stasis_json_set (heard->event, "data", stasis_json_ref (event->data));
  g_idle_add_full (G_PRIORITY_DEFAULT, deliver_heard, heard, heard_free);
}

/* Take one event. */
gboolean
stasis_life_take_event (StasisLife *life, const StasisMonitorEvent *event)
{
  pass_on (life, event);
  for (gsize i = 0; i < G_N_ELEMENTS (handlers); i++)
    if (g_str_equal (event->name, handlers[i].name))
      {
        handlers[i].handle (life, event);
        return TRUE;
      }
  return FALSE;
}

/* Take all queued events. */
gboolean
stasis_life_drain (StasisLife *life)
{
  gboolean is_stale = FALSE;
  for (;;)
    {
      g_autoptr (StasisMonitorEvent) event = stasis_monitor_pop_event (life->monitor);
      if (event == NULL)
        return is_stale;
      if (stasis_life_take_event (life, event))
        is_stale = TRUE;
    }
}

static gboolean
query (StasisLife *life, StasisRunState *out_state, GError **error)
{
  g_autoptr (StasisJson) reply = NULL;
  const char *name = NULL;
  if (!stasis_monitor_command (life->monitor, "query-status", NULL, NULL, 0, STASIS_LIFE_QUERY_MS,
                               &reply, NULL, error)
      || !stasis_json_need_string (reply, "status", &name, error))
    {
      g_prefix_error (error, _ ("cannot ask QEMU for its run state: "));
      return FALSE;
    }
  *out_state = stasis_run_state_from_string (name);
  return TRUE;
}

/* Events and the answer come by different ways: whether an event that is there now happened before
 * QEMU answered or after it, nobody can tell.  So ask until none came in between.  What a QEMU said
 * that does not answer any more is taken too: it may be why. */
static gboolean
query_settled (StasisLife *life, StasisRunState *out_state, gboolean *out_is_settled,
               GError **error)
{
  *out_is_settled = FALSE;
  for (guint i = 0; i < QUERY_TRIES; i++)
    {
      if (!query (life, out_state, error))
        {
          stasis_life_drain (life);
          return FALSE;
        }
      if (!stasis_life_drain (life))
        {
          *out_is_settled = TRUE;
          break;
        }
    }
  return TRUE;
}

/* What was seen last is certain, or is to be looked at again. */
static void
set_next_look (StasisLife *life, gboolean is_settled)
{
  life->look_wait_ms = is_settled ? 0 : CLAMP (life->look_wait_ms * 2, LOOK_MIN_MS, LOOK_MAX_MS);
  life->look_at_us = is_settled ? 0 : g_get_monotonic_time () + (gint64) life->look_wait_ms * 1000;
}

static gboolean
tell_restart (gpointer data)
{
  const StasisLife *life = data;
  life->restart (life->restart_data);
  return G_SOURCE_REMOVE;
}

/* QEMU that has come to the end of its migration says no more that the guest had stopped over a
 * disk before.  Its disks do, until somebody lets it run; who was there at the time knows. */
static gboolean
have_disks_failed (StasisLife *life, StasisRunState state)
{
  g_mutex_lock (&life->lock);
  const gboolean may_hide = stasis_guest_state_may_hide (&life->guest, state);
  g_mutex_unlock (&life->lock);
  gboolean have_failed = FALSE;
  g_autoptr (GError) error = NULL;
  if (may_hide && !stasis_still_query_disks (life->monitor, &have_failed, &error))
    g_debug ("%s", error->message);
  return have_failed;
}

/* Ask for the run state, and apply the policy where the guest has ended. */
gboolean
stasis_life_look (StasisLife *life, GError **error)
{
  StasisRunState state = STASIS_RUN_STATE_UNKNOWN;
  gboolean is_settled = FALSE;
  const gboolean ok = query_settled (life, &state, &is_settled, error);
  set_next_look (life, is_settled);
  if (!ok)
    return FALSE;
  change (life, state, have_disks_failed (life, state));
  const gboolean was_due = life->is_restart_due;
  life->is_restart_due = stasis_life_apply_policy (life, state);
  /* Once: whoever is told goes on until it is done. */
  if (life->is_restart_due && !was_due)
    g_idle_add (tell_restart, life);
  return TRUE;
}
