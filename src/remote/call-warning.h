/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * call-warning.h: what the library warns of while it does what a client of ours wants
 *
 * An embedded driver warns whoever runs it, by GLib's log.  In a server that would be the log of
 * the server alone: so what is warned of on the thread of a call goes to its client, too.
 */

#pragma once

#include "remote/call.h"

G_BEGIN_DECLS

/* From here to there this thread works for that client. */
void stasis_call_warning_begin (StasisSession *session, guint32 serial);
void stasis_call_warning_end (void);

/* For the log writer of a server: @part and @message (nullable) are of what is logged. */
void stasis_call_warning_note (const char *part, GLogLevelFlags level, const char *message);

G_END_DECLS
