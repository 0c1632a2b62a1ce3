/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory-room-test.c: tests of src/driver/memory-room.c on files of our own
 */

#include "config.h"

#include "driver/memory-room.h"

#include <unistd.h>

#include "scratch.h"

#define MIB (1024u * 1024u)

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
  put (f, "proc/meminfo", "MemTotal:     2048000 kB\nMemAvailable: 1048576 kB\nSwapFree: 9 kB\n");
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  scratch_remove (f->root);
}

static void
assert_room (const Fixture *f, guint64 mib)
{
  guint64 octets = 0;
  g_assert_true (stasis_memory_room (f->root, 7, &octets));
  g_assert_cmpuint (octets, ==, mib * MIB);
}

static void
test_host (Fixture *f, gconstpointer data)
{
  assert_room (f, 1024);
  put (f, "proc/7/cgroup", "3:memory:/version/one\n1:name=systemd:/x\n");
  assert_room (f, 1024);
  put (f, "proc/7/cgroup", "0::/a/b\n");
  assert_room (f, 1024);
}

/* The tightest of the group, those above it and the host counts. */
static void
test_groups (Fixture *f, gconstpointer data)
{
  put (f, "proc/7/cgroup", "1:cpu:/z\n0::/a/b/c\n");
  put (f, "sys/fs/cgroup/a/b/c/memory.max", "max\n");
  put (f, "sys/fs/cgroup/a/b/c/memory.current", "104857600\n");
  assert_room (f, 1024);
  put (f, "sys/fs/cgroup/a/memory.max", "209715200\n");
  put (f, "sys/fs/cgroup/a/memory.current", "157286400\n");
  assert_room (f, 50);
  /* Page cache makes room. */
  put (f, "sys/fs/cgroup/a/memory.stat", "anon 5\ninactive_file 10485760\nactive_file 20971520\n");
  assert_room (f, 80);
  put (f, "sys/fs/cgroup/a/b/memory.max", "104857600\n");
  put (f, "sys/fs/cgroup/a/b/memory.current", "209715200\n");
  assert_room (f, 0);
  put (f, "sys/fs/cgroup/a/b/memory.current", "0\n");
  assert_room (f, 80);
}

static void
test_unknown (Fixture *f, gconstpointer data)
{
  guint64 octets;
  put (f, "proc/meminfo", "MemTotal: 1 kB\n");
  g_assert_false (stasis_memory_room (f->root, 7, &octets));
  put (f, "proc/meminfo", "");
  g_assert_false (stasis_memory_room (f->root, 7, &octets));
}

/* This very host. */
static void
test_here (Fixture *f, gconstpointer data)
{
  guint64 octets = 0;
  g_assert_true (stasis_memory_room ("", getpid (), &octets));
  g_assert_cmpuint (octets, >, 0);
}

static void
add_test (const char *name, void (*function) (Fixture *, gconstpointer))
{
  g_autofree char *test = g_strconcat ("/driver/memory-room/", name, NULL);
  g_test_add (test, Fixture, NULL, set_up, function, tear_down);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add_test ("host", test_host);
  add_test ("groups", test_groups);
  add_test ("unknown", test_unknown);
  add_test ("here", test_here);
  return g_test_run ();
}
