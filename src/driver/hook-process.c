/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hook-process.c: one hook while it runs
 *
 * Theory of operation
 *
 * It is a child of ours, by way of stasis-hook, in a session of its own.  We wait for the child and
 * not for the end of its output: a hook may leave something running that has inherited it.  What it
 * has written by then is in the pipes.  Its standard error is read to its end and kept as far as it
 * fits into a message.
 *
 * As long as the child has not been waited for, its process id is nobody else's, nor is that of its
 * group.
 */

#include "config.h"

#include "driver/hook-process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib-unix.h>
#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/spawn.h"
#include "util/fd.h"
#include "util/process.h"

#define PROGRAM             "stasis-hook"
#define PATH                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define ERRORS_MAX          2048u /* octets that are kept */
#define READS_MAX           64u
#define GRACE_MS            3000
#define REST_NAP_MS         20
#define KILLED_MS           30000 /* a process in the middle of I/O may not end at once */
#define EXIT_CALLED_ALREADY 125   /* stasis-hook's */

typedef struct
{
  const StasisHookProcess *call; /* (borrowed) */
  GString *output;               /* (borrowed) (nullable) */
  GString *errors;               /* (owned) */
  GPid pid;
  int pidfd; /* (owned), as are the next two */
  int out;
  int err;
  gint64 deadline_us;
  gboolean is_over;
} Run;

static void
run_clear (Run *run)
{
  stasis_fd_clear (&run->pidfd);
  stasis_fd_clear (&run->out);
  stasis_fd_clear (&run->err);
  g_string_free (run->errors, TRUE);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Run, run_clear)

static GStrv
keep_variable (GStrv env, const char *name)
{
  const char *value = g_getenv (name);
  return value != NULL ? g_environ_setenv (env, name, value, TRUE) : env;
}

/* As libvirt's, and nothing that may be a secret of whoever called us. */
static GStrv
make_env (void)
{
  char buffer[4096];
  struct passwd entry;
  struct passwd *found = NULL;
  const gboolean is_known
      = getpwuid_r (geteuid (), &entry, buffer, sizeof buffer, &found) == 0 && found != NULL;
  GStrv env = g_environ_setenv (NULL, "PATH", PATH, TRUE);
  env = g_environ_setenv (env, "LC_ALL", "C", TRUE);
  env = g_environ_setenv (env, "HOME", is_known ? found->pw_dir : "/", TRUE);
  if (is_known)
    {
      env = g_environ_setenv (env, "USER", found->pw_name, TRUE);
      env = g_environ_setenv (env, "LOGNAME", found->pw_name, TRUE);
    }
  env = keep_variable (env, "TMPDIR");
  return keep_variable (env, "STASIS_STATE_DIR");
}

/* (transfer container) */
static GPtrArray *
make_argv (const StasisHookProcess *call, const char *launcher, const char *parent)
{
  GPtrArray *argv = g_ptr_array_new ();
  g_ptr_array_add (argv, (char *) launcher);
  g_ptr_array_add (argv, (char *) (call->mark != NULL ? call->mark : ""));
  g_ptr_array_add (argv, (char *) parent);
  g_ptr_array_add (argv, (char *) call->program);
  for (gsize i = 0; call->args[i] != NULL; i++)
    g_ptr_array_add (argv, (char *) call->args[i]);
  g_ptr_array_add (argv, NULL);
  return argv;
}

/* A pipe of which we read the first end without waiting. */
static gboolean
make_pipe (int *out_ours, int *out_its, GError **error)
{
  int ends[2];
  if (!g_unix_open_pipe (ends, FD_CLOEXEC, error))
    return FALSE;
  *out_ours = ends[0];
  *out_its = ends[1];
  return g_unix_set_fd_nonblocking (ends[0], TRUE, error);
}

static gboolean
spawn (Run *run, GError **error)
{
  const StasisHookProcess *call = run->call;
  stasis_autofd int out = -1;
  stasis_autofd int err = -1;
  g_autofree char *input_path = g_strdup_printf ("/proc/self/fd/%d", call->input);
  stasis_autofd int input = stasis_fd_open (input_path, O_RDONLY, 0, error);
  if (input < 0 || !make_pipe (&run->err, &err, error)
      || (run->output != NULL && !make_pipe (&run->out, &out, error)))
    return FALSE;

  g_autofree char *launcher = stasis_spawn_find_helper (PROGRAM);
  g_autofree char *parent = g_strdup_printf ("%d", call->outlives_us ? 0 : (int) getpid ());
  g_autoptr (GPtrArray) argv = make_argv (call, launcher, parent);
  g_auto (GStrv) env = make_env ();
  const GSpawnFlags flags
      = G_SPAWN_DO_NOT_REAP_CHILD | (out < 0 ? G_SPAWN_STDOUT_TO_DEV_NULL : G_SPAWN_DEFAULT);
  if (!g_spawn_async_with_pipes_and_fds (NULL, (const char *const *) argv->pdata,
                                         (const char *const *) env, flags, NULL, NULL, input, out,
                                         err, NULL, NULL, 0, &run->pid, NULL, NULL, NULL, error))
    return FALSE;
  run->pidfd = (int) syscall (SYS_pidfd_open, run->pid, 0);
  if (run->pidfd >= 0)
    return TRUE;
  stasis_throw_errno (error, _ ("cannot open process %d"), (int) run->pid);
  kill (run->pid, SIGKILL);
  waitpid (run->pid, NULL, 0);
  return FALSE;
}

/* End a process group.  One that has no session of its own yet has no group either. */
gboolean
stasis_hook_process_end_group (pid_t leader, int pidfd)
{
  kill (-leader, SIGTERM);
  syscall (SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0);
  stasis_process_wait (pidfd, GRACE_MS);
  kill (-leader, SIGKILL);
  syscall (SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
  return stasis_process_wait (pidfd, KILLED_MS);
}

/* The same where the leader has ended. */
void
stasis_hook_process_end_rest (pid_t leader)
{
  StasisProcess other;
  if (stasis_process_lookup (leader, &other) || kill (-leader, SIGTERM) < 0)
    return;
  for (guint waited = 0; waited < GRACE_MS && kill (-leader, 0) == 0; waited += REST_NAP_MS)
    poll (NULL, 0, REST_NAP_MS);
  kill (-leader, SIGKILL);
}

/* Append what there is, up to @max octets of all of it; FALSE where there is more.  The rest is
 * dropped.  No more than a pipe holds at one time: somebody may go on writing without an end. */
static gboolean
drain (int *fd, GString *text, gsize max)
{
  char buffer[16384];
  gboolean fits = TRUE;
  for (guint i = 0; i < READS_MAX && *fd >= 0; i++)
    {
      const gssize n = read (*fd, buffer, sizeof buffer);
      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0 && errno == EAGAIN)
        break;
      if (n <= 0)
        {
          stasis_fd_clear (fd);
          break;
        }
      const gsize room = max - text->len;
      g_string_append_len (text, buffer, (gssize) MIN ((gsize) n, room));
      fits = fits && (gsize) n <= room;
    }
  return fits;
}

/* What is too much of standard error is no failure. */
static gboolean
take_output (Run *run, GError **error)
{
  drain (&run->err, run->errors, ERRORS_MAX);
  if (run->output == NULL || drain (&run->out, run->output, STASIS_HOOK_OUTPUT_MAX))
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_HOOK,
               _ ("it wrote more than %u octets to standard output"), STASIS_HOOK_OUTPUT_MAX);
  return FALSE;
}

static gboolean
wait_something (Run *run, GCancellable *cancellable, GError **error)
{
  const gint64 left_us = run->deadline_us - g_get_monotonic_time ();
  struct pollfd fds[] = { { .fd = run->pidfd, .events = POLLIN },
                          { .fd = run->err, .events = POLLIN },
                          { .fd = run->out, .events = POLLIN },
                          { .fd = -1, .events = POLLIN } };
  GPollFD wish;
  const gboolean can_be_cancelled
      = cancellable != NULL && g_cancellable_make_pollfd (cancellable, &wish);
  if (can_be_cancelled)
    fds[3].fd = wish.fd;
  poll (fds, G_N_ELEMENTS (fds), (int) (MAX (0, left_us) / 1000) + 1);
  if (can_be_cancelled)
    g_cancellable_release_fd (cancellable);
  run->is_over = (fds[0].revents & POLLIN) != 0;

  if (run->is_over)
    return TRUE;
  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  if (g_get_monotonic_time () < run->deadline_us)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_HOOK,
               _ ("it took longer than %u s, and was ended"), run->call->timeout_s);
  return FALSE;
}

static gboolean
await (Run *run, GCancellable *cancellable, GError **error)
{
  while (!run->is_over)
    if (!wait_something (run, cancellable, error) || !take_output (run, error))
      return FALSE;
  return TRUE;
}

/* Fit for a line of a message; nothing where it said nothing. */
static char *
quote_errors (const Run *run)
{
  char *text = g_utf8_make_valid (run->errors->str, (gssize) run->errors->len);
  g_strstrip (text);
  for (char *at = text; *at != '\0'; at++)
    if ((guchar) *at < 0x20 || *at == 0x7f)
      *at = *at == '\n' ? ';' : ' ';
  if (*text == '\0')
    return text;
  char *quoted = g_strconcat (": ", text, NULL);
  g_free (text);
  return quoted;
}

static StasisHookResult
judge (const Run *run, int wait_status, GError **error)
{
  if (WIFEXITED (wait_status) && WEXITSTATUS (wait_status) == 0)
    return STASIS_HOOK_WENT_WELL;
  g_autofree char *said = quote_errors (run);
  if (WIFEXITED (wait_status))
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_HOOK, _ ("exit status %1$d%2$s"),
                 WEXITSTATUS (wait_status), said);
  else
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_HOOK, _ ("ended by signal %1$d%2$s"),
                 WTERMSIG (wait_status), said);
  return WIFEXITED (wait_status) && WEXITSTATUS (wait_status) == EXIT_CALLED_ALREADY
                 && run->call->mark != NULL && run->call->outlives_us
             ? STASIS_HOOK_CALLED_ALREADY
             : STASIS_HOOK_FAILED;
}

/* It has ended, and nobody else waits for it. */
static gboolean
reap (const Run *run, int *out_wait_status, GError **error)
{
  pid_t pid;
  do
    pid = waitpid (run->pid, out_wait_status, 0);
  while (pid < 0 && errno == EINTR);
  return pid >= 0 || stasis_throw_errno (error, _ ("nobody knows how it ended"));
}

/* Run it and wait for it. */
StasisHookResult
stasis_hook_process_run (const StasisHookProcess *self, GString *output, GCancellable *cancellable,
                         GError **error)
{
  g_auto (Run) run = {
    .call = self,
    .output = output,
    .errors = g_string_new (NULL),
    .pidfd = -1,
    .out = -1,
    .err = -1,
    .deadline_us = g_get_monotonic_time () + (gint64) self->timeout_s * G_USEC_PER_SEC,
  };
  if (g_cancellable_set_error_if_cancelled (cancellable, error) || !spawn (&run, error))
    return STASIS_HOOK_FAILED;

  int wait_status = 0;
  if (!await (&run, cancellable, error))
    {
      if (stasis_hook_process_end_group (run.pid, run.pidfd))
        reap (&run, &wait_status, NULL);
      return STASIS_HOOK_FAILED;
    }
  return reap (&run, &wait_status, error) ? judge (&run, wait_status, error) : STASIS_HOOK_FAILED;
}
