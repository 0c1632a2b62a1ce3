/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hook.c: stasis-hook, what a hook passes through on its way to being called
 *
 *   stasis-hook MARK PARENT PROGRAM [ARG ...]
 *
 * Makes a session of its own and becomes PROGRAM, which gets the environment and the descriptors 0
 * to 2 of this program.
 *
 * MARK (or an empty word) is a file that says who is called: process id and start time.  It is made
 * right before PROGRAM begins, and by one process only: where it is there already, this one ends
 * with 125.  So a hook is called once, although whoever wants it called may die at any moment.
 *
 * PARENT (or 0) is the process id of whoever wants it called: when that dies PROGRAM gets a
 * SIGTERM, and if it is dead already PROGRAM does not begin at all.
 */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXIT_CALLED_ALREADY 125
#define EXIT_ORPHANED       126
#define EXIT_FAILED         127

#define START_TIME_FIELD 20 /* of /proc/PID/stat, counted from behind the name; proc(5) */

static int
fail (const char *what)
{
  fprintf (stderr, "stasis-hook: %s: %s\n", what, strerror (errno));
  return EXIT_FAILED;
}

/* The text of /proc/self/stat behind the name, which may hold any octets. */
static const char *
read_own_stat (char *buffer, size_t size)
{
  const int fd = open ("/proc/self/stat", O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return NULL;
  const ssize_t n = read (fd, buffer, size - 1);
  close (fd);
  if (n <= 0)
    return NULL;
  buffer[n] = '\0';
  return strrchr (buffer, ')');
}

/* When the kernel says that this process began; 0: it does not. */
static unsigned long long
own_start_time (void)
{
  char buffer[4096];
  const char *at = read_own_stat (buffer, sizeof buffer);
  for (int i = 0; at != NULL && i < START_TIME_FIELD; i++)
    {
      at = strchr (at, ' ');
      if (at != NULL)
        at++;
    }
  return at != NULL ? strtoull (at, NULL, 10) : 0;
}

/* A file without its final name, complete. */
static int
write_mark (const char *path)
{
  const int fd = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0)
    return 0;
  const int length = dprintf (fd, "%d %llu\n", (int) getpid (), own_start_time ());
  return close (fd) == 0 && length > 0;
}

/* 0: somebody else was faster.  Where there is no room for a mark it is called all the same: a full
 * disk does not keep a domain from ending. */
static int
take_mark (const char *mark)
{
  char temporary[4096];
  if (snprintf (temporary, sizeof temporary, "%s.%d~", mark, (int) getpid ())
      >= (int) sizeof temporary)
    return 1;
  const int is_written = write_mark (temporary);
  const int is_first = !is_written || link (temporary, mark) == 0 || errno != EEXIST;
  unlink (temporary);
  return is_first;
}

/* As a program finds itself that was started by hand. */
static void
reset_process (void)
{
  setsid ();
  umask (0022);
  for (int i = 1; i < NSIG; i++)
    signal (i, SIG_DFL);
  sigset_t none;
  sigemptyset (&none);
  sigprocmask (SIG_SETMASK, &none, NULL);
}

int
main (int argc, char **argv)
{
  if (argc < 4)
    {
      fputs ("stasis-hook: started by hand? It belongs to the stasis driver.\n", stderr);
      return EXIT_FAILED;
    }
  const char *mark = argv[1];
  const pid_t parent = (pid_t) strtol (argv[2], NULL, 10);

  reset_process ();
  if (chdir ("/") < 0)
    return fail ("cannot change to '/'");
  if (parent > 0 && prctl (PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) < 0)
    return fail ("cannot be told of the end of who called");
  if (parent > 0 && getppid () != parent)
    return EXIT_ORPHANED;
  if (*mark != '\0' && !take_mark (mark))
    return EXIT_CALLED_ALREADY;
  execv (argv[3], &argv[3]);
  return fail (argv[3]);
}
