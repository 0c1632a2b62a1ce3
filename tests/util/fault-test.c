/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fault-test.c: tests of src/util/fault.c
 */

#include "config.h"

#include "util/fault.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "helper.h"

static void
test_none (void)
{
  g_autoptr (GError) error = NULL;
  g_unsetenv ("STASIS_FAULT");
  g_assert_true (stasis_fault ("step", &error));
  g_assert_no_error (error);
}

static void
test_fail (void)
{
  if (!STASIS_FAULTS)
    {
      g_test_skip ("built without fault points");
      return;
    }

  static const struct
  {
    const char *asked;
    gboolean fails;
  } cases[] = {
    { "step=fail", TRUE },  { "other=fail", FALSE }, { "a=kill,step=fail", TRUE },
    { "step=fail,", TRUE }, { ",,step=fail", TRUE }, { "step", FALSE },
    { "", FALSE },          { "steps=fail", FALSE }, { "ste=fail", FALSE },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      g_setenv ("STASIS_FAULT", cases[i].asked, TRUE);
      g_assert_cmpint (stasis_fault ("step", &error), ==, !cases[i].fails);
      if (cases[i].fails)
        g_assert_error (error, G_IO_ERROR, G_IO_ERROR_FAILED);
      else
        g_assert_no_error (error);
    }
  g_unsetenv ("STASIS_FAULT");
}

static void
test_kill (void)
{
  if (!STASIS_FAULTS)
    {
      g_test_skip ("built without fault points");
      return;
    }

  g_autoptr (GSubprocess) killed = helper_start ("one=kill", NULL, NULL);
  g_subprocess_wait (killed, NULL, NULL);
  g_assert_true (g_subprocess_get_if_signaled (killed));
  g_assert_cmpint (g_subprocess_get_term_sig (killed), ==, SIGKILL);
}

static void
test_other_step (void)
{
  g_autoptr (GSubprocess) helper = helper_start ("two=kill", NULL, NULL);
  g_subprocess_wait (helper, NULL, NULL);
  g_assert_cmpint (g_subprocess_get_exit_status (helper), ==, 0);
}

int
main (int argc, char **argv)
{
  if (argc == 2 && strcmp (argv[1], "--helper") == 0)
    return stasis_fault ("one", NULL) ? 0 : 1;

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/util/fault/none", test_none);
  g_test_add_func ("/util/fault/fail", test_fail);
  g_test_add_func ("/util/fault/kill", test_kill);
  g_test_add_func ("/util/fault/other-step", test_other_step);
  return g_test_run ();
}
