/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * life-policy.c: what happens when the guest has ended
 *
 * QEMU runs with -no-shutdown, so a guest that shuts down or panics leaves QEMU standing until
 * its definition's on_poweroff, on_reboot or on_crash has been applied here.  Ending QEMU needs
 * nobody's leave.  A guest that is to begin anew is another matter: somebody may be about to save
 * it, so that is done under the domain's lock (errand.c), and here it is only said that it is due.
 */

#include "config.h"

#include "supervisor/life-private.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "driver/teardown.h"
#include "monitor/commands-run.h"

#define END_GRACE_US (30 * G_USEC_PER_SEC) /* it may have disks to flush */

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

static gboolean
apply (StasisLife *life, StasisPolicy policy, const char *reason)
{
  switch (policy)
    {
    case STASIS_POLICY_DESTROY:
      end_qemu (life, reason);
      return FALSE;
    case STASIS_POLICY_RESTART:
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
  if (!stasis_run_state_is_end (state))
    life->is_restarting = FALSE;
  if (life->is_restarting)
    return FALSE;
  if (state == STASIS_RUN_STATE_SHUTDOWN)
    return apply_shutdown (life);
  if (state == STASIS_RUN_STATE_GUEST_PANICKED)
    return apply (life, life->on_crash, "crashed");
  return FALSE;
}

/* What was seen of the guest's end has been judged, and does not count for its next one. */
gboolean
stasis_life_begin_restart (StasisLife *life, GError **error)
{
  life->is_restart_due = FALSE;
  life->is_restarting = TRUE;
  life->shutdown_cause = NULL;
  g_mutex_lock (&life->lock);
  stasis_guest_state_boot (&life->guest);
  const StasisGuestState guest = life->guest;
  g_mutex_unlock (&life->lock);
  return stasis_guest_state_store (&guest, life->folder, error);
}
