/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scope-test.c: tests of src/driver/scope.c on a host without systemd
 */

#include "config.h"

#include "driver/scope.h"

#include <string.h>
#include <unistd.h>

static char *
own_cgroup (void)
{
  char *text = NULL;
  g_file_get_contents ("/proc/self/cgroup", &text, NULL, NULL);
  return text;
}

/* Neither a warning (they are fatal here) nor a connection, whatever the bus is said to be. */
static void
test_without_systemd (void)
{
  if (g_file_test ("/run/systemd/system", G_FILE_TEST_IS_DIR))
    {
      g_test_skip ("this host was booted with systemd");
      return;
    }
  g_setenv ("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/no/such/bus", TRUE);
  g_setenv ("DBUS_SESSION_BUS_ADDRESS", "unix:path=/no/such/bus", TRUE);
  g_autofree char *before = own_cgroup ();
  stasis_scope_enter ("web", getpid (), TRUE);
  stasis_scope_enter ("w\xc3\xa4-b \x01", getpid (), FALSE);
  g_autofree char *after = own_cgroup ();
  g_assert_cmpstr (before, ==, after);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/driver/scope/without-systemd", test_without_systemd);
  return g_test_run ();
}
