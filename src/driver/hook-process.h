/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hook-process.h: one hook while it runs
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define STASIS_HOOK_OUTPUT_MAX (1024u * 1024u) /* octets: of a definition */

typedef struct
{
  const char *program;
  const char *const *args; /* behind its name; NULL at the end */
  int input;               /* (borrowed) a file, read from its beginning */
  const char *mark;        /* (nullable) see stasis-hook */
  gboolean outlives_us;    /* it is not told to end where we die */
  guint timeout_s;
} StasisHookProcess;

typedef enum
{
  STASIS_HOOK_WENT_WELL,
  STASIS_HOOK_FAILED,
  STASIS_HOOK_CALLED_ALREADY, /* its mark was there: somebody else has called it */
} StasisHookResult;

/* Run it and wait for it.  What it leaves running is left alone, unless it takes too long or
 * @cancellable is cancelled: then all of its process group is ended.
 * @output: (nullable): what it wrote to standard output is appended; NULL: nowhere
 * @error: its exit status, and what it wrote to standard error */
StasisHookResult stasis_hook_process_run (const StasisHookProcess *self, GString *output,
                                          GCancellable *cancellable, GError **error);

/* End a process group by the process that leads it and lives: SIGTERM, and after a moment SIGKILL.
 * FALSE where its leader does not end. */
gboolean stasis_hook_process_end_group (pid_t leader, int pidfd);

/* The same where the leader has ended.  Nobody else gets its number while there is anybody in the
 * group; where it is another process's by now, nothing is done. */
void stasis_hook_process_end_rest (pid_t leader);

G_END_DECLS
