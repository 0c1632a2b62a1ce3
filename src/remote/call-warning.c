/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * call-warning.c: what the library warns of while it does what a client of ours wants
 */

#include "config.h"

#include "remote/call-warning.h"

#include "remote/session.h"

typedef struct
{
  StasisSession *session; /* (borrowed) */
  guint32 serial;
} Work;

static GPrivate current = G_PRIVATE_INIT (g_free);

/* From here. */
void
stasis_call_warning_begin (StasisSession *session, guint32 serial)
{
  Work *work = g_new0 (Work, 1);
  work->session = session;
  work->serial = serial;
  g_private_replace (&current, work);
}

/* To there. */
void
stasis_call_warning_end (void)
{
  g_private_replace (&current, NULL);
}

/* Something is logged. */
void
stasis_call_warning_note (const char *part, GLogLevelFlags level, const char *message)
{
  const Work *work = (level & G_LOG_LEVEL_WARNING) != 0 ? g_private_get (&current) : NULL;
  if (work != NULL && message != NULL && part != NULL && g_str_has_prefix (part, "stasis-"))
    stasis_session_tell_warning (work->session, work->serial, message);
}
