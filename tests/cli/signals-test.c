/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * signals-test.c: signals arrive on a thread, and only between begin and end
 */

#include "config.h"

#include "cli/signals.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct
{
  GMutex lock;
  GCond cond;
  guint total;
  int last_number;
  guint last_count;
  GThread *thread;
} Seen;

static void
on_signal (int number, guint count, gpointer user_data)
{
  Seen *seen = user_data;
  g_mutex_lock (&seen->lock);
  seen->total++;
  seen->last_number = number;
  seen->last_count = count;
  seen->thread = g_thread_self ();
  g_cond_signal (&seen->cond);
  g_mutex_unlock (&seen->lock);
}

static void
send_and_wait (Seen *seen, int number)
{
  g_mutex_lock (&seen->lock);
  const guint before = seen->total;
  kill (getpid (), number);
  while (seen->total == before)
    g_cond_wait (&seen->cond, &seen->lock);
  g_mutex_unlock (&seen->lock);
}

static void
test_delivery (void)
{
  Seen seen = { 0 };
  StasisCliSignals *signals = stasis_cli_signals_begin (TRUE, on_signal, &seen);
  static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGTSTP };
  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++)
    for (guint count = 1; count <= 3; count++)
      {
        send_and_wait (&seen, numbers[i]);
        g_assert_cmpint (seen.last_number, ==, numbers[i]);
        g_assert_cmpuint (seen.last_count, ==, count);
        g_assert_true (seen.thread != g_thread_self ());
      }
  stasis_cli_signals_end (signals);
}

static void
test_restores (void)
{
  struct sigaction action = { 0 };
  Seen seen = { 0 };
  StasisCliSignals *signals = stasis_cli_signals_begin (FALSE, on_signal, &seen);
  sigaction (SIGTSTP, NULL, &action);
  g_assert_true (action.sa_handler == SIG_DFL);
  sigaction (SIGINT, NULL, &action);
  g_assert_true (action.sa_handler != SIG_DFL);
  stasis_cli_signals_end (signals);
  sigaction (SIGINT, NULL, &action);
  g_assert_true (action.sa_handler == SIG_DFL);
}

/* nohup's SIGHUP stays ignored. */
static void
test_keeps_ignored (void)
{
  const struct sigaction ignore = { .sa_handler = SIG_IGN };
  const struct sigaction normal = { .sa_handler = SIG_DFL };
  sigaction (SIGHUP, &ignore, NULL);
  Seen seen = { 0 };
  StasisCliSignals *signals = stasis_cli_signals_begin (TRUE, on_signal, &seen);
  kill (getpid (), SIGHUP);
  send_and_wait (&seen, SIGINT);
  stasis_cli_signals_end (signals);
  g_assert_cmpuint (seen.total, ==, 1);
  sigaction (SIGHUP, &normal, NULL);
}

/* More signals than the pipe holds must not block the end. */
static void
test_flood (void)
{
  Seen seen = { 0 };
  StasisCliSignals *signals = stasis_cli_signals_begin (TRUE, on_signal, &seen);
  g_mutex_lock (&seen.lock);
  for (guint i = 0; i < 100000; i++)
    raise (SIGINT);
  g_mutex_unlock (&seen.lock);
  stasis_cli_signals_end (signals);
  g_assert_cmpuint (seen.total, >, 1000);
}

/* What we start must find its signals as a shell gives them, whoever starts it: so not by GLib
 * here, which puts some of them right by itself. */
static void
test_children (void)
{
  static char *const argv[] = { (char *) "sh", (char *) "-c",
                                (char *) "grep -E '^Sig(Blk|Ign)' /proc/self/status >&9", NULL };
  Seen seen = { 0 };
  int ends[2];
  g_assert_no_errno (pipe2 (ends, O_CLOEXEC));
  stasis_cli_signals_ignore_pipe ();
  StasisCliSignals *signals = stasis_cli_signals_begin (TRUE, on_signal, &seen);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init (&actions);
  posix_spawn_file_actions_adddup2 (&actions, ends[1], 9);
  pid_t pid = -1;
  g_assert_cmpint (posix_spawnp (&pid, "sh", &actions, NULL, argv, environ), ==, 0);
  posix_spawn_file_actions_destroy (&actions);
  g_assert_cmpint (waitpid (pid, NULL, 0), ==, pid);
  stasis_cli_signals_end (signals);

  char output[256] = "";
  g_assert_cmpint (read (ends[0], output, sizeof output - 1), >, 0);
  close (ends[0]);
  close (ends[1]);
  const guint64 ours = (1ull << (SIGINT - 1)) | (1ull << (SIGTERM - 1)) | (1ull << (SIGPIPE - 1))
                       | (1ull << (SIGTSTP - 1));
  g_auto (GStrv) lines = g_strsplit (g_strstrip (output), "\n", -1);
  g_assert_cmpuint (g_strv_length (lines), ==, 2);
  for (guint i = 0; i < 2; i++)
    g_assert_cmphex (g_ascii_strtoull (lines[i] + 7, NULL, 16) & ours, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  /* Somebody may have started us with nohup(1). */
  signal (SIGHUP, SIG_DFL);
  g_test_add_func ("/cli/signals/delivery", test_delivery);
  g_test_add_func ("/cli/signals/restores", test_restores);
  g_test_add_func ("/cli/signals/keeps-ignored", test_keeps_ignored);
  g_test_add_func ("/cli/signals/flood", test_flood);
  g_test_add_func ("/cli/signals/children", test_children);
  return g_test_run ();
}
