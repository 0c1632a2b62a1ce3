/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process.h: other processes, told apart from later ones with the same pid
 */

#pragma once

#include <gio/gio.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* A process: pid and the kernel's start time (field 22 of /proc/PID/stat, clock ticks since
 * boot), which together name one process until the next boot. */
typedef struct
{
  pid_t pid;
  guint64 start_time;
} StasisProcess;

/* Look up a living process.  FALSE where there is none (a zombie counts as none). */
gboolean stasis_process_lookup (pid_t pid, StasisProcess *out_process);

/* TRUE while this very process lives. */
gboolean stasis_process_is_alive (const StasisProcess *process);

/* TRUE where both name the same process. */
static inline gboolean
stasis_process_equal (const StasisProcess *a, const StasisProcess *b)
{
  return a->pid == b->pid && a->start_time == b->start_time;
}

/* A pidfd of this very process, readable (POLLIN) once it has ended; -1 and
 * G_IO_ERROR_NOT_FOUND where it has ended already. */
int stasis_process_open (const StasisProcess *process, GError **error);

/* Wait until a pidfd's process has ended; FALSE after @timeout_ms (-1: no limit). */
gboolean stasis_process_wait (int pidfd, int timeout_ms);

/* SIGTERM, @grace_ms for it to end, then SIGKILL and wait.  TRUE once it has ended. */
gboolean stasis_process_end (int pidfd, int grace_ms);

G_END_DECLS
