/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-own-guests.c: our own program: all guests of this host at once
 *
 * The client hears of each guest by an event of its call, and always before the reply.  The host's
 * configuration says what is done, as when it boots or shuts down.
 */

#include "config.h"

#include "remote/calls-own.h"
#include "remote/calls.h"
#include "remote/guest-news.h"
#include "remote/session.h"

static void
tell_news (const char *domain, StasisGuestNews news, const GError *error, gpointer data)
{
  const StasisCall *call = data;
  g_autofree char *text = stasis_guest_news_format (domain, news, error);
  stasis_session_tell_guest (call->session, call->serial, text);
}

static void
tell_report (const char *domain, const GError *error, gpointer data)
{
  const StasisCall *call = data;
  g_autofree char *text = stasis_guest_report_format (domain, error);
  stasis_session_tell_guest (call->session, call->serial, text);
}

/* As when the host has booted. */
gboolean
stasis_call_own_guests_start (StasisCall *call, GError **error)
{
  g_auto (StasisOwnJob) job = { 0 };
  stasis_own_job_begin (&job, call);
  return stasis_driver_start_guests (call->driver, tell_news, call, job.cancellable, error);
}

/* As when it shuts down. */
gboolean
stasis_call_own_guests_stop (StasisCall *call, GError **error)
{
  g_auto (StasisOwnJob) job = { 0 };
  stasis_own_job_begin (&job, call);
  return stasis_driver_stop_guests (call->driver, tell_news, call, job.cancellable, error);
}

/* What is to be brought back. */
gboolean
stasis_call_own_guests_list (StasisCall *call, GError **error)
{
  g_autoptr (GPtrArray) guests = stasis_driver_list_guests (call->driver, error);
  if (guests != NULL)
    call->rets[0].s = stasis_guest_list_format (guests);
  return guests != NULL;
}

/* What is marked and does not run. */
gboolean
stasis_call_own_autostart (StasisCall *call, GError **error)
{
  return stasis_driver_autostart (call->driver, tell_report, call, error);
}
