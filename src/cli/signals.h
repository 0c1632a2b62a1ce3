/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * signals.h: Ctrl-C and its like, handled on a thread while something goes on
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _StasisCliSignals StasisCliSignals;

/* Called on the thread of the signals, never inside a handler: anything may be done here.
 * @count: the how many-th signal of this kind, from 1. */
typedef void (*StasisCliSignalFunc) (int signal_number, guint count, gpointer user_data);

/* Once, at the program's start: a reader that went away is an error of write(), not our death. */
void stasis_cli_signals_ignore_pipe (void);

/* From here to the end, SIGINT, SIGTERM, SIGHUP and (with @stop) SIGTSTP come to @func; those that
 * were ignored stay so.  One at a time in a process. */
StasisCliSignals *stasis_cli_signals_begin (gboolean stop, StasisCliSignalFunc func,
                                            gpointer user_data) G_GNUC_WARN_UNUSED_RESULT;
/* Everything as before; @func has returned and is not called any more.  NULL is fine. */
void stasis_cli_signals_end (StasisCliSignals *signals);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisCliSignals, stasis_cli_signals_end)

G_END_DECLS
