/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hook-marks.c: which hooks have been called for a run of a domain
 *
 * Theory of operation
 *
 * Whoever ends a domain may die between any two steps, and the next one goes on from there.  It
 * must not call a hook a second time, and not leave one out either.  So a hook notes by itself that
 * it is called (stasis-hook), in a file that can be made once: process id and start time.  Who
 * finds the file waits until that process has ended.
 *
 * The marks are in the domain's run folder and go with it.
 */

#include "config.h"

#include "driver/hook-marks.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "driver/hook-process.h"
#include "util/fd.h"
#include "util/process.h"

/* The mark of one hook. */
char *
stasis_hook_mark_path (const char *folder, const char *operation, const char *sub, const char *key)
{
  return g_strdup_printf ("%s/" STASIS_HOOK_MARKS "/%s-%s.%s", folder, operation, sub, key);
}

/* FALSE where it does not run any more whom the mark speaks of (pid 0: of nobody). */
static gboolean
read_mark (const char *path, StasisProcess *out_process)
{
  *out_process = (StasisProcess){ 0 };
  g_autofree char *text = NULL;
  if (!g_file_get_contents (path, &text, NULL, NULL))
    return FALSE;
  char *end = NULL;
  const long pid = strtol (text, &end, 10);
  if (pid <= 1 || pid > G_MAXINT)
    return FALSE;
  out_process->pid = (pid_t) pid;
  out_process->start_time = g_ascii_strtoull (end, NULL, 10);
  return stasis_process_is_alive (out_process);
}

typedef void (*MarkFunc) (const char *path);

/* TRUE where there is any. */
static gboolean
for_each (const char *folder, const char *operation, const char *sub, MarkFunc func)
{
  g_autofree char *marks = g_build_filename (folder, STASIS_HOOK_MARKS, NULL);
  g_autofree char *prefix = g_strdup_printf ("%s-%s.", operation, sub);
  g_autoptr (GDir) dir = g_dir_open (marks, 0, NULL);
  const char *name;
  gboolean is_any = FALSE;
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      /* Of one that is being made nothing was called yet. */
      if (!g_str_has_prefix (name, prefix) || g_str_has_suffix (name, "~"))
        continue;
      is_any = TRUE;
      g_autofree char *path = g_build_filename (marks, name, NULL);
      if (func != NULL)
        func (path);
    }
  return is_any;
}

/* TRUE where any hook has been called for it. */
gboolean
stasis_hook_marks_have (const char *folder, const char *operation, const char *sub)
{
  return for_each (folder, operation, sub, NULL);
}

static void
remove_mark (const char *path)
{
  unlink (path);
}

/* Forget that. */
void
stasis_hook_marks_clear (const char *folder, const char *operation, const char *sub)
{
  for_each (folder, operation, sub, remove_mark);
}

/* Whoever has called it knows that it has ended. */
void
stasis_hook_mark_done (const char *path)
{
  stasis_autofd int fd = open (path, O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC);
  if (fd >= 0 && !stasis_fd_write_exact (fd, "done\n", 5, NULL))
    unlink (path);
}

/* It may have ended by now, being told of its caller's death, but not all of its group. */
static void
end_marked (const char *path)
{
  StasisProcess process;
  const gboolean is_alive = read_mark (path, &process);
  stasis_autofd int pidfd = is_alive ? stasis_process_open (&process, NULL) : -1;
  if (pidfd >= 0)
    stasis_hook_process_end_group (process.pid, pidfd);
  else if (process.pid > 0)
    stasis_hook_process_end_rest (process.pid);
}

/* End what still runs. */
void
stasis_hook_marks_end (const char *folder, const char *operation, const char *sub)
{
  for_each (folder, operation, sub, end_marked);
}

/* TRUE where the mark is there. */
gboolean
stasis_hook_mark_await (const char *path, guint timeout_s)
{
  if (access (path, F_OK) < 0)
    return FALSE;
  StasisProcess process;
  stasis_autofd int pidfd = read_mark (path, &process) ? stasis_process_open (&process, NULL) : -1;
  if (pidfd >= 0 && !stasis_process_wait (pidfd, (int) timeout_s * 1000))
    stasis_hook_process_end_group (process.pid, pidfd);
  return TRUE;
}
