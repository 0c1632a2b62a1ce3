/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hold-test.c: tests of src/driver/hold.c
 */

#include "config.h"

#include "driver/hold.h"

#include <stasis/error.h>
#include <unistd.h>

#include "scratch.h"
#include "util/lock.h"

#define SHORT_MS 100

typedef struct
{
  char *folder;
  StasisPaths *paths;
  StasisDriver *driver;
  StasisLock *other; /* who has the domain "web": a descriptor counts as a process does */
  char *run;         /* its folder */
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  f->folder = scratch_new ();
  f->paths = scratch_paths (f->folder);
  f->driver = stasis_driver_open ("stasis:///session", NULL, &error);
  g_assert_no_error (error);
  f->other = stasis_hold_lock (f->driver, "web", FALSE, 0, NULL, &error);
  g_assert_no_error (error);
  f->run = stasis_paths_domain (f->paths, "web", NULL);
  g_assert_true (stasis_paths_make (f->run, NULL));
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  g_free (f->run);
  g_clear_pointer (&f->other, stasis_lock_release);
  g_clear_object (&f->driver);
  stasis_paths_free (f->paths);
  scratch_remove (f->folder);
}

/* The other one's status, with a journal of this process or of one that is dead. */
static void
write_journal (Fixture *f, StasisStep step, gboolean is_alive)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisStatus) status = stasis_status_new ();
  status->name = g_strdup ("web");
  status->uuid = g_strdup ("d0010203-0405-4607-8809-0a0b0c0d0e0f");
  stasis_journal_begin (&status->journal, step, "managedsave");
  if (!is_alive)
    status->journal.owner.start_time++;
  g_assert_true (stasis_status_write (status, f->run, &error));
  g_assert_no_error (error);
}

static gpointer
release_later (gpointer data)
{
  Fixture *f = data;
  g_usleep (SHORT_MS * 1000);
  g_clear_pointer (&f->other, stasis_lock_release);
  return NULL;
}

static gpointer
journal_later (gpointer data)
{
  g_usleep (SHORT_MS * 1000);
  write_journal (data, STASIS_STEP_SAVE, TRUE);
  return NULL;
}

static gpointer
cancel_later (gpointer data)
{
  g_usleep (SHORT_MS * 1000);
  g_cancellable_cancel (data);
  return NULL;
}

/* Nobody waits for the whole deadline here. */
static void
assert_busy (Fixture *f, const char *said)
{
  const gint64 began = g_get_monotonic_time ();
  g_autoptr (GError) error = NULL;
  g_assert_null (stasis_hold_take (f->driver, "web", &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_BUSY);
  g_assert_nonnull (strstr (error->message, said));
  g_assert_cmpint (g_get_monotonic_time () - began, <, 10 * G_USEC_PER_SEC);
}

/* A short operation is waited for. */
static void
test_contention (Fixture *f, gconstpointer data)
{
  GThread *thread = g_thread_new ("release", release_later, f);
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisHold) hold = stasis_hold_take (f->driver, "web", &error);
  g_thread_join (thread);
  g_assert_no_error (error);
  g_assert_nonnull (hold);
  g_assert_null (hold->status);
}

static void
test_busy (Fixture *f, gconstpointer data)
{
  g_autofree char *said = g_strdup_printf ("managedsave by process %d", (int) getpid ());
  write_journal (f, STASIS_STEP_SAVE, TRUE);
  assert_busy (f, said);
}

/* Whoever has the lock begins its job after we began to wait. */
static void
test_busy_later (Fixture *f, gconstpointer data)
{
  GThread *thread = g_thread_new ("journal", journal_later, f);
  assert_busy (f, "managedsave by process");
  g_thread_join (thread);
}

/* A dead driver's job is being recovered: that is waited for, and so is a job on request. */
static void
test_waits_through (Fixture *f, gconstpointer data)
{
  const gboolean is_alive = GPOINTER_TO_INT (data);
  write_journal (f, STASIS_STEP_SAVE, is_alive);
  GThread *thread = g_thread_new ("release", release_later, f);
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisLock) lock
      = stasis_hold_lock (f->driver, "web", is_alive, STASIS_HOLD_DEADLINE_MS, NULL, &error);
  g_thread_join (thread);
  g_assert_no_error (error);
  g_assert_nonnull (lock);
}

/* A guest that is being reset is no job: that is waited for. */
static void
test_restart (Fixture *f, gconstpointer data)
{
  write_journal (f, STASIS_STEP_RESTART, TRUE);
  GThread *thread = g_thread_new ("release", release_later, f);
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisLock) lock
      = stasis_hold_lock (f->driver, "web", FALSE, STASIS_HOLD_DEADLINE_MS, NULL, &error);
  g_thread_join (thread);
  g_assert_no_error (error);
  g_assert_nonnull (lock);
}

static void
test_deadline (Fixture *f, gconstpointer data)
{
  const gint64 began = g_get_monotonic_time ();
  g_autoptr (GError) error = NULL;
  g_assert_null (stasis_hold_lock (f->driver, "web", FALSE, SHORT_MS, NULL, &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_BUSY);
  g_assert_nonnull (strstr (error->message, "'web' is busy"));
  g_assert_cmpint (g_get_monotonic_time () - began, >=, SHORT_MS * 1000);
}

static void
test_cancel (Fixture *f, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  GThread *thread = g_thread_new ("cancel", cancel_later, cancellable);
  const gint64 began = g_get_monotonic_time ();
  g_autoptr (GError) error = NULL;
  g_assert_null (stasis_hold_take_cancellable (f->driver, "web", cancellable, &error));
  g_thread_join (thread);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpint (g_get_monotonic_time () - began, <, 10 * G_USEC_PER_SEC);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/driver/hold/contention", Fixture, NULL, set_up, test_contention, tear_down);
  g_test_add ("/driver/hold/busy", Fixture, NULL, set_up, test_busy, tear_down);
  g_test_add ("/driver/hold/busy-later", Fixture, NULL, set_up, test_busy_later, tear_down);
  g_test_add ("/driver/hold/recovery", Fixture, GINT_TO_POINTER (FALSE), set_up, test_waits_through,
              tear_down);
  g_test_add ("/driver/hold/through-job", Fixture, GINT_TO_POINTER (TRUE), set_up,
              test_waits_through, tear_down);
  g_test_add ("/driver/hold/restart", Fixture, NULL, set_up, test_restart, tear_down);
  g_test_add ("/driver/hold/deadline", Fixture, NULL, set_up, test_deadline, tear_down);
  g_test_add ("/driver/hold/cancel", Fixture, NULL, set_up, test_cancel, tear_down);
  return g_test_run ();
}
