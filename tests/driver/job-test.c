/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * job-test.c: tests of src/driver/job.c without a supervisor
 */

#include "config.h"

#include "driver/job.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "driver/job-fate.h"
#include "util/fd.h"

#include "scratch.h"

typedef struct
{
  guint calls;
  StasisJobStats *last; /* (owned) */
} Seen;

static void
see (const StasisJobStats *stats, gpointer data)
{
  Seen *seen = data;
  seen->calls++;
  stasis_job_stats_free (seen->last);
  seen->last = stasis_job_stats_copy (stats);
}

/* Five times in a second at most, however often it is called; and once more at the end. */
static void
test_progress (void)
{
  Seen seen = { 0 };
  g_autoptr (StasisJob) job = stasis_job_new ("save", see, &seen, NULL);
  StasisJobStats *stats = stasis_job_stats (job);
  stats->bytes_total = 100000;
  const gint64 begin = g_get_monotonic_time ();
  while (g_get_monotonic_time () - begin < 500000)
    {
      stats->bytes_processed = (guint64) (g_get_monotonic_time () - begin) / 10;
      stats->bytes_remaining = stats->bytes_total - stats->bytes_processed;
      stasis_job_update (job);
      g_usleep (1000);
    }
  const guint calls = seen.calls;
  g_assert_cmpuint (calls, >=, 2);
  g_assert_cmpuint (calls, <=, 3);
  g_assert_cmpint (seen.last->state, ==, STASIS_JOB_ACTIVE);
  g_assert_cmpstr (seen.last->operation, ==, "save");
  g_assert_cmpint (seen.last->owner_pid, ==, getpid ());
  /* 100000 octets in a second. */
  g_assert_cmpuint (seen.last->bytes_per_second, >, 50000);
  g_assert_cmpuint (seen.last->bytes_per_second, <, 200000);
  g_assert_cmpint (seen.last->remaining_us, >, 100000);
  g_assert_cmpint (seen.last->elapsed_us, >=, 200000);

  /* A new phase is told at once. */
  stasis_job_set_phase (job, "commit");
  g_assert_cmpuint (seen.calls, ==, calls + 1);
  g_assert_cmpstr (seen.last->phase, ==, "commit");

  stasis_job_end (job, NULL);
  g_assert_cmpuint (seen.calls, ==, calls + 2);
  g_assert_cmpint (seen.last->state, ==, STASIS_JOB_COMPLETED);
  g_assert_cmpint (seen.last->remaining_us, ==, 0);
  stasis_job_stats_free (seen.last);
  stasis_job_free (NULL);
}

static void
take_over (StasisJobStats *stats, gpointer data)
{
  stats->bytes_written = ++*(guint *) data;
}

static void
test_poll (void)
{
  guint polls = 0;
  Seen seen = { 0 };
  g_autoptr (StasisJob) job = stasis_job_new ("save", see, &seen, NULL);
  g_assert_false (stasis_job_has_poll (job));
  stasis_job_set_poll (job, take_over, &polls);
  g_assert_true (stasis_job_has_poll (job));
  stasis_job_update (job);
  stasis_job_update (job);
  g_assert_cmpuint (polls, ==, 1);
  g_assert_cmpuint (seen.last->bytes_written, ==, 1);
  stasis_job_stats_free (seen.last);
}

/* The caller's wish is the job's; an abort of the job is not the caller's. */
static void
test_cancel (void)
{
  g_autoptr (GCancellable) callers = g_cancellable_new ();
  StasisJob *job = stasis_job_new ("save", NULL, NULL, callers);
  g_assert_false (g_cancellable_is_cancelled (stasis_job_cancellable (job)));
  g_cancellable_cancel (callers);
  g_assert_true (g_cancellable_is_cancelled (stasis_job_cancellable (job)));
  stasis_job_free (job);

  g_autoptr (StasisJob) late = stasis_job_new ("save", NULL, NULL, callers);
  g_assert_true (g_cancellable_is_cancelled (stasis_job_cancellable (late)));

  g_cancellable_reset (callers);
  StasisJob *other = stasis_job_new ("save", NULL, NULL, callers);
  g_cancellable_cancel (stasis_job_cancellable (other));
  g_assert_false (g_cancellable_is_cancelled (callers));
  stasis_job_free (other);

  /* Nobody is told any more. */
  g_cancellable_cancel (callers);
  g_autoptr (StasisJob) alone = stasis_job_new ("save", NULL, NULL, NULL);
  g_assert_false (g_cancellable_is_cancelled (stasis_job_cancellable (alone)));
}

static void
assert_aborted (StasisJob *job)
{
  g_autoptr (GError) error = NULL;
  g_assert_false (stasis_job_commit (job, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_false (stasis_job_check (job, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

/* Who comes first is right, for each of several jobs by itself. */
static void
test_fate (void)
{
  char *folder = scratch_new ();
  g_autoptr (StasisJob) aborted = stasis_job_new ("save", NULL, NULL, NULL);
  g_autoptr (StasisJob) committed = stasis_job_new ("save", NULL, NULL, NULL);
  const char *one = stasis_job_id (aborted);
  const char *two = stasis_job_id (committed);
  g_autoptr (GError) error = NULL;
  g_assert_cmpstr (one, !=, two);
  stasis_job_claim (aborted, folder);
  stasis_job_claim (committed, folder);
  g_assert_true (stasis_job_check (aborted, &error));
  g_assert_no_error (error);
  g_assert_cmpint (stasis_job_fate_decide (folder, one, STASIS_JOB_FATE_ABORT, NULL), ==,
                   STASIS_JOB_FATE_ABORT);
  g_assert_true (stasis_job_check (committed, &error));
  g_assert_true (stasis_job_commit (committed, &error));
  g_assert_no_error (error);
  assert_aborted (aborted);
  g_assert_cmpint (stasis_job_fate_decide (folder, two, STASIS_JOB_FATE_ABORT, NULL), ==,
                   STASIS_JOB_FATE_COMMIT);
  scratch_remove (folder);

  /* It cannot be noted: nobody has decided. */
  g_assert_cmpint (stasis_job_fate_decide ("/dev/null/x", one, STASIS_JOB_FATE_ABORT, &error), ==,
                   STASIS_JOB_FATE_OPEN);
  g_assert_nonnull (error);
  g_assert_nonnull (strstr (error->message, "/dev/null/x/job-fate-"));
}

/* A supervisor of an older version knows of one link for all jobs; what an older job has left of it
 * is nobody's. */
static void
test_fate_without_id (void)
{
  char *folder = scratch_new ();
  g_assert_cmpint (stasis_job_fate_decide (folder, NULL, STASIS_JOB_FATE_ABORT, NULL), ==,
                   STASIS_JOB_FATE_ABORT);
  g_autoptr (StasisJob) aborted = stasis_job_new ("save", NULL, NULL, NULL);
  g_autoptr (GError) error = NULL;
  stasis_job_claim (aborted, folder);
  g_assert_true (stasis_job_check (aborted, &error));
  g_assert_cmpint (stasis_job_fate_decide (folder, NULL, STASIS_JOB_FATE_ABORT, NULL), ==,
                   STASIS_JOB_FATE_ABORT);
  assert_aborted (aborted);

  g_autoptr (StasisJob) committed = stasis_job_new ("save", NULL, NULL, NULL);
  stasis_job_claim (committed, folder);
  g_assert_true (stasis_job_commit (committed, &error));
  g_assert_no_error (error);
  g_assert_cmpint (stasis_job_fate_decide (folder, NULL, STASIS_JOB_FATE_ABORT, NULL), ==,
                   STASIS_JOB_FATE_COMMIT);
  scratch_remove (folder);
}

/* A job that waits without the domain's lock leaves alone what is decided of others. */
static void
test_fate_while_waiting (void)
{
  char *folder = scratch_new ();
  g_autoptr (StasisJob) other = stasis_job_new ("save", NULL, NULL, NULL);
  g_autoptr (StasisJob) waits = stasis_job_new ("save", NULL, NULL, NULL);
  g_autoptr (GError) error = NULL;
  stasis_job_claim (other, folder);
  g_assert_true (stasis_job_commit (other, &error));
  g_assert_no_error (error);
  stasis_job_attach_background (waits, folder);
  g_assert_cmpint (stasis_job_fate_get (folder, NULL), ==, STASIS_JOB_FATE_COMMIT);
  g_assert_cmpint (stasis_job_fate_get (folder, stasis_job_id (other)), ==, STASIS_JOB_FATE_COMMIT);

  /* Its own is nobody else's, and holds once it has the lock. */
  g_assert_cmpint (
      stasis_job_fate_decide (folder, stasis_job_id (waits), STASIS_JOB_FATE_ABORT, NULL), ==,
      STASIS_JOB_FATE_ABORT);
  stasis_job_claim (waits, folder);
  g_assert_cmpint (stasis_job_fate_get (folder, NULL), ==, STASIS_JOB_FATE_OPEN);
  assert_aborted (waits);
  scratch_remove (folder);
}

/* A supervisor that says always the same. */
typedef struct
{
  int listener;         /* (owned) */
  const char *to_begin; /* its reply to job-begin */
  const char *to_rest;  /* (nullable) to all else; else it hangs up */
  GThread *thread;
} Supervisor;

static void
serve (const Supervisor *self, int fd)
{
  char line[65536];
  gsize length = 0;
  gssize n;
  while ((n = read (fd, line + length, sizeof line - length)) > 0)
    {
      length += (gsize) n;
      if (line[length - 1] != '\n')
        continue;
      line[length - 1] = '\0';
      length = 0;
      const char *reply = strstr (line, "job-begin") != NULL ? self->to_begin : self->to_rest;
      if (reply == NULL || !stasis_fd_write_exact (fd, reply, strlen (reply), NULL))
        return;
    }
}

static gpointer
serve_all (gpointer data)
{
  const Supervisor *self = data;
  int fd;
  while ((fd = accept4 (self->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
    {
      serve (self, fd);
      close (fd);
    }
  return NULL;
}

static void
supervisor_begin (Supervisor *self, const char *folder, const char *to_begin, const char *to_rest)
{
  g_autofree char *path = g_build_filename (folder, "control.sock", NULL);
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  g_assert_cmpuint (g_strlcpy (address.sun_path, path, sizeof address.sun_path), <,
                    sizeof address.sun_path);
  self->to_begin = to_begin;
  self->to_rest = to_rest;
  self->listener = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_cmpint (bind (self->listener, (struct sockaddr *) &address, sizeof address), ==, 0);
  g_assert_cmpint (listen (self->listener, 8), ==, 0);
  self->thread = g_thread_new ("supervisor", serve_all, self);
}

static void
supervisor_end (Supervisor *self)
{
  shutdown (self->listener, SHUT_RDWR);
  g_thread_join (self->thread);
  close (self->listener);
}

#define OK_WITH_ID   "{\"ok\":true,\"id\":true}\n"
#define OK_PLAIN     "{\"ok\":true}\n"
#define BUSY_WITH_ID "{\"ok\":false,\"code\":\"busy\",\"error\":\"busy\",\"id\":true}\n"
#define NO_JOB       "{\"ok\":false,\"code\":\"state\",\"error\":\"no job\"}\n"

typedef struct
{
  const char *test;
  const char *to_begin;
  gboolean is_known;
} BeginCase;

static const BeginCase begin_cases[] = {
  { "taken", OK_WITH_ID, TRUE },
  { "busy", BUSY_WITH_ID, TRUE },
  { "older", OK_PLAIN, FALSE },
};

/* What stands in the link without an id is of a job without one, unless nobody knows of ids. */
static void
test_fate_beside (gconstpointer data)
{
  const BeginCase *c = data;
  char *folder = scratch_new ();
  Supervisor supervisor;
  g_autoptr (GError) error = NULL;
  supervisor_begin (&supervisor, folder, c->to_begin, OK_PLAIN);
  StasisJob *job = stasis_job_new ("save", NULL, NULL, NULL);
  stasis_job_attach_background (job, folder);
  g_assert_cmpint (stasis_job_fate_decide (folder, NULL, STASIS_JOB_FATE_ABORT, NULL), ==,
                   STASIS_JOB_FATE_ABORT);
  g_assert_true (stasis_job_check (job, &error) == c->is_known);
  g_clear_error (&error);
  stasis_job_claim (job, folder);
  g_assert_cmpint (stasis_job_fate_get (folder, NULL), ==,
                   c->is_known ? STASIS_JOB_FATE_ABORT : STASIS_JOB_FATE_OPEN);
  g_assert_true (stasis_job_commit (job, &error) == c->is_known);
  stasis_job_free (job);
  supervisor_end (&supervisor);
  scratch_remove (folder);
}

typedef struct
{
  const char *test;
  const char *to_begin;
  const char *to_end; /* (nullable) */
  gboolean is_left;
} LeaveCase;

static const LeaveCase leave_cases[] = {
  { "ended", OK_WITH_ID, OK_PLAIN, FALSE },
  { "refused", BUSY_WITH_ID, NO_JOB, FALSE },
  { "unheard", OK_WITH_ID, NULL, TRUE },
};

/* Its link goes with it, also where the supervisor never took it; not where nobody answers. */
static void
test_fate_left (gconstpointer data)
{
  const LeaveCase *c = data;
  char *folder = scratch_new ();
  Supervisor supervisor;
  supervisor_begin (&supervisor, folder, c->to_begin, c->to_end);
  g_autoptr (StasisJob) job = stasis_job_new ("save", NULL, NULL, NULL);
  stasis_job_attach_background (job, folder);
  g_assert_true (stasis_job_commit (job, NULL));
  stasis_job_leave (job);
  g_assert_cmpint (stasis_job_fate_get (folder, stasis_job_id (job)), ==,
                   c->is_left ? STASIS_JOB_FATE_COMMIT : STASIS_JOB_FATE_OPEN);
  supervisor_end (&supervisor);
  scratch_remove (folder);
}

static void
test_id (void)
{
  g_autofree char *id = stasis_job_id_new ();
  g_assert_true (stasis_job_id_is_valid (id));
  g_assert_false (stasis_job_id_is_valid (""));
  g_assert_false (stasis_job_id_is_valid ("../../x"));
  g_assert_false (stasis_job_id_is_valid ("12/34"));
  g_assert_false (stasis_job_id_is_valid ("0123456789abcdef0123456789abcdef0"));
}

typedef struct
{
  const char *test;
  int code; /* of G_IO_ERROR; -1: it went well */
  StasisJobState state;
} EndCase;

static const EndCase end_cases[] = {
  { "completed", -1, STASIS_JOB_COMPLETED },
  { "failed", G_IO_ERROR_NO_SPACE, STASIS_JOB_FAILED },
  { "cancelled", G_IO_ERROR_CANCELLED, STASIS_JOB_CANCELLED },
};

static void
test_kept (gconstpointer data)
{
  const EndCase *c = data;
  char *folder = scratch_new ();
  g_autoptr (StasisPaths) paths = scratch_paths (folder);
  g_autofree char *path = stasis_paths_last_job (paths, "web");
  g_autoptr (StasisJob) job = stasis_job_new ("managedsave", NULL, NULL, NULL);
  StasisJobStats *stats = stasis_job_stats (job);
  stasis_job_set_engine (job, "mapped-ram, \"fast\"");
  stasis_job_set_phase (job, "commit");
  stats->bytes_total = G_MAXUINT64;
  stats->bytes_processed = 2;
  stats->bytes_remaining = 3;
  stats->bytes_written = 4;
  stats->pages_zero = 5;
  stats->pages_skipped = 9;
  stats->pages_normal = 6;
  stats->page_size = 4096;
  stats->pause_us = -1;
  g_autoptr (GError) end
      = c->code >= 0 ? g_error_new_literal (G_IO_ERROR, c->code, "disk full") : NULL;
  g_autofree char *jobs = g_path_get_dirname (path);
  g_assert_true (stasis_paths_make (jobs, NULL));
  g_free (scratch_text (jobs, "web.json", "of an older job"));
  stasis_job_begin (job, path);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  stasis_job_end (job, end);

  g_autoptr (GError) error = NULL;
  g_autoptr (StasisJobStats) kept = stasis_job_load_completed (paths, "web", &error);
  g_assert_no_error (error);
  g_assert_cmpint (kept->state, ==, c->state);
  g_assert_cmpstr (kept->error, ==, c->code >= 0 ? "disk full" : NULL);
  g_assert_cmpstr (kept->operation, ==, "managedsave");
  g_assert_cmpstr (kept->phase, ==, "commit");
  g_assert_cmpstr (kept->engine, ==, "mapped-ram, \"fast\"");
  g_assert_cmpint (kept->owner_pid, ==, getpid ());
  g_assert_cmpint (kept->elapsed_us, ==, stats->elapsed_us);
  g_assert_cmpuint (kept->bytes_total, ==, G_MAXUINT64);
  /* Nothing is left of a job that has completed. */
  g_assert_cmpuint (kept->bytes_processed, ==, c->code >= 0 ? 2 : G_MAXUINT64);
  g_assert_cmpuint (kept->bytes_remaining, ==, c->code >= 0 ? 3 : 0);
  g_assert_cmpuint (kept->bytes_written, ==, 4);
  g_assert_cmpuint (kept->pages_zero, ==, 5);
  g_assert_cmpuint (kept->pages_skipped, ==, 9);
  g_assert_cmpuint (kept->pages_normal, ==, 6);
  g_assert_cmpuint (kept->page_size, ==, 4096);
  g_assert_cmpint (kept->pause_us, ==, -1);
  scratch_remove (folder);
}

static void
test_nothing_kept (void)
{
  char *folder = scratch_new ();
  g_autoptr (StasisPaths) paths = scratch_paths (folder);
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisJobStats) none = stasis_job_load_completed (paths, "web", &error);
  g_assert_no_error (error);
  g_assert_cmpint (none->state, ==, STASIS_JOB_NONE);

  g_autofree char *path = stasis_paths_last_job (paths, "web");
  g_autofree char *jobs = g_path_get_dirname (path);
  g_assert_true (stasis_paths_make (jobs, NULL));
  g_free (scratch_text (jobs, "web.json", "{\"state\": "));
  g_assert_null (stasis_job_load_completed (paths, "web", &error));
  g_assert_nonnull (error);
  g_assert_nonnull (strstr (error->message, path));
  scratch_remove (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/driver/job/progress", test_progress);
  g_test_add_func ("/driver/job/poll", test_poll);
  g_test_add_func ("/driver/job/cancel", test_cancel);
  g_test_add_func ("/driver/job/fate", test_fate);
  g_test_add_func ("/driver/job/fate-without-id", test_fate_without_id);
  g_test_add_func ("/driver/job/fate-while-waiting", test_fate_while_waiting);
  for (gsize i = 0; i < G_N_ELEMENTS (begin_cases); i++)
    {
      g_autofree char *test = g_strconcat ("/driver/job/fate-beside/", begin_cases[i].test, NULL);
      g_test_add_data_func (test, &begin_cases[i], test_fate_beside);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (leave_cases); i++)
    {
      g_autofree char *test = g_strconcat ("/driver/job/fate-left/", leave_cases[i].test, NULL);
      g_test_add_data_func (test, &leave_cases[i], test_fate_left);
    }
  g_test_add_func ("/driver/job/id", test_id);
  for (gsize i = 0; i < G_N_ELEMENTS (end_cases); i++)
    {
      g_autofree char *test = g_strconcat ("/driver/job/kept/", end_cases[i].test, NULL);
      g_test_add_data_func (test, &end_cases[i], test_kept);
    }
  g_test_add_func ("/driver/job/nothing-kept", test_nothing_kept);
  return g_test_run ();
}
