/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-private.h: what the typed commands share
 */

#pragma once

#include "monitor/monitor.h"

G_BEGIN_DECLS

#define STASIS_COMMAND_MS      60000  /* for a QEMU that only has to answer */
#define STASIS_COMMAND_DISK_MS 600000 /* for what flushes or opens disks first */

typedef struct
{
  const char *command;
  const char *context; /* translated: "cannot ..." */
  gint64 timeout_ms;
  int fd; /* (borrowed) to pass, or -1 */
} StasisCommand;

/* Run a command with @command's timeout; an error begins with its context. */
gboolean stasis_command_run (StasisMonitor *monitor, const StasisCommand *command,
                             StasisJson *arguments_take, StasisJson **out_return,
                             GCancellable *cancellable, GError **error);

/* A command without arguments, descriptors and return value. */
gboolean stasis_command_run_plain (StasisMonitor *monitor, const char *command, const char *context,
                                   GCancellable *cancellable, GError **error);

/* A command without arguments that returns a list: (transfer full). */
StasisJson *stasis_command_run_list (StasisMonitor *monitor, const char *command,
                                     const char *context, GCancellable *cancellable,
                                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The reply lacks what it must hold.  Always FALSE. */
gboolean stasis_command_throw_reply (const char *command, const char *context, const GError *fault,
                                     GError **error);

G_END_DECLS
