/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * spawn-helper.c: a starter that dies, and a program that tells how it was started
 *
 *   spawn-helper begin LOG FILE    begin "touch FILE", print its pid, and wait to be killed
 *   spawn-helper tell [FD ...]     print one line about this process, then what each FD holds
 *   spawn-helper env               print the environment, [NAME=VALUE] a line
 */

#include "config.h"

#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver/spawn.h"

extern char **environ;

static int
begin (const char *log, const char *file)
{
  g_autoptr (StasisSpawn) spawn = stasis_spawn_new (log);
  stasis_spawn_add_arg (spawn, "/usr/bin/touch");
  stasis_spawn_add_arg (spawn, file);
  StasisProcess process;
  if (!stasis_spawn_begin (spawn, &process, NULL))
    return 1;
  prctl (PR_SET_PDEATHSIG, SIGKILL);
  printf ("%d\n", (int) process.pid);
  fflush (stdout);
  for (;;)
    pause ();
}

static int
count_fds (void)
{
  int count = 0;
  for (int fd = 0; fd < 1024; fd++)
    count += fcntl (fd, F_GETFD) >= 0;
  return count;
}

static int
tell (int argc, char **argv)
{
  gid_t groups[8] = { 0 };
  uid_t uids[3];
  gid_t gids[3];
  struct rlimit core;
  char folder[64] = "?";
  const int n_groups = getgroups (8, groups);
  getresuid (&uids[0], &uids[1], &uids[2]);
  getresgid (&gids[0], &gids[1], &gids[2]);
  getrlimit (RLIMIT_CORE, &core);
  const mode_t mask = umask (0);
  const char *set = getenv ("SPAWN_TEST");
  printf ("session=%d uid=%d,%d,%d gid=%d,%d,%d groups=%d:%d nnp=%d umask=%o core=%d cwd=%s "
          "env=%s fds=%d stdin=%d\n",
          getsid (0) == getpid (), (int) uids[0], (int) uids[1], (int) uids[2], (int) gids[0],
          (int) gids[1], (int) gids[2], n_groups, n_groups > 0 ? (int) groups[0] : -1,
          prctl (PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), (unsigned int) mask, (int) core.rlim_cur,
          getcwd (folder, sizeof folder), set != NULL ? set : "", count_fds (), getchar ());
  for (int i = 0; i < argc; i++)
    {
      char text[64] = "";
      const ssize_t n = pread (atoi (argv[i]), text, sizeof text - 1, 0);
      printf ("fd %s: %s\n", argv[i], n >= 0 ? text : "closed");
    }
  fputs ("to standard error\n", stderr);
  return 0;
}

static int
tell_env (void)
{
  for (char **entry = environ; *entry != NULL; entry++)
    printf ("[%s]\n", *entry);
  return 0;
}

int
main (int argc, char **argv)
{
  if (argc == 4 && strcmp (argv[1], "begin") == 0)
    return begin (argv[2], argv[3]);
  if (argc >= 2 && strcmp (argv[1], "tell") == 0)
    return tell (argc - 2, argv + 2);
  if (argc == 2 && strcmp (argv[1], "env") == 0)
    return tell_env ();
  return 2;
}
