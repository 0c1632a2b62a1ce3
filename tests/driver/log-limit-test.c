/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log-limit-test.c: tests of src/driver/log-limit.c
 */

#include "config.h"

#include "driver/log-limit.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "monitor/log-tail.h"
#include "scratch.h"
#include "util/fd.h"

#define LINE "a line of sixteen\n"

typedef struct
{
  char *folder;
  char *log;
  char *newer; /* its backups */
  char *older;
  int qemu; /* as QEMU has it open */
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  f->folder = scratch_new ();
  f->log = g_build_filename (f->folder, "web.log", NULL);
  f->newer = stasis_log_backup_path (f->log, 0);
  f->older = stasis_log_backup_path (f->log, 1);
  f->qemu = open (f->log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  g_assert_cmpint (f->qemu, >=, 0);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  stasis_fd_clear (&f->qemu);
  g_free (f->older);
  g_free (f->newer);
  g_free (f->log);
  scratch_remove (f->folder);
}

static void
say (Fixture *f, const char *text)
{
  g_assert_true (stasis_fd_write_exact (f->qemu, text, strlen (text), NULL));
}

/* At least so many octets. */
static void
flood (Fixture *f, gsize size)
{
  g_autoptr (GString) text = g_string_sized_new (size + sizeof LINE);
  while (text->len < size)
    g_string_append (text, LINE);
  say (f, text->str);
}

static gboolean
limit (Fixture *f)
{
  g_autoptr (GError) error = NULL;
  gboolean was_cut = FALSE;
  g_assert_true (stasis_log_limit (f->log, &was_cut, &error));
  g_assert_no_error (error);
  return was_cut;
}

static void
assert_tail (Fixture *f, guint64 start, const char *expected)
{
  g_autofree char *tail = stasis_log_tail (f->log, start);
  g_assert_cmpstr (tail, ==, expected);
}

static gboolean
exists (const char *path)
{
  struct stat st;
  return lstat (path, &st) == 0;
}

/* Its end is kept, whole and readable by nobody else; QEMU goes on at the beginning. */
static void
test_cut (Fixture *f, gconstpointer data)
{
  flood (f, STASIS_LOG_MAX - sizeof LINE);
  g_assert_false (limit (f));
  g_assert_false (exists (f->newer));

  say (f, "first\n");
  flood (f, STASIS_LOG_MAX + 1);
  say (f, "last\n");
  g_assert_true (limit (f));
  g_assert_cmpuint (stasis_log_size (f->log), ==, 0);
  g_autofree char *kept = NULL;
  gsize size = 0;
  g_assert_true (g_file_get_contents (f->newer, &kept, &size, NULL));
  g_assert_cmpuint (size, ==, STASIS_LOG_MAX);
  g_assert_true (g_str_has_suffix (kept, LINE "last\n"));
  g_assert_null (strstr (kept, "first"));
  struct stat st;
  g_assert_cmpint (stat (f->newer, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 0777, ==, 0600);

  say (f, "more\n");
  g_assert_cmpint (stat (f->log, &st), ==, 0);
  g_assert_cmpint (st.st_size, ==, 5);
  g_assert_false (limit (f));
}

static void
test_again (Fixture *f, gconstpointer data)
{
  for (int i = 0; i < 3; i++)
    {
      g_autofree char *mark = g_strdup_printf ("mark %d\n", i);
      flood (f, STASIS_LOG_MAX + 1);
      say (f, mark);
      g_assert_true (limit (f));
      g_autofree char *kept = NULL;
      g_assert_true (g_file_get_contents (f->newer, &kept, NULL, NULL));
      g_assert_true (g_str_has_suffix (kept, mark));
    }
  g_assert_false (exists (f->older));
}

/* The tail begins in what was cut off, and never before the run. */
static void
test_tail (Fixture *f, gconstpointer data)
{
  say (f, "long ago\n");
  const guint64 start = stasis_log_begin_run (f->log);
  g_assert_cmpuint (start, ==, 9);
  assert_tail (f, start, "");
  flood (f, STASIS_LOG_MAX);
  say (f, "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n");
  g_assert_true (limit (f));
  assert_tail (f, start, "1\n2\n3\n4\n5\n6\n7\n8\n9\n10");
  say (f, "11\n12\n");
  assert_tail (f, start, "3\n4\n5\n6\n7\n8\n9\n10\n11\n12");
  /* Longer again than before the run. */
  g_assert_cmpint (ftruncate (f->qemu, 0), ==, 0);
  say (f, "at last it failed\n");
  assert_tail (f, start, "2\n3\n4\n5\n6\n7\n8\n9\n10\nat last it failed");

  const guint64 next = stasis_log_begin_run (f->log);
  assert_tail (f, next, "");
  say (f, "new\n");
  assert_tail (f, next, "new");
}

/* A run that begins has half of the limit, so that what is cut off ends with its own lines. */
static void
test_begin_run (Fixture *f, gconstpointer data)
{
  g_assert_cmpuint (stasis_log_begin_run (f->log), ==, 0);
  flood (f, STASIS_LOG_MAX / 2 - sizeof LINE);
  g_assert_cmpuint (stasis_log_begin_run (f->log), ==, stasis_log_size (f->log));
  g_assert_cmpuint (stasis_log_size (f->log), >, 0);
  g_assert_false (exists (f->older));

  flood (f, 2 * sizeof LINE);
  g_assert_cmpuint (stasis_log_begin_run (f->log), ==, 0);
  g_assert_true (exists (f->older));
  g_assert_false (exists (f->newer));
}

/* What an earlier run cut off gives way to what a later one did, and only to that. */
static void
test_older (Fixture *f, gconstpointer data)
{
  for (int i = 0; i < 2; i++)
    {
      g_autofree char *mark = g_strdup_printf ("mark %d\n", i);
      flood (f, STASIS_LOG_MAX);
      say (f, mark);
      g_assert_true (limit (f));
      for (int starts = 0; starts < 2; starts++)
        g_assert_cmpuint (stasis_log_begin_run (f->log), ==, 0);
      g_assert_false (exists (f->newer));
      g_autofree char *kept = NULL;
      g_assert_true (g_file_get_contents (f->older, &kept, NULL, NULL));
      g_assert_true (g_str_has_suffix (kept, mark));
    }
}

/* Without a backup, but limited. */
static void
test_no_backup (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  gboolean was_cut = FALSE;
  g_assert_cmpint (mkdir (f->newer, 0700), ==, 0);
  flood (f, STASIS_LOG_MAX + 1);
  g_assert_false (stasis_log_limit (f->log, &was_cut, &error));
  g_assert_true (was_cut);
  g_assert_nonnull (strstr (error->message, f->log));
  g_assert_cmpuint (stasis_log_size (f->log), ==, 0);
  assert_tail (f, 0, "");
}

/* Nothing is written through what is not plainly the log, nor where a link leads. */
static void
test_links (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  gboolean was_cut = FALSE;
  flood (f, STASIS_LOG_MAX + 1);
  const guint64 size = stasis_log_size (f->log);

  g_assert_cmpint (link (f->log, f->older), ==, 0);
  g_assert_false (stasis_log_limit (f->log, &was_cut, &error));
  g_assert_false (was_cut);
  g_clear_error (&error);
  g_assert_cmpint (unlink (f->log), ==, 0);
  g_assert_cmpint (symlink (f->older, f->log), ==, 0);
  g_assert_false (stasis_log_limit (f->log, &was_cut, &error));
  g_assert_false (was_cut);
  g_clear_error (&error);
  g_assert_cmpuint (stasis_log_size (f->older), ==, size);

  g_assert_cmpint (rename (f->older, f->log), ==, 0);
  g_autofree char *victim = scratch_text (f->folder, "victim", "precious");
  g_assert_cmpint (symlink (victim, f->newer), ==, 0);
  g_assert_true (limit (f));
  g_autofree char *text = NULL;
  g_assert_true (g_file_get_contents (victim, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, "precious");
  g_assert_false (g_file_test (f->newer, G_FILE_TEST_IS_SYMLINK));
}

static void
test_no_log (Fixture *f, gconstpointer data)
{
  g_assert_cmpint (unlink (f->log), ==, 0);
  g_assert_false (limit (f));
  g_assert_cmpuint (stasis_log_begin_run (f->log), ==, 0);
  g_autofree char *nowhere = g_build_filename (f->folder, "none", "web.log", NULL);
  g_assert_cmpuint (stasis_log_begin_run (nowhere), ==, 0);
}

/* Its size is a lie: there is a hole.  Nobody reads through that. */
static void
test_hole (Fixture *f, gconstpointer data)
{
  g_assert_cmpint (ftruncate (f->qemu, (off_t) 1 << 40), ==, 0);
  say (f, "end\n");
  g_assert_true (limit (f));
  g_autofree char *tail = stasis_log_tail (f->log, 0);
  g_assert_true (g_str_has_suffix (tail, "end"));
  g_assert_cmpuint (stasis_log_size (f->newer), ==, STASIS_LOG_MAX);
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *name;
    void (*run) (Fixture *f, gconstpointer data);
  } tests[] = {
    { "cut", test_cut },     { "again", test_again },         { "tail", test_tail },
    { "older", test_older }, { "begin-run", test_begin_run }, { "no-backup", test_no_backup },
    { "links", test_links }, { "no-log", test_no_log },       { "hole", test_hole },
  };
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    {
      g_autofree char *path = g_strdup_printf ("/driver/log-limit/%s", tests[i].name);
      g_test_add (path, Fixture, NULL, set_up, tests[i].run, tear_down);
    }
  return g_test_run ();
}
