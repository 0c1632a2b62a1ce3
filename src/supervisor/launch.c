/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * launch.c: stasis-launch, what a program passes through on its way to being detached
 *
 *   stasis-launch [--uid N --gid N [--group N]] [--env NAME=VALUE ...] -- PROGRAM [ARG ...]
 *
 * Makes a session of its own, waits for one octet on descriptor 3 (end of file: exits, for then
 * its starter died), drops to the user asked for, without capabilities, supplementary groups or
 * a way to new privileges, and becomes PROGRAM.  With --env, PROGRAM's environment is just what
 * is given so; it never is this program's own, which may still be root's: a guest's definition
 * may hold an LD_PRELOAD.  No library but libc's, and nothing that could fail half way: whatever
 * goes wrong is said on standard error, which is the program's log.
 */

#include "config.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define GO_FD 3

typedef struct
{
  long uid;
  long gid;
  long group;
  char **env;   /* ends with NULL */
  size_t n_env; /* 0: the environment as it is here */
  char **program;
} Request;

static int
fail (const char *what)
{
  fprintf (stderr, "stasis-launch: %s: %s\n", what, strerror (errno));
  return 127;
}

/* The option's value in *out where argv[i] is that option. */
static int
take_option (char **argv, int i, const char *name, long *out)
{
  if (strcmp (argv[i], name) != 0 || argv[i + 1] == NULL)
    return 0;
  char *end = NULL;
  errno = 0;
  *out = strtol (argv[i + 1], &end, 10);
  return errno == 0 && *end == '\0' && *out >= 0;
}

/* There is room: every variable takes two arguments. */
static int
take_env (char **argv, int i, Request *request)
{
  if (strcmp (argv[i], "--env") != 0 || argv[i + 1] == NULL || strchr (argv[i + 1], '=') == NULL)
    return 0;
  request->env[request->n_env++] = argv[i + 1];
  return 1;
}

static int
parse (int argc, char **argv, Request *out_request)
{
  *out_request = (Request){ .uid = -1, .gid = -1, .group = -1 };
  out_request->env = calloc ((size_t) argc + 1, sizeof *out_request->env);
  if (out_request->env == NULL)
    return 0;
  for (int i = 1; argv[i] != NULL; i += 2)
    {
      if (strcmp (argv[i], "--") == 0)
        {
          out_request->program = &argv[i + 1];
          return argv[i + 1] != NULL;
        }
      if (!take_option (argv, i, "--uid", &out_request->uid)
          && !take_option (argv, i, "--gid", &out_request->gid)
          && !take_option (argv, i, "--group", &out_request->group)
          && !take_env (argv, i, out_request))
        return 0;
    }
  return 0;
}

/* One octet, or the end of file of a starter that died. */
static int
wait_for_go (void)
{
  char octet;
  ssize_t n;
  do
    n = read (GO_FD, &octet, 1);
  while (n < 0 && errno == EINTR);
  close (GO_FD);
  return n == 1;
}

static int
drop_privileges (const Request *request)
{
  if (prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
    return 0;
  if (request->uid < 0)
    return 1;

  const gid_t group = (gid_t) request->group;
  if (setgroups (request->group < 0 ? 0 : 1, &group) < 0
      || setresgid ((gid_t) request->gid, (gid_t) request->gid, (gid_t) request->gid) < 0
      || setresuid ((uid_t) request->uid, (uid_t) request->uid, (uid_t) request->uid) < 0)
    return 0;
  /* A user other than root has lost all capabilities with that. */
  return 1;
}

int
main (int argc, char **argv)
{
  static Request request; /* static: what it points to is no leak */
  if (!parse (argc, argv, &request))
    {
      fputs ("stasis-launch: started by hand? It belongs to the stasis driver.\n", stderr);
      return 127;
    }

  setsid ();
  umask (0077);
  for (int i = 1; i < NSIG; i++)
    signal (i, SIG_DFL);
  sigset_t none;
  sigemptyset (&none);
  sigprocmask (SIG_SETMASK, &none, NULL);
  if (chdir ("/") < 0)
    return fail ("cannot change to '/'");

  /* Guest memory does not belong into a core file. */
  const struct rlimit no_core = { 0, 0 };
  setrlimit (RLIMIT_CORE, &no_core);

  if (!wait_for_go ())
    return 126;
  if (!drop_privileges (&request))
    return fail ("cannot drop privileges");
  if (request.n_env > 0)
    execve (request.program[0], request.program, request.env);
  else
    execv (request.program[0], request.program);
  return fail (request.program[0]);
}
