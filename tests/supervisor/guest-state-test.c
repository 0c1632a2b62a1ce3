/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest-state-test.c: what state a guest is in, and why
 */

#include "config.h"

#include "supervisor/guest-state.h"

#include <glib/gstdio.h>

typedef struct
{
  const char *name;
  const char *steps; /* run states in order; "+job" begins one, "-" ends it; "!": its memory was
                        found damaged */
  StasisDomainState state;
  const char *reason;
} Case;

static const Case cases[] = {
  { "booted", "prelaunch running", STASIS_DOMAIN_RUNNING, "booted" },
  { "starting", "+start prelaunch", STASIS_DOMAIN_PAUSED, "starting up" },
  { "start-paused", "prelaunch", STASIS_DOMAIN_PAUSED, "user" },
  { "restored", "+restore inmigrate paused - running", STASIS_DOMAIN_RUNNING, "booted" },
  { "suspended", "running paused", STASIS_DOMAIN_PAUSED, "user" },
  { "resumed", "running paused running", STASIS_DOMAIN_RUNNING, "unpaused" },
  { "save", "running +save paused", STASIS_DOMAIN_PAUSED, "saving" },
  { "save-written", "running +managedsave paused postmigrate", STASIS_DOMAIN_PAUSED, "saving" },
  { "save-canceled", "running +save paused postmigrate running -", STASIS_DOMAIN_RUNNING,
    "save canceled" },
  { "save-canceled-late", "running +save paused - running", STASIS_DOMAIN_RUNNING,
    "save canceled" },
  { "save-of-paused", "running paused +save postmigrate -", STASIS_DOMAIN_PAUSED, "user" },
  { "save-of-paused-resumed", "running paused +save postmigrate - running", STASIS_DOMAIN_RUNNING,
    "unpaused" },
  { "migration-canceled", "running +migrate-out paused running", STASIS_DOMAIN_RUNNING,
    "migration canceled" },
  { "dump", "running +dump paused", STASIS_DOMAIN_PAUSED, "dumping" },
  { "io-error", "running paused io-error", STASIS_DOMAIN_PAUSED, "I/O error" },
  { "io-error-resumed", "running paused io-error running", STASIS_DOMAIN_RUNNING, "unpaused" },
  { "damaged", "running paused !", STASIS_DOMAIN_PAUSED, "I/O error" },
  { "damaged-resumed", "running paused ! running", STASIS_DOMAIN_RUNNING, "unpaused" },
  { "damaged-resumed-paused", "running paused ! running paused", STASIS_DOMAIN_PAUSED, "user" },
  { "watchdog", "running watchdog", STASIS_DOMAIN_PAUSED, "watchdog" },
  { "io-error-hidden", "running +save io-error finish-migrate postmigrate -", STASIS_DOMAIN_PAUSED,
    "I/O error" },
  { "io-error-hidden-job", "running +save io-error finish-migrate", STASIS_DOMAIN_PAUSED,
    "I/O error" },
  { "io-error-hidden-resumed", "running +save io-error postmigrate - running",
    STASIS_DOMAIN_RUNNING, "unpaused" },
  { "io-error-hidden-paused", "running io-error postmigrate running paused", STASIS_DOMAIN_PAUSED,
    "user" },
  { "io-error-unseen-paused", "running io-error postmigrate paused", STASIS_DOMAIN_PAUSED, "user" },
  { "watchdog-hidden", "running +save watchdog postmigrate -", STASIS_DOMAIN_PAUSED, "watchdog" },
  { "internal-error", "running internal-error", STASIS_DOMAIN_PAUSED, "unknown" },
  { "shutdown", "running paused shutdown", STASIS_DOMAIN_SHUTDOWN, "user" },
  { "panicked", "running guest-panicked", STASIS_DOMAIN_CRASHED, "panicked" },
  { "sleeps", "running suspended", STASIS_DOMAIN_PMSUSPENDED, "unknown" },
  { "woken", "running suspended running", STASIS_DOMAIN_RUNNING, "wakeup" },
  { "never-heard", "", STASIS_DOMAIN_NOSTATE, "unknown" },
};

/* Walk through the steps; with @folder a new supervisor takes over after each of them, which has
 * not yet asked QEMU when the next one comes. */
static StasisDomainState
walk (const Case *one, const char *folder, const char **out_reason)
{
  StasisGuestState guest;
  StasisRunState now = STASIS_RUN_STATE_UNKNOWN;
  const char *job = NULL;
  g_auto (GStrv) steps = g_strsplit (one->steps, " ", -1);
  stasis_guest_state_init (&guest, "booted");
  for (guint i = 0; steps[i] != NULL && *steps[i] != '\0'; i++)
    {
      if (*steps[i] == '+')
        job = steps[i] + 1;
      else if (*steps[i] == '-')
        job = NULL;
      else if (*steps[i] == '!')
        {
          stasis_guest_state_change (&guest, now, job);
          stasis_guest_state_blame_memory (&guest);
          g_assert_true (folder == NULL || stasis_guest_state_store (&guest, folder, NULL));
        }
      else
        {
          now = stasis_run_state_from_string (steps[i]);
          g_autoptr (GError) error = NULL;
          if (stasis_guest_state_change (&guest, now, job) && folder != NULL)
            stasis_guest_state_store (&guest, folder, &error);
          g_assert_no_error (error);
        }
      if (folder != NULL)
        {
          stasis_guest_state_init (&guest, "booted");
          stasis_guest_state_load (&guest, folder);
          /* Only who was there when it fell asleep can know of its waking up. */
          if (now == STASIS_RUN_STATE_SUSPENDED || steps[i + 1] == NULL)
            stasis_guest_state_change (&guest, now, job);
        }
    }
  return stasis_guest_state_describe (&guest, job, out_reason);
}

static void
test_walk (gconstpointer data)
{
  const Case *one = data;
  const char *reason = NULL;
  g_assert_cmpint (walk (one, NULL, &reason), ==, one->state);
  g_assert_cmpstr (reason, ==, one->reason);
}

static void
test_replaced (gconstpointer data)
{
  const Case *one = data;
  const char *reason = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *folder = g_dir_make_tmp ("stasis-XXXXXX", &error);
  g_assert_no_error (error);
  g_assert_cmpint (walk (one, folder, &reason), ==, one->state);
  g_assert_cmpstr (reason, ==, one->reason);
  g_autofree char *path = g_build_filename (folder, "supervisor.json", NULL);
  g_unlink (path);
  g_assert_cmpint (g_rmdir (folder), ==, 0);
}

static void
test_load_garbage (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *folder = g_dir_make_tmp ("stasis-XXXXXX", &error);
  g_autofree char *path = g_build_filename (folder, "supervisor.json", NULL);
  StasisGuestState guest;
  stasis_guest_state_init (&guest, "restored");
  g_assert_true (g_file_set_contents (path, "[{]", -1, &error));
  stasis_guest_state_load (&guest, folder);
  g_assert_true (
      g_file_set_contents (path, "{\"running-reason\":7,\"stopped-by\":[]}", -1, &error));
  stasis_guest_state_load (&guest, folder);
  g_assert_cmpstr (guest.running_reason, ==, "restored");
  g_assert_null (guest.stopped_by);
  g_unlink (path);
  g_rmdir (folder);
}

/* Of a guest whose memory is on two hosts, at either end. */
static void
test_postcopy (void)
{
  static const struct
  {
    StasisMigrationStatus status;
    const char *reason; /* NULL: its own */
  } steps[] = {
    { STASIS_MIGRATION_ACTIVE, NULL },
    { STASIS_MIGRATION_POSTCOPY_ACTIVE, "post-copy" },
    { STASIS_MIGRATION_POSTCOPY_PAUSED, "post-copy failed" },
    { STASIS_MIGRATION_UNKNOWN, "post-copy failed" },
    { STASIS_MIGRATION_POSTCOPY_RECOVER, "post-copy failed" },
    { STASIS_MIGRATION_POSTCOPY_ACTIVE, "post-copy" },
    { STASIS_MIGRATION_COMPLETED, NULL },
    { STASIS_MIGRATION_FAILED, NULL },
    { STASIS_MIGRATION_POSTCOPY_ACTIVE, "post-copy" },
    { STASIS_MIGRATION_FAILED, "post-copy failed" },
    { STASIS_MIGRATION_FAILED, "post-copy failed" },
  };
  for (guint i = 0; i < 2; i++)
    {
      StasisGuestState guest;
      const char *reason = NULL;
      stasis_guest_state_init (&guest, "migrated");
      stasis_guest_state_change (&guest, STASIS_RUN_STATE_RUNNING, NULL);
      if (i == 1)
        stasis_guest_state_change (&guest, STASIS_RUN_STATE_PAUSED, NULL);
      for (guint j = 0; j < G_N_ELEMENTS (steps); j++)
        {
          stasis_guest_state_migrates (&guest, steps[j].status);
          g_assert_cmpint (stasis_guest_state_describe (&guest, NULL, &reason), ==,
                           i == 0 ? STASIS_DOMAIN_RUNNING : STASIS_DOMAIN_PAUSED);
          g_assert_cmpstr (reason, ==,
                           steps[j].reason != NULL ? steps[j].reason
                           : i == 0                ? "migrated"
                                                   : "user");
        }
      if (i == 0)
        continue;
      /* It was taken back. */
      stasis_guest_state_change (&guest, STASIS_RUN_STATE_RUNNING, NULL);
      stasis_guest_state_describe (&guest, NULL, &reason);
      g_assert_cmpstr (reason, ==, "unpaused");
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strconcat ("/supervisor/guest-state/walk/", cases[i].name, NULL);
      g_test_add_data_func (path, &cases[i], test_walk);
      g_autofree char *again
          = g_strconcat ("/supervisor/guest-state/replaced/", cases[i].name, NULL);
      g_test_add_data_func (again, &cases[i], test_replaced);
    }
  g_test_add_func ("/supervisor/guest-state/postcopy", test_postcopy);
  g_test_add_func ("/supervisor/guest-state/load/garbage", test_load_garbage);
  return g_test_run ();
}
