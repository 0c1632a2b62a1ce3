/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * console-test.c: what goes through a console, and how it ends
 *
 * Each case runs the pump in a child process whose standard input and output are pipes, or a
 * terminal; the parent plays the user and the guest.
 */

#include "config.h"

#include "cli/console.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "util/fd.h"

#define STATUS_OK     0
#define STATUS_FAILED 3

typedef struct
{
  int input;  /* (owned): what the user types into */
  int output; /* (owned): what the user sees */
  int guest;  /* (owned): the guest's end */
  pid_t pid;
} Session;

static int
run_pump (int fd)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  return stasis_cli_console_pump (fd, 0x1d, cancellable, NULL) ? STATUS_OK : STATUS_FAILED;
}

static void
begin (Session *s)
{
  int in[2], out[2], line[2];
  g_assert_no_errno (pipe2 (in, O_CLOEXEC));
  g_assert_no_errno (pipe2 (out, O_CLOEXEC));
  g_assert_no_errno (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line));
  s->pid = fork ();
  g_assert_cmpint (s->pid, >=, 0);
  if (s->pid == 0)
    {
      dup2 (in[0], STDIN_FILENO);
      dup2 (out[1], STDOUT_FILENO);
      close (line[0]);
      close (in[1]);
      close (out[0]);
      _exit (run_pump (line[1]));
    }
  close (in[0]);
  close (out[1]);
  close (line[1]);
  s->input = in[1];
  s->output = out[0];
  s->guest = line[0];
}

static int
end (Session *s)
{
  int status = 0;
  g_assert_cmpint (waitpid (s->pid, &status, 0), ==, s->pid);
  stasis_fd_clear (&s->input);
  stasis_fd_clear (&s->output);
  stasis_fd_clear (&s->guest);
  g_assert_true (WIFEXITED (status));
  return WEXITSTATUS (status);
}

static void
put (int fd, const char *text)
{
  g_assert_true (stasis_fd_write_exact (fd, text, strlen (text), NULL));
}

static void
expect (int fd, const char *text)
{
  char got[64] = "";
  g_assert_true (stasis_fd_read_exact (fd, got, strlen (text), NULL));
  g_assert_cmpstr (got, ==, text);
}

static void
test_both_ways (void)
{
  Session s;
  begin (&s);
  put (s.guest, "login: ");
  expect (s.output, "login: ");
  put (s.input, "root\n");
  expect (s.guest, "root\n");
  put (s.guest, "bye");
  stasis_fd_clear (&s.guest);
  expect (s.output, "bye");
  g_assert_cmpint (end (&s), ==, STATUS_OK);
}

static void
test_escape (void)
{
  Session s;
  begin (&s);
  put (s.input, "ls\x1dnot sent");
  expect (s.guest, "ls");
  char octet = 0;
  g_assert_cmpint (read (s.guest, &octet, 1), ==, 0);
  g_assert_cmpint (end (&s), ==, STATUS_OK);
}

/* The end of a pipe on our side is not the end of what the guest says. */
static void
test_input_ends (void)
{
  Session s;
  begin (&s);
  put (s.input, "run\n");
  stasis_fd_clear (&s.input);
  expect (s.guest, "run\n");
  put (s.guest, "result");
  expect (s.output, "result");
  stasis_fd_clear (&s.guest);
  g_assert_cmpint (end (&s), ==, STATUS_OK);
}

/* A guest that takes nothing must not keep us from seeing what it says, or from leaving. */
static void
test_guest_does_not_read (void)
{
  Session s;
  begin (&s);
  fcntl (s.input, F_SETFL, O_NONBLOCK);
  g_autofree char *flood = g_strnfill (65536, 'x');
  gsize stuck = 0;
  while (stuck < 50)
    {
      if (write (s.input, flood, 65536) > 0)
        stuck = 0;
      else
        {
          g_assert_cmpint (errno, ==, EAGAIN);
          stuck++;
          g_usleep (2000);
        }
    }
  put (s.guest, "still here");
  expect (s.output, "still here");
  stasis_fd_clear (&s.guest);
  g_assert_cmpint (end (&s), ==, STATUS_OK);
}

/* `stasis console | head`: the reader has gone. */
static void
test_reader_gone (void)
{
  Session s;
  begin (&s);
  stasis_fd_clear (&s.output);
  put (s.guest, "nobody listens");
  g_assert_cmpint (end (&s), ==, STATUS_OK);
}

typedef struct
{
  int master; /* (owned): the user's end of the terminal */
  int slave;  /* (owned): keeps the terminal when the child has ended */
  int guest;  /* (owned) */
  pid_t pid;
} Terminal;

static void
begin_terminal (Terminal *t)
{
  int line[2];
  g_assert_no_errno (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line));
  /* So small that a guest that does not read blocks a write, and not only poll(). */
  const int size = 1;
  setsockopt (line[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  t->pid = forkpty (&t->master, NULL, NULL, NULL);
  g_assert_cmpint (t->pid, >=, 0);
  if (t->pid == 0)
    _exit (run_pump (line[1]));
  close (line[1]);
  t->guest = line[0];
  t->slave = open (ptsname (t->master), O_RDWR | O_NOCTTY | O_CLOEXEC);
  put (t->guest, "ready");
  expect (t->master, "ready");
}

static void
end_terminal (Terminal *t)
{
  int status = 0;
  g_assert_cmpint (waitpid (t->pid, &status, 0), ==, t->pid);
  g_assert_cmpint (WEXITSTATUS (status), ==, STATUS_OK);
  struct termios after;
  g_assert_no_errno (tcgetattr (t->master, &after));
  g_assert_cmpuint (after.c_lflag & (ICANON | ECHO | ISIG), ==, ICANON | ECHO | ISIG);
  stasis_fd_clear (&t->master);
  stasis_fd_clear (&t->slave);
  stasis_fd_clear (&t->guest);
}

/* A terminal is raw meanwhile, and as before afterwards. */
static void
test_terminal (void)
{
  struct termios raw;
  Terminal t;
  begin_terminal (&t);
  g_assert_no_errno (tcgetattr (t.master, &raw));
  g_assert_cmpuint (raw.c_lflag & (ICANON | ECHO | ISIG), ==, 0);
  put (t.master, "\x03");
  expect (t.guest, "\x03");

  put (t.master, "\x1d");
  end_terminal (&t);
}

/* The escape character works although the guest has stopped reading long ago. */
static void
test_terminal_stuck (void)
{
  Terminal t;
  begin_terminal (&t);
  fcntl (t.master, F_SETFL, O_NONBLOCK);
  g_autofree char *flood = g_strnfill (1000, 'x');
  for (guint i = 0; i < 2000; i++)
    if (write (t.master, flood, 1000) < 0)
      g_usleep (500);
  while (write (t.master, "\x1d", 1) < 0)
    g_usleep (1000);
  end_terminal (&t);
}

int
main (int argc, char **argv)
{
  const struct sigaction ignore = { .sa_handler = SIG_IGN };
  sigaction (SIGPIPE, &ignore, NULL);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cli/console/both-ways", test_both_ways);
  g_test_add_func ("/cli/console/escape", test_escape);
  g_test_add_func ("/cli/console/input-ends", test_input_ends);
  g_test_add_func ("/cli/console/guest-does-not-read", test_guest_does_not_read);
  g_test_add_func ("/cli/console/reader-gone", test_reader_gone);
  g_test_add_func ("/cli/console/terminal", test_terminal);
  g_test_add_func ("/cli/console/terminal-stuck", test_terminal_stuck);
  return g_test_run ();
}
