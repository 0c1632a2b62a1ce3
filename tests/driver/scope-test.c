/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scope-test.c: tests of src/driver/scope.c on a host without systemd
 *
 * What needs one is tested by scripts/systemd-machine.sh.
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

static gboolean
yes (guint32 uid)
{
  g_assert_cmpuint (uid, ==, 1000);
  return TRUE;
}

static gboolean
no (guint32 uid)
{
  g_assert_cmpuint (uid, ==, 1000);
  return FALSE;
}

/* Lingering need not be asked for. */
static gboolean
unasked (guint32 uid)
{
  g_assert_not_reached ();
}

#define SESSION "0::/user.slice/user-1000.slice/session-3.scope\n"
#define SERVICE "0::/system.slice/cron.service\n"
#define MANAGED "0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.service\n"
#define FOREIGN "0::/user.slice/user-10.slice/user@10.service/app.slice/x.service\n"
#define HYBRID \
  "2:memory:/\n1:name=systemd:/user.slice/user-1000.slice/user@1000.service/x.scope\n0::/\n"

typedef struct
{
  const char *test;
  guint32 uid;
  const char *cgroups;
  gboolean (*lingers) (guint32 uid);
  StasisScopeKind kind;
} Case;

static const Case cases[] = {
  { "root-login", 0, "0::/user.slice/user-0.slice/session-1.scope\n", unasked,
    STASIS_SCOPE_SYSTEM },
  { "root-service", 0, SERVICE, unasked, STASIS_SCOPE_SYSTEM },
  { "root-in-a-manager", 0, MANAGED, unasked, STASIS_SCOPE_SYSTEM },
  { "login", 1000, SESSION, no, STASIS_SCOPE_NONE },
  { "login-lingering", 1000, SESSION, yes, STASIS_SCOPE_USER },
  { "service", 1000, SERVICE, no, STASIS_SCOPE_NONE },
  { "service-lingering", 1000, SERVICE, yes, STASIS_SCOPE_USER },
  { "own-manager", 1000, MANAGED, unasked, STASIS_SCOPE_USER },
  { "own-manager-hybrid", 1000, HYBRID, unasked, STASIS_SCOPE_USER },
  { "manager-of-another", 1000, FOREIGN, no, STASIS_SCOPE_NONE },
  { "no-cgroups", 1000, "", no, STASIS_SCOPE_NONE },
};

static void
test_choose (gconstpointer data)
{
  const Case *c = data;
  g_assert_cmpint (stasis_scope_choose (c->uid, c->cgroups, c->lingers), ==, c->kind);
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
  stasis_scope_enter ("web", getpid ());
  stasis_scope_enter ("w\xc3\xa4-b \x01", getpid ());
  g_autofree char *after = own_cgroup ();
  g_assert_cmpstr (before, ==, after);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *test = g_strconcat ("/driver/scope/choose/", cases[i].test, NULL);
      g_test_add_data_func (test, &cases[i], test_choose);
    }
  g_test_add_func ("/driver/scope/without-systemd", test_without_systemd);
  return g_test_run ();
}
