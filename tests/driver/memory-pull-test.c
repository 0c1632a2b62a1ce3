/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory-pull-test.c: tests of src/driver/memory-pull.c on mappings of our own
 */

#include "config.h"

#include "driver/memory-pull.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <stasis/error.h>

#include "scratch.h"
#include "util/fd.h"

#define PAGE   4096u
#define LENGTH (2u * 4u * 1024u * 1024u + 3u * PAGE) /* three pieces, the last is short */

typedef struct
{
  char *folder;
  StasisProcess self;
  int file;
  guint8 *memory;
  GCancellable *cancellable;
  guint64 pulled;
} Fixture;

static guint8
octet_at (gsize offset)
{
  return (guint8) (offset / PAGE * 7 + 1);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  f->folder = scratch_new ();
  f->cancellable = g_cancellable_new ();
  g_autofree char *path = g_build_filename (f->folder, "file", NULL);
  f->file = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  g_assert_cmpint (ftruncate (f->file, LENGTH), ==, 0);
  /* The second half is a hole. */
  for (gsize at = 0; at < LENGTH / 2; at += PAGE)
    {
      guint8 page[PAGE];
      memset (page, octet_at (at), sizeof page);
      g_assert_cmpint (pwrite (f->file, page, sizeof page, (off_t) at), ==, sizeof page);
    }
  f->memory = mmap (NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_PRIVATE, f->file, 0);
  g_assert_true (f->memory != MAP_FAILED);
  g_assert_true (stasis_process_lookup (getpid (), &f->self));
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  munmap (f->memory, LENGTH);
  close (f->file);
  g_object_unref (f->cancellable);
  scratch_remove (f->folder);
}

static void
spoil_file (const Fixture *f)
{
  guint8 page[PAGE];
  memset (page, 0xa5, sizeof page);
  for (gsize at = 0; at < LENGTH; at += PAGE)
    g_assert_cmpint (pwrite (f->file, page, sizeof page, (off_t) at), ==, sizeof page);
}

static void
on_pulled (guint64 octets, gpointer data)
{
  Fixture *f = data;
  f->pulled += octets;
}

static void
on_pulled_cancel (guint64 octets, gpointer data)
{
  Fixture *f = data;
  on_pulled (octets, f);
  g_cancellable_cancel (f->cancellable);
}

static StasisMemoryPull *
new_pull (Fixture *f)
{
  g_autoptr (GError) error = NULL;
  StasisMemoryPull *pull = stasis_memory_pull_new (&f->self, f->file, &error);
  g_assert_no_error (error);
  return pull;
}

static void
assert_missing (StasisMemoryPull *pull, guint64 missing)
{
  g_autoptr (GError) error = NULL;
  stasis_memory_pull_look (pull, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (stasis_memory_pull_total (pull), ==, LENGTH);
  g_assert_cmpuint (stasis_memory_pull_missing (pull), ==, missing);
}

/* What has been written, read and not touched; a page in the middle is split off by its flags. */
static void
test_all (Fixture *f, gconstpointer data)
{
  memset (f->memory + 5 * PAGE, 0x77, PAGE);
  g_assert_cmpint (f->memory[9 * PAGE], ==, octet_at (9 * PAGE));
  g_assert_cmpint (madvise (f->memory + LENGTH / 4 / PAGE * PAGE, PAGE, MADV_DONTDUMP), ==, 0);
  g_autoptr (StasisMemoryPull) pull = new_pull (f);
  assert_missing (pull, LENGTH - PAGE);

  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_memory_pull_run (pull, on_pulled, f, f->cancellable, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (f->pulled, ==, LENGTH - PAGE);
  assert_missing (pull, 0);

  spoil_file (f);
  for (gsize at = 0; at < LENGTH; at += PAGE / 2)
    g_assert_cmpint (f->memory[at], ==,
                     at / PAGE == 5                  ? 0x77
                     : at / PAGE * PAGE < LENGTH / 2 ? octet_at (at)
                                                     : 0);

  /* Nothing is left to do. */
  g_assert_true (stasis_memory_pull_run (pull, on_pulled, f, f->cancellable, &error));
  g_assert_cmpuint (f->pulled, ==, LENGTH - PAGE);
}

/* What it has got when it is cancelled is not got again. */
static void
test_cancel (Fixture *f, gconstpointer data)
{
  g_autoptr (StasisMemoryPull) pull = new_pull (f);
  assert_missing (pull, LENGTH);
  g_autoptr (GError) error = NULL;
  g_assert_false (stasis_memory_pull_run (pull, on_pulled_cancel, f, f->cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpuint (f->pulled, >, 0);
  g_assert_cmpuint (f->pulled, <, LENGTH);
  assert_missing (pull, LENGTH - f->pulled);

  g_assert_true (stasis_memory_pull_run (pull, on_pulled, f, NULL, NULL));
  g_assert_cmpuint (f->pulled, ==, LENGTH);
  assert_missing (pull, 0);
}

/* A page of the file that is not there cannot be got: that shows, and is no failure of its own. */
static void
test_unreadable (Fixture *f, gconstpointer data)
{
  g_assert_cmpint (ftruncate (f->file, LENGTH - PAGE), ==, 0);
  g_autoptr (StasisMemoryPull) pull = new_pull (f);
  assert_missing (pull, LENGTH);
  g_assert_true (stasis_memory_pull_run (pull, on_pulled, f, NULL, NULL));
  assert_missing (pull, PAGE);
}

/* Cutting the file off takes the copies, too: why an image must lose its name. */
static void
test_cut_off (Fixture *f, gconstpointer data)
{
  g_autoptr (StasisMemoryPull) pull = new_pull (f);
  assert_missing (pull, LENGTH);
  g_assert_true (stasis_memory_pull_run (pull, on_pulled, f, NULL, NULL));
  assert_missing (pull, 0);
  g_assert_cmpint (ftruncate (f->file, 0), ==, 0);
  g_assert_cmpint (ftruncate (f->file, LENGTH), ==, 0);
  assert_missing (pull, LENGTH);
  g_assert_cmpint (f->memory[0], ==, 0);
}

static void
assert_look_refused (StasisMemoryPull *pull)
{
  g_autoptr (GError) error = NULL;
  g_assert_false (stasis_memory_pull_look (pull, &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED);
}

static void
test_other_mappings (Fixture *f, gconstpointer data)
{
  g_autoptr (StasisMemoryPull) pull = new_pull (f);
  void *shared = mmap (NULL, PAGE, PROT_READ, MAP_SHARED, f->file, 0);
  assert_look_refused (pull);
  munmap (shared, PAGE);
  g_assert_cmpint (mprotect (f->memory, PAGE, PROT_READ), ==, 0);
  assert_look_refused (pull);
  g_assert_cmpint (munmap (f->memory, LENGTH), ==, 0);
  assert_look_refused (pull);
}

static void
test_ended (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  f->self.start_time++;
  g_assert_null (stasis_memory_pull_new (&f->self, f->file, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  stasis_memory_pull_free (NULL);
}

static void
add_test (const char *name, void (*function) (Fixture *, gconstpointer))
{
  g_autofree char *test = g_strconcat ("/driver/memory-pull/", name, NULL);
  g_test_add (test, Fixture, NULL, set_up, function, tear_down);
}

int
main (int argc, char **argv)
{
  if (scratch_skip_without_pidfds ())
    return 0;
  g_test_init (&argc, &argv, NULL);
  add_test ("all", test_all);
  add_test ("cancel", test_cancel);
  add_test ("unreadable", test_unreadable);
  add_test ("cut-off", test_cut_off);
  add_test ("other-mappings", test_other_mappings);
  add_test ("ended", test_ended);
  return g_test_run ();
}
