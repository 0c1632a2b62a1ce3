/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * life-policy.c: what happens when the guest has ended
 *
 * QEMU runs with -no-shutdown, so a guest that shuts down or panics leaves QEMU standing until
 * its definition's on_poweroff, on_reboot or on_crash has been applied here.
 */

#include "config.h"

#include "supervisor/life-private.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "driver/teardown.h"
#include "monitor/commands-run.h"

#define END_GRACE_US   (30 * G_USEC_PER_SEC) /* it may have disks to flush */
#define RESTART_TRIES  100
#define RESTART_NAP_MS 20

/* libvirt's word for an action; a core dump is not taken, what follows it is done. */
StasisPolicy
stasis_policy_parse (const char *text, StasisPolicy fallback)
{
  static const struct
  {
    const char *text;
    StasisPolicy policy;
  } words[] = {
    { "destroy", STASIS_POLICY_DESTROY },          { "restart", STASIS_POLICY_RESTART },
    { "preserve", STASIS_POLICY_PRESERVE },        { "rename-restart", STASIS_POLICY_RESTART },
    { "coredump-destroy", STASIS_POLICY_DESTROY }, { "coredump-restart", STASIS_POLICY_RESTART },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (words); i++)
    if (g_strcmp0 (text, words[i].text) == 0)
      return words[i].policy;
  return fallback;
}

/* Somebody who ended QEMU for another reason has said so already. */
static void
end_qemu (StasisLife *life, const char *reason)
{
  g_autofree char *noted = stasis_end_reason_read (life->folder);
  g_autoptr (GError) error = NULL;
  if (noted == NULL && !stasis_end_reason_write (life->folder, reason, &error))
    g_message ("%s", error->message);
  if (life->kill_at_us > 0)
    return;
  life->kill_at_us = g_get_monotonic_time () + END_GRACE_US;
  syscall (SYS_pidfd_send_signal, life->qemu_pidfd, SIGTERM, NULL, 0);
}

/* With -action reboot=shutdown a reset from outside would be a shutdown as well. */
static gboolean
set_reboot_action (StasisLife *life, const char *action, GError **error)
{
  if (life->on_reboot == STASIS_POLICY_RESTART)
    return TRUE;
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_string (arguments, "reboot", action);
  return stasis_monitor_command (life->monitor, "set-action", arguments, NULL, 0,
                                 STASIS_LIFE_QUERY_MS, NULL, NULL, error);
}

/* The reset is carried out after its answer: until then `cont` is refused. */
static gboolean
cont (StasisLife *life, GError **error)
{
  for (guint i = 0;; i++)
    {
      g_autoptr (GError) local = NULL;
      if (stasis_monitor_cont (life->monitor, NULL, &local))
        return TRUE;
      g_autoptr (StasisMonitorEvent) event = NULL;
      if (i == RESTART_TRIES
          || !g_error_matches (local, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND)
          || !stasis_monitor_wait_event (life->monitor, RESTART_NAP_MS, &event, NULL, NULL))
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
      if (event != NULL)
        stasis_life_take_event (life, event);
    }
}

static void
restart (StasisLife *life)
{
  g_autoptr (GError) error = NULL;
  life->shutdown_cause = NULL;
  g_mutex_lock (&life->lock);
  life->guest.is_reboot_pending = FALSE;
  life->guest.running_reason = g_intern_static_string ("booted");
  life->guest.stopped_by = NULL;
  life->guest.run_state = STASIS_RUN_STATE_PRELAUNCH;
  const StasisGuestState guest = life->guest;
  g_mutex_unlock (&life->lock);
  if (!stasis_guest_state_store (&guest, life->folder, &error))
    {
      g_message ("%s", error->message);
      g_clear_error (&error);
    }

  if (!set_reboot_action (life, "reset", &error)
      || !stasis_monitor_system_reset (life->monitor, NULL, &error) || !cont (life, &error)
      || !set_reboot_action (life, "shutdown", &error))
    g_message ("the guest could not be restarted: %s", error->message);
}

static gboolean
apply (StasisLife *life, StasisPolicy policy, const char *reason)
{
  switch (policy)
    {
    case STASIS_POLICY_DESTROY:
      end_qemu (life, reason);
      return FALSE;
    case STASIS_POLICY_RESTART:
      restart (life);
      return TRUE;
    case STASIS_POLICY_PRESERVE:
      break;
    }
  return FALSE;
}

static gboolean
apply_shutdown (StasisLife *life)
{
  const char *cause = life->shutdown_cause != NULL ? life->shutdown_cause : "guest-shutdown";
  g_mutex_lock (&life->lock);
  const gboolean is_reboot = life->guest.is_reboot_pending;
  g_mutex_unlock (&life->lock);

  if (is_reboot || g_str_equal (cause, "host-qmp-system-reset"))
    return apply (life, STASIS_POLICY_RESTART, NULL);
  if (g_str_equal (cause, "guest-reset"))
    return apply (life, life->on_reboot, "shutdown");
  /* A signal or `quit`: QEMU is on its way out. */
  if (g_str_has_prefix (cause, "host-"))
    return FALSE;
  return apply (life, life->on_poweroff, "shutdown");
}

/* Do what the definition says where the guest has ended. */
gboolean
stasis_life_apply_policy (StasisLife *life, StasisRunState state)
{
  if (state == STASIS_RUN_STATE_SHUTDOWN)
    return apply_shutdown (life);
  if (state == STASIS_RUN_STATE_GUEST_PANICKED)
    return apply (life, life->on_crash, "crashed");
  return FALSE;
}
