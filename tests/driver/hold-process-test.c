/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hold-process-test.c: tests of src/driver/hold.c between two processes; no QEMU runs
 */

#include "config.h"

#include "driver/hold.h"

#include <signal.h>
#include <stasis/error.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "scratch.h"

#define SHORT_US 300000 /* a short operation */

typedef struct
{
  char *folder;
  StasisDriver *driver;
} Fixture;

static StasisDriver *
open_driver (void)
{
  g_autoptr (GError) error = NULL;
  StasisDriver *driver = stasis_driver_open ("stasis:///session", NULL, &error);
  g_assert_no_error (error);
  return driver;
}

static void
set_up (Fixture *f, gconstpointer data)
{
  f->folder = scratch_new ();
  g_setenv ("STASIS_STATE_DIR", f->folder, TRUE);
  f->driver = open_driver ();
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  g_object_unref (f->driver);
  scratch_remove (f->folder);
}

static StasisStatus *
new_status (const char *name)
{
  StasisStatus *status = stasis_status_new ();
  status->name = g_strdup (name);
  status->uuid = g_strdup ("d0010203-0405-4607-8809-0a0b0c0d0e0f");
  status->id = 1;
  status->on_crash = g_strdup ("destroy");
  return status;
}

/* The other process: takes hold of "web", with a journal entry of @operation until it is killed,
 * or for a short one without. */
static int
run_helper (const char *operation)
{
  g_autoptr (StasisDriver) driver = open_driver ();
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisHold) hold = stasis_hold_take (driver, "web", &error);
  g_assert_no_error (error);
  if (*operation != '\0')
    {
      g_assert_true (stasis_paths_make (hold->folder, NULL));
      hold->status = new_status ("web");
      stasis_journal_begin (&hold->status->journal, STASIS_STEP_START, operation);
      g_assert_true (stasis_hold_write (hold, &error));
    }
  prctl (PR_SET_PDEATHSIG, SIGKILL);
  puts ("ready");
  fflush (stdout);
  if (*operation == '\0')
    g_usleep (SHORT_US);
  else
    pause ();
  return 0;
}

static GSubprocess *
start_holder (const char *operation)
{
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL); /* not valgrind */
  g_autoptr (GError) error = NULL;
  GSubprocess *holder = g_subprocess_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error, self, "--helper",
                                          operation, NULL);
  g_assert_no_error (error);
  char line[8] = "";
  g_input_stream_read (g_subprocess_get_stdout_pipe (holder), line, sizeof line - 1, NULL, &error);
  g_assert_cmpstr (line, ==, "ready\n");
  return holder;
}

static void
test_free_domain (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  StasisHold *hold = stasis_hold_take (f->driver, "web", &error);
  g_assert_no_error (error);
  g_assert_null (hold->status);
  stasis_hold_release (hold);
  stasis_hold_release (NULL);

  g_assert_null (stasis_hold_take_running (f->driver, "web", &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE);
  g_assert_nonnull (strstr (error->message, "'web'"));
  g_clear_error (&error);

  /* One domain's hold is not another's. */
  g_autoptr (StasisHold) web = stasis_hold_take (f->driver, "web", &error);
  g_autoptr (StasisHold) mail = stasis_hold_take (f->driver, "mail", &error);
  g_assert_no_error (error);
  g_assert_nonnull (web);
  g_assert_nonnull (mail);
}

/* While a job is on: at once, with what and who. */
static void
test_busy (Fixture *f, gconstpointer data)
{
  g_autoptr (GSubprocess) holder = start_holder ("managedsave");
  g_autoptr (GError) error = NULL;
  const gint64 begin = g_get_monotonic_time ();
  g_assert_null (stasis_hold_take (f->driver, "web", &error));
  g_assert_cmpint (g_get_monotonic_time () - begin, <, 2 * G_USEC_PER_SEC);
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_BUSY);
  g_autofree char *who
      = g_strdup_printf ("managedsave by process %s", g_subprocess_get_identifier (holder));
  g_assert_nonnull (strstr (error->message, "'web'"));
  g_assert_nonnull (strstr (error->message, who));
  g_clear_error (&error);

  /* Its death frees the domain; what it began is cleared away first. */
  g_subprocess_force_exit (holder);
  g_subprocess_wait (holder, NULL, NULL);
  g_autoptr (StasisHold) hold = stasis_hold_take (f->driver, "web", &error);
  g_assert_no_error (error);
  g_assert_null (hold->status);
  g_assert_false (g_file_test (hold->folder, G_FILE_TEST_EXISTS));
}

/* A short operation has no journal: it is waited for. */
static void
test_wait (Fixture *f, gconstpointer data)
{
  const gint64 begin = g_get_monotonic_time ();
  g_autoptr (GSubprocess) holder = start_holder ("");
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisHold) hold = stasis_hold_take (f->driver, "web", &error);
  g_assert_no_error (error);
  g_assert_nonnull (hold);
  g_assert_cmpint (g_get_monotonic_time () - begin, >=, SHORT_US);
}

static char *
make_run_folder (Fixture *f)
{
  g_autoptr (StasisPaths) paths = scratch_paths (f->folder);
  char *run = stasis_paths_domain (paths, "web", NULL);
  g_assert_true (stasis_paths_make (run, NULL));
  return run;
}

/* QEMU died and nobody saw it: the run folder goes, the domain does not run. */
static void
test_qemu_gone (Fixture *f, gconstpointer data)
{
  const int pidfd = (int) syscall (SYS_pidfd_open, getpid (), 0);
  if (pidfd < 0)
    {
      g_test_skip ("no pidfds here: valgrind 3.19 lacks them");
      return;
    }
  close (pidfd);
  g_autofree char *run = make_run_folder (f);
  g_autoptr (StasisStatus) status = new_status ("web");
  status->qemu = (StasisProcess){ G_MAXINT, 1 };
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_status_write (status, run, &error));
  g_autoptr (StasisHold) hold = stasis_hold_take (f->driver, "web", &error);
  g_assert_no_error (error);
  g_assert_null (hold->status);
  g_assert_false (g_file_test (run, G_FILE_TEST_EXISTS));
}

/* A status that nobody can read is not "it does not run". */
static void
test_bad_status (Fixture *f, gconstpointer data)
{
  g_autofree char *run = make_run_folder (f);
  g_free (scratch_text (run, "status.json", "{"));
  g_autoptr (GError) error = NULL;
  g_assert_null (stasis_hold_take (f->driver, "web", &error));
  g_assert_nonnull (error);
  g_assert_nonnull (strstr (error->message, run));
  g_assert_true (g_file_test (run, G_FILE_TEST_EXISTS));
}

int
main (int argc, char **argv)
{
  if (argc == 3 && strcmp (argv[1], "--helper") == 0)
    return run_helper (argv[2]);

  g_test_init (&argc, &argv, NULL);
  g_test_add ("/driver/hold-process/free", Fixture, NULL, set_up, test_free_domain, tear_down);
  g_test_add ("/driver/hold-process/busy", Fixture, NULL, set_up, test_busy, tear_down);
  g_test_add ("/driver/hold-process/wait", Fixture, NULL, set_up, test_wait, tear_down);
  g_test_add ("/driver/hold-process/qemu-gone", Fixture, NULL, set_up, test_qemu_gone, tear_down);
  g_test_add ("/driver/hold-process/bad-status", Fixture, NULL, set_up, test_bad_status, tear_down);
  return g_test_run ();
}
