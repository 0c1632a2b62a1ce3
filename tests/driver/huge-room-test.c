/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * huge-room-test.c: tests of src/driver/huge-room.c on files of our own
 */

#include "config.h"

#include "driver/huge-room.h"

#include <gio/gio.h>

#include "scratch.h"

#define MIB   (1024u * 1024u)
#define POOLS "sys/kernel/mm/hugepages/hugepages-"

typedef struct
{
  char *root;
} Fixture;

static void
put (const Fixture *f, const char *path, const char *text)
{
  g_autofree char *full = g_build_filename (f->root, path, NULL);
  g_autofree char *folder = g_path_get_dirname (full);
  g_autoptr (GError) error = NULL;
  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  g_file_set_contents (full, text, -1, &error);
  g_assert_no_error (error);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  f->root = scratch_new ();
  put (f, "proc/meminfo", "MemTotal: 2048000 kB\nHugepagesize:       2048 kB\n");
  put (f, POOLS "2048kB/free_hugepages", "100\n");
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  scratch_remove (f->root);
}

static void
assert_room (const Fixture *f, guint64 page_kib, guint64 mib)
{
  guint64 octets = 0;
  g_assert_true (stasis_huge_room (f->root, &page_kib, &octets));
  g_assert_cmpuint (octets, ==, mib * MIB);
  g_assert_cmpuint (page_kib, >, 0);
}

static void
test_free (Fixture *f, gconstpointer data)
{
  assert_room (f, 0, 200);
  assert_room (f, 2048, 200);
  put (f, POOLS "1048576kB/free_hugepages", "3\n");
  assert_room (f, 1048576, 3072);
}

/* What somebody has mapped already, and what the kernel may make beyond its pool. */
static void
test_promised (Fixture *f, gconstpointer data)
{
  put (f, POOLS "2048kB/resv_hugepages", "60\n");
  assert_room (f, 0, 80);
  put (f, POOLS "2048kB/nr_overcommit_hugepages", "10\n");
  put (f, POOLS "2048kB/surplus_hugepages", "4\n");
  assert_room (f, 0, 92);
  put (f, POOLS "2048kB/resv_hugepages", "1000\n");
  assert_room (f, 0, 0);
}

static void
test_none (Fixture *f, gconstpointer data)
{
  guint64 page_kib = 4096;
  guint64 octets;
  g_assert_false (stasis_huge_room (f->root, &page_kib, &octets));
  g_assert_cmpuint (page_kib, ==, 4096);
  put (f, POOLS "2048kB/free_hugepages", "many\n");
  page_kib = 0;
  g_assert_false (stasis_huge_room (f->root, &page_kib, &octets));
  g_assert_cmpuint (page_kib, ==, 2048);
  put (f, "proc/meminfo", "MemTotal: 1 kB\n");
  page_kib = 0;
  g_assert_false (stasis_huge_room (f->root, &page_kib, &octets));
  g_assert_cmpuint (page_kib, ==, 0);
}

static void
add_test (const char *name, void (*function) (Fixture *, gconstpointer))
{
  g_autofree char *test = g_strconcat ("/driver/huge-room/", name, NULL);
  g_test_add (test, Fixture, NULL, set_up, function, tear_down);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add_test ("free", test_free);
  add_test ("promised", test_promised);
  add_test ("none", test_none);
  return g_test_run ();
}
