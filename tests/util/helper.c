/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * helper.c: run this test program again as another process
 */

#include "config.h"

#include "helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

GSubprocess *
helper_start (const char *fault, ...)
{
  /* By name: under valgrind the link itself leads a child to valgrind. */
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  g_autoptr (GStrvBuilder) argv = g_strv_builder_new ();
  g_strv_builder_add_many (argv, self, "--helper", NULL);
  va_list args;
  va_start (args, fault);
  for (const char *word = va_arg (args, const char *); word != NULL;
       word = va_arg (args, const char *))
    g_strv_builder_add (argv, word);
  va_end (args);

  g_autoptr (GError) error = NULL;
  g_autoptr (GSubprocessLauncher) launcher
      = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE);
  if (fault != NULL)
    g_subprocess_launcher_setenv (launcher, "STASIS_FAULT", fault, TRUE);
  g_auto (GStrv) words = g_strv_builder_end (argv);
  GSubprocess *helper
      = g_subprocess_launcher_spawnv (launcher, (const char *const *) words, &error);
  g_assert_no_error (error);
  char line[8];
  g_input_stream_read (g_subprocess_get_stdout_pipe (helper), line, sizeof line, NULL, &error);
  g_assert_no_error (error);
  return helper;
}

void
helper_wait (void)
{
  puts ("ready");
  fflush (stdout);
  for (;;)
    pause ();
}

pid_t
helper_pid (GSubprocess *helper)
{
  return (pid_t) atoi (g_subprocess_get_identifier (helper));
}
