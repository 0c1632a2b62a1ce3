/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * spawn.c: programs that outlive the one that starts them
 *
 * Theory of operation
 *
 * GSubprocess starts stasis-launch (src/supervisor/launch.c), a program of a hundred lines
 * that makes a session, drops privileges, waits for one octet on a socket and then becomes the
 * program that was asked for: same pid, same start time.  So a pid can stand in a status file
 * before the program does anything, and a starter that dies in between leaves nothing behind:
 * the socket closes and the launcher exits.
 */

#include "config.h"

#include "driver/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gio/gunixoutputstream.h>
#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "util/fd.h"

/* 0, 1, 2 and the go socket come first. */
#define GO_FD    3
#define FIRST_FD 4

struct _StasisSpawn
{
  char *log;                     /* (owned) */
  GPtrArray *options;            /* (owned) of char *: the launcher's */
  GPtrArray *args;               /* (owned) of char *: the program's */
  GStrv env;                     /* (owned) (nullable) the program's; NULL: ours */
  GSubprocessLauncher *launcher; /* (owned) */
  GSubprocess *process;          /* (owned) (nullable) once begun */
  int next_fd;
  int go; /* (owned) our end of the go socket, or -1 */
};

StasisSpawn *
stasis_spawn_new (const char *log)
{
  StasisSpawn *spawn = g_new0 (StasisSpawn, 1);
  spawn->log = g_strdup (log);
  spawn->options = g_ptr_array_new_with_free_func (g_free);
  spawn->args = g_ptr_array_new_with_free_func (g_free);
  spawn->launcher = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_NONE);
  spawn->next_fd = FIRST_FD;
  spawn->go = -1;
  return spawn;
}

/* NULL is fine.  A program that was begun but not let go ends. */
void
stasis_spawn_free (StasisSpawn *spawn)
{
  if (spawn == NULL)
    return;

  stasis_fd_clear (&spawn->go);
  g_clear_object (&spawn->process);
  g_clear_object (&spawn->launcher);
  g_ptr_array_unref (spawn->options);
  g_ptr_array_unref (spawn->args);
  g_strfreev (spawn->env);
  g_free (spawn->log);
  g_free (spawn);
}

void
stasis_spawn_add_arg (StasisSpawn *spawn, const char *arg)
{
  g_ptr_array_add (spawn->args, g_strdup (arg));
}

/* What a program needs of an environment, and nothing that says who started it. */
GStrv
stasis_spawn_base_env (void)
{
  GStrv env = g_environ_setenv (NULL, "PATH", "/usr/local/bin:/usr/bin:/bin", TRUE);
  env = g_environ_setenv (env, "HOME", "/", TRUE);
  env = g_environ_setenv (env, "LANG", "C.UTF-8", TRUE);
  env = g_environ_setenv (env, "LC_ALL", "C.UTF-8", TRUE);
  const char *temporary = g_getenv ("TMPDIR");
  if (temporary != NULL)
    env = g_environ_setenv (env, "TMPDIR", temporary, TRUE);
  return env;
}

void
stasis_spawn_clear_env (StasisSpawn *spawn)
{
  g_strfreev (spawn->env);
  spawn->env = stasis_spawn_base_env ();
}

void
stasis_spawn_set_env (StasisSpawn *spawn, const char *name, const char *value)
{
  if (spawn->env == NULL)
    stasis_spawn_clear_env (spawn);
  spawn->env = g_environ_setenv (spawn->env, name, value, TRUE);
}

static void
add_option (StasisSpawn *spawn, const char *option, gint64 value)
{
  g_ptr_array_add (spawn->options, g_strdup (option));
  g_ptr_array_add (spawn->options, g_strdup_printf ("%" G_GINT64_FORMAT, value));
}

/* Run as this user. */
void
stasis_spawn_set_user (StasisSpawn *spawn, guint32 uid, guint32 gid, gint64 extra_group)
{
  add_option (spawn, "--uid", uid);
  add_option (spawn, "--gid", gid);
  if (extra_group >= 0)
    add_option (spawn, "--group", extra_group);
}

/* Hand over a descriptor (consumed); it has the returned number in the program. */
int
stasis_spawn_take_fd (StasisSpawn *spawn, int fd_take)
{
  g_subprocess_launcher_take_fd (spawn->launcher, fd_take, spawn->next_fd);
  return spawn->next_fd++;
}

/* The log may belong to nobody else: it is opened here, never by the program. */
static gboolean
open_log (StasisSpawn *spawn, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (spawn->log);
  if (g_mkdir_with_parents (folder, 0700) < 0)
    return stasis_throw_errno (error, _ ("cannot make the folder '%s'"), folder);

  stasis_autofd int out
      = stasis_fd_open (spawn->log, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0600, error);
  if (out < 0)
    return FALSE;
  const int err = fcntl (out, F_DUPFD_CLOEXEC, 3);
  if (err < 0)
    return stasis_throw_errno (error, _ ("cannot duplicate the descriptor of '%s'"), spawn->log);
  g_subprocess_launcher_take_stdout_fd (spawn->launcher, stasis_fd_steal (&out));
  g_subprocess_launcher_take_stderr_fd (spawn->launcher, err);
  return TRUE;
}

/* The path of one of our helper programs. */
char *
stasis_spawn_find_helper (const char *name)
{
  const char *folder = g_getenv ("STASIS_LIBEXEC_DIR");
  if (folder != NULL)
    return g_build_filename (folder, name, NULL);

  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  if (self != NULL)
    {
      g_autofree char *own = g_path_get_dirname (self);
      g_autofree char *beside = g_build_filename (own, name, NULL);
      if (g_file_test (beside, G_FILE_TEST_IS_EXECUTABLE))
        return g_steal_pointer (&beside);
    }
  return g_build_filename (STASIS_LIBEXECDIR, name, NULL);
}

/* (transfer full) The launcher's command line. */
static GPtrArray *
make_argv (const StasisSpawn *spawn)
{
  GPtrArray *argv = g_ptr_array_new_with_free_func (g_free);
  g_ptr_array_add (argv, stasis_spawn_find_helper ("stasis-launch"));
  for (guint i = 0; i < spawn->options->len; i++)
    g_ptr_array_add (argv, g_strdup (g_ptr_array_index (spawn->options, i)));
  for (gsize i = 0; spawn->env != NULL && spawn->env[i] != NULL; i++)
    {
      g_ptr_array_add (argv, g_strdup ("--env"));
      g_ptr_array_add (argv, g_strdup (spawn->env[i]));
    }
  g_ptr_array_add (argv, g_strdup ("--"));
  for (guint i = 0; i < spawn->args->len; i++)
    g_ptr_array_add (argv, g_strdup (g_ptr_array_index (spawn->args, i)));
  g_ptr_array_add (argv, NULL);
  return argv;
}

/* The program exists and waits. */
gboolean
stasis_spawn_begin (StasisSpawn *spawn, StasisProcess *out_process, GError **error)
{
  if (!open_log (spawn, error))
    return FALSE;

  /* A pair of sockets: on a pipe whose reader died, go would be a signal to this process. */
  int ends[2];
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
    return stasis_throw_errno (error, _ ("cannot make a pair of sockets"));
  spawn->go = ends[1];
  g_subprocess_launcher_take_fd (spawn->launcher, ends[0], GO_FD);

  g_autoptr (GPtrArray) argv = make_argv (spawn);
  spawn->process
      = g_subprocess_launcher_spawnv (spawn->launcher, (const char *const *) argv->pdata, error);
  /* What was handed over is the program's alone: while its end of the pair is open here too,
   * nobody could tell that it died. */
  g_subprocess_launcher_close (spawn->launcher);
  if (spawn->process == NULL)
    return FALSE;

  const char *pid = g_subprocess_get_identifier (spawn->process);
  if (pid != NULL && stasis_process_lookup ((pid_t) g_ascii_strtoll (pid, NULL, 10), out_process))
    return TRUE;

  g_set_error (error, STASIS_ERROR, STASIS_ERROR_FAILED, _ ("'%1$s' ended at once; see '%2$s'"),
               (char *) g_ptr_array_index (argv, 0), spawn->log);
  return FALSE;
}

/* Let it run. */
gboolean
stasis_spawn_go (StasisSpawn *spawn, GError **error)
{
  const gboolean ok = send (spawn->go, "g", 1, MSG_NOSIGNAL) == 1;
  if (!ok)
    stasis_throw_errno (error, _ ("the program ended before it began; see '%s'"), spawn->log);
  stasis_fd_clear (&spawn->go);
  return ok;
}
