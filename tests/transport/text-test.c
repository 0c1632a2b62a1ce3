/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * text-test.c: tests of src/transport/text.c
 */

#include "config.h"

#include "transport/text.h"

#include <string.h>

static const struct
{
  const char *name, *text, *wanted;
} cases[] = {
  { "plain", "nc: not found", "nc: not found" },
  { "lines", "\n one\r\ntwo\n\n", "one two" },
  { "terminal", "a\x1b[2Jb\ac\x7f", "a [2Jb c" },
  { "utf-8", "caf\303\251", "caf\303\251" },
  { "c1", "a\302\233b", "a b" },
  { "right-to-left", "a\342\200\256b", "a b" },
  { "not-utf-8", "a\377b", "a\357\277\275b" },
  { "empty", "", "" },
};

static void
test_case (gconstpointer data)
{
  const guint i = GPOINTER_TO_UINT (data);
  g_autofree char *got = stasis_ssh_one_line (cases[i].text, -1);
  g_assert_cmpstr (got, ==, cases[i].wanted);
}

static void
test_length (void)
{
  g_autofree char *text = g_strnfill (100000, 'x');
  g_autofree char *got = stasis_ssh_one_line (text, -1);
  g_assert_cmpuint (strlen (got), <, 1000);
  g_autofree char *cut = stasis_ssh_one_line ("abc", 2);
  g_assert_cmpstr (cut, ==, "ab");
  g_autofree char *none = stasis_ssh_one_line (NULL, 5);
  g_assert_cmpstr (none, ==, "");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strconcat ("/transport/text/", cases[i].name, NULL);
      g_test_add_data_func (path, GUINT_TO_POINTER (i), test_case);
    }
  g_test_add_func ("/transport/text/length", test_length);
  return g_test_run ();
}
