/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log-tail-test.c: tests of src/monitor/log-tail.c
 */

#include "config.h"

#include "monitor/log-tail.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

typedef struct
{
  const char *name;
  const char *text;
  const char *expected;
} Case;

static const Case cases[] = {
  { "empty", "", "" },
  { "blank", "\n\n", "" },
  { "one", "qemu: failed\n", "qemu: failed" },
  { "no-line-end", "a\nb", "a\nb" },
  { "ten", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10" },
  { "eleven", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n", "2\n3\n4\n5\n6\n7\n8\n9\n10\n11" },
  { "controls", "\33[2J\a\r\tx\177\n", "?[2J??\tx?" },
  { "c1", "\302\233m", "??m" },
  { "not-utf8", "a\377b", "a\357\277\275b" },
  { "utf8", "\303\244\342\202\254", "\303\244\342\202\254" },
};

static void
check (const char *text, gssize length, const char *expected)
{
  g_autofree char *path = NULL;
  g_autoptr (GError) error = NULL;
  g_close (g_file_open_tmp ("stasis-XXXXXX", &path, &error), NULL);
  g_assert_true (g_file_set_contents (path, text, length, &error));
  g_autofree char *tail = stasis_log_tail (path, 0);
  g_unlink (path);
  g_assert_cmpstr (tail, ==, expected);
}

static void
test_tail (gconstpointer data)
{
  const Case *c = data;
  check (c->text, -1, c->expected);
}

static void
test_nul (void)
{
  check ("a\0b\n", 4, "a\357\277\275b");
}

static void
test_long_line (void)
{
  g_autofree char *text = g_strnfill (5000, 'x');
  g_autofree char *expected = g_strnfill (STASIS_LOG_TAIL_OCTETS, 'x');
  check (text, -1, expected);
}

/* What was there before the run began is not its own; a log that was emptied since begins anew. */
static void
test_start (void)
{
  static const struct
  {
    guint64 start;
    const char *expected;
  } cuts[] = { { 0, "old\nnew" }, { 4, "new" }, { 8, "" }, { 9, "old\nnew" } };
  g_autofree char *path = NULL;
  g_close (g_file_open_tmp ("stasis-XXXXXX", &path, NULL), NULL);
  g_assert_cmpuint (stasis_log_size (path), ==, 0);
  g_assert_true (g_file_set_contents (path, "old\nnew\n", -1, NULL));
  g_assert_cmpuint (stasis_log_size (path), ==, 8);
  for (gsize i = 0; i < G_N_ELEMENTS (cuts); i++)
    {
      g_autofree char *tail = stasis_log_tail (path, cuts[i].start);
      g_assert_cmpstr (tail, ==, cuts[i].expected);
    }
  g_unlink (path);
  g_assert_cmpuint (stasis_log_size (path), ==, 0);
}

/* Nothing to read is nothing to say; a FIFO must not hold us up. */
static void
test_no_file (void)
{
  g_autofree char *folder = g_dir_make_tmp ("stasis-XXXXXX", NULL);
  g_autofree char *fifo = g_build_filename (folder, "fifo", NULL);
  g_autofree char *none = g_build_filename (folder, "none", NULL);
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  const char *const paths[] = { none, folder, fifo };
  for (gsize i = 0; i < G_N_ELEMENTS (paths); i++)
    {
      g_autofree char *tail = stasis_log_tail (paths[i], 0);
      g_assert_cmpstr (tail, ==, "");
    }
  g_unlink (fifo);
  g_rmdir (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strdup_printf ("/monitor/log-tail/%s", cases[i].name);
      g_test_add_data_func (path, &cases[i], test_tail);
    }
  g_test_add_func ("/monitor/log-tail/nul", test_nul);
  g_test_add_func ("/monitor/log-tail/long-line", test_long_line);
  g_test_add_func ("/monitor/log-tail/start", test_start);
  g_test_add_func ("/monitor/log-tail/no-file", test_no_file);
  return g_test_run ();
}
