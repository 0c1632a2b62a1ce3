/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-agent.c: what the guest agent of a running domain does for the caller
 *
 * Under the domain's lock: QEMU serves one client of the agent's channel at a time, and nobody
 * shall thaw what a save has frozen.
 */

#include "config.h"

#include "driver/domain-agent.h"

#include <glib/gi18n-lib.h>

#include "driver/agent-channel.h"
#include "driver/domain-private.h"
#include "driver/hold.h"
#include "driver/thaw.h"
#include "monitor/commands-run.h"
#include "monitor/error.h"
#include "util/fault.h"

#define WAIT_MS 10000 /* for an agent that is still to come */

/* All that a conversation needs. */
typedef struct
{
  StasisHold *hold;       /* (owned) */
  StasisMonitor *monitor; /* (owned) */
  StasisDomainDef *def;   /* (owned) of the running instance */
  StasisAgent *agent;     /* (owned) */
} Talk;

static void
talk_clear (Talk *talk)
{
  stasis_agent_close (talk->agent);
  stasis_domain_def_free (talk->def);
  stasis_monitor_close (talk->monitor);
  stasis_hold_release (talk->hold);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Talk, talk_clear)

/* A guest that stands still does not answer. */
static gboolean
check_runs (const Talk *talk, GCancellable *cancellable, GError **error)
{
  StasisRunState state;
  if (!stasis_monitor_query_status (talk->monitor, &state, cancellable, error))
    return FALSE;
  if (state == STASIS_RUN_STATE_RUNNING)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
               _ ("domain '%1$s' does not run (it is in the state '%2$s'), so its guest agent "
                  "cannot answer"),
               talk->def->name, stasis_run_state_to_string (state));
  return FALSE;
}

static gboolean
talk_begin (Talk *talk, StasisDomain *self, gint64 wait_ms, GCancellable *cancellable,
            GError **error)
{
  talk->hold = stasis_hold_take_running (stasis_domain_get_driver (self),
                                         stasis_domain_get_name (self), error);
  talk->def = talk->hold != NULL ? stasis_domain_load_live (self, error) : NULL;
  if (talk->def == NULL || stasis_agent_channel_socket (talk->def, error) == NULL)
    return FALSE;
  talk->monitor = stasis_hold_open_monitor (talk->hold, cancellable, error);
  if (talk->monitor == NULL || !check_runs (talk, cancellable, error))
    return FALSE;
  talk->agent = stasis_agent_channel_open (talk->def, talk->monitor, wait_ms, cancellable, error);
  return talk->agent != NULL;
}

/* A freeze of which nobody knows whether it will happen is taken back: the thaw follows it in the
 * agent's queue.  Where that is not answered either the supervisor goes on trying. */
static void
take_freeze_back (Talk *talk, GError **error)
{
  if (g_error_matches (*error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND)
      || g_error_matches (*error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_UNSUPPORTED))
    return;
  g_clear_pointer (&talk->agent, stasis_agent_close);
  StasisStatus *status = talk->hold->status;
  g_autoptr (GError) local = NULL;
  g_free (status->frozen);
  status->frozen = g_strdup (stasis_agent_channel_socket (talk->def, NULL));
  if (!stasis_thaw (talk->hold->folder, status, STASIS_AGENT_THAW_MS, &local))
    g_prefix_error (error, _ ("(and it could not be thawed: %s) "), local->message);
  if (status->frozen != NULL && !stasis_hold_write (talk->hold, &local))
    g_debug ("%s", local->message);
}

/**
 * stasis_domain_fs_freeze:
 * @self: a running domain
 * @out_count: (out): how many file systems were frozen
 * @cancellable: (nullable): stops it; what was frozen by then is thawed
 * @error: return location
 *
 * Has the guest agent write out and freeze the guest's file systems: whoever writes to them in the
 * guest waits until stasis_domain_fs_thaw().  Fails with %STASIS_ERROR_UNSUPPORTED where the domain
 * has no channel for an agent, %STASIS_ERROR_INVALID_STATE where no agent is there or the guest
 * does not run, %STASIS_ERROR_BUSY where another program talks to the agent.  Blocks; may be called
 * on any thread.
 *
 * Returns: %TRUE if they are frozen
 */
gboolean
stasis_domain_fs_freeze (StasisDomain *self, guint *out_count, GCancellable *cancellable,
                         GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->fs_freeze (self, out_count, cancellable, error);

  g_auto (Talk) talk = { 0 };
  if (!talk_begin (&talk, self, /* wait_ms= */ 0, cancellable, error))
    return FALSE;
  g_autoptr (GError) local = NULL;
  if (stasis_fault ("fs-freeze", &local)
      && stasis_agent_fs_freeze (talk.agent, out_count, cancellable, &local))
    return TRUE;
  take_freeze_back (&talk, &local);
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/**
 * stasis_domain_fs_thaw:
 * @self: a running domain
 * @out_count: (out): how many file systems were thawed
 * @cancellable: (nullable): stops waiting for it
 * @error: return location
 *
 * Has the guest agent thaw the guest's file systems.  One that has none frozen thaws 0.  Fails as
 * stasis_domain_fs_freeze().
 *
 * Returns: %TRUE if none is frozen any more
 */
gboolean
stasis_domain_fs_thaw (StasisDomain *self, guint *out_count, GCancellable *cancellable,
                       GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->fs_thaw (self, out_count, cancellable, error);

  g_auto (Talk) talk = { 0 };
  if (!talk_begin (&talk, self, /* wait_ms= */ 0, cancellable, error)
      || !stasis_agent_fs_thaw (talk.agent, out_count, cancellable, error))
    return FALSE;
  StasisStatus *status = talk.hold->status;
  if (status->frozen == NULL)
    return TRUE;
  g_clear_pointer (&status->frozen, g_free);
  return stasis_hold_write (talk.hold, error);
}

/**
 * stasis_domain_get_time:
 * @self: a running domain
 * @out_ns: (out): nanoseconds since 1970
 * @cancellable: (nullable): stops waiting for it
 * @error: return location
 *
 * Asks the guest agent for the guest's clock.  Fails as stasis_domain_fs_freeze().
 *
 * Returns: %TRUE if it answered
 */
gboolean
stasis_domain_get_time (StasisDomain *self, gint64 *out_ns, GCancellable *cancellable,
                        GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->get_time (self, out_ns, cancellable, error);

  g_auto (Talk) talk = { 0 };
  return talk_begin (&talk, self, /* wait_ms= */ 0, cancellable, error)
         && stasis_agent_get_time (talk.agent, out_ns, cancellable, error);
}

/**
 * stasis_domain_set_time:
 * @self: a running domain
 * @ns: nanoseconds since 1970, unless @flags say otherwise
 * @flags: to what
 * @cancellable: (nullable): stops waiting for it
 * @error: return location
 *
 * Has the guest agent set the guest's clock, and its hardware clock with it.  Fails as
 * stasis_domain_fs_freeze().
 *
 * Returns: %TRUE if it was set
 */
gboolean
stasis_domain_set_time (StasisDomain *self, gint64 ns, StasisSetTimeFlags flags,
                        GCancellable *cancellable, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->set_time (self, ns, flags, cancellable, error);

  const gboolean is_now = (flags & STASIS_SET_TIME_NOW) != 0;
  const gboolean is_from_rtc = (flags & STASIS_SET_TIME_FROM_RTC) != 0;
  if (is_now && is_from_rtc)
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                           _ ("a clock is set either to the host's or from the hardware clock"));
      return FALSE;
    }
  g_auto (Talk) talk = { 0 };
  if (!talk_begin (&talk, self, flags & STASIS_SET_TIME_WAIT ? WAIT_MS : 0, cancellable, error))
    return FALSE;
  if (is_from_rtc)
    return stasis_agent_set_time_from_rtc (talk.agent, cancellable, error);
  return stasis_agent_set_time (talk.agent, is_now ? g_get_real_time () * 1000 : ns, cancellable,
                                error);
}

/* Any command of the agent; its answer. */
gboolean
stasis_domain_agent_command (StasisDomain *self, const char *command, StasisJson *arguments_take,
                             gint64 timeout_ms, StasisJson **out_return, GError **error)
{
  g_autoptr (StasisJson) arguments = arguments_take;
  g_auto (Talk) talk = { 0 };
  return talk_begin (&talk, self, /* wait_ms= */ 0, NULL, error)
         && stasis_agent_command (talk.agent, command, g_steal_pointer (&arguments), timeout_ms,
                                  out_return, NULL, error);
}
