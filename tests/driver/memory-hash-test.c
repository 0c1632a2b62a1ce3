/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory-hash-test.c: tests of src/driver/memory-hash.c against the memory of memory-helper.c
 */

#include "config.h"

#include "driver/memory-hash.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "memory-helper.h"
#include "scratch.h"
#include "util/fd.h"

#define PIECES 17u /* the last is short */

typedef struct
{
  char *folder;
  GSubprocess *helper;
  StasisProcess process;
  GPtrArray *blocks; /* of StasisRamBlock */
} Fixture;

static void
free_block (gpointer block)
{
  stasis_ram_block_free (block);
}

static StasisRamBlock *
add_block (Fixture *f, const char *name, guint64 address, guint64 length)
{
  StasisRamBlock *block = g_new0 (StasisRamBlock, 1);
  block->name = g_strdup (name);
  block->page_size = 4096;
  block->used_length = length;
  block->total_length = length;
  block->host_address = address;
  g_ptr_array_add (f->blocks, block);
  return block;
}

static void
set_up (Fixture *f, gconstpointer data)
{
  f->folder = scratch_new ();
  f->blocks = g_ptr_array_new_with_free_func (free_block);
  g_autofree char *file = g_build_filename (f->folder, "memory", NULL);
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *own = g_path_get_dirname (self);
  g_autofree char *program = g_build_filename (own, "memory-helper", NULL);
  g_autoptr (GError) error = NULL;
  f->helper = g_subprocess_new (G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE,
                                &error, program, file, NULL);
  g_assert_no_error (error);
  const pid_t pid = (pid_t) g_ascii_strtoll (g_subprocess_get_identifier (f->helper), NULL, 10);
  g_assert_true (stasis_process_lookup (pid, &f->process));

  g_autoptr (GDataInputStream) lines
      = g_data_input_stream_new (g_subprocess_get_stdout_pipe (f->helper));
  for (;;)
    {
      g_autofree char *line = g_data_input_stream_read_line (lines, NULL, NULL, &error);
      g_assert_no_error (error);
      g_assert_nonnull (line);
      if (g_str_equal (line, "ready"))
        break;
      char name[20];
      guint64 address;
      guint64 length;
      g_assert_cmpint (sscanf (line, "%19s %lu %lu", name, &address, &length), ==, 3);
      g_assert_cmpuint (length, ==, MEMORY_LENGTH);
      add_block (f, name, address, length);
    }
  g_assert_cmpuint (f->blocks->len, ==, 4);
}

static void
end_helper (Fixture *f)
{
  kill (f->process.pid, SIGCONT);
  g_subprocess_force_exit (f->helper);
  g_assert_true (g_subprocess_wait (f->helper, NULL, NULL));
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  end_helper (f);
  g_object_unref (f->helper);
  g_ptr_array_unref (f->blocks);
  scratch_remove (f->folder);
}

/* Pages of the block that the helper has: reading must not make more. */
static guint
count_pages (const Fixture *f, const StasisRamBlock *block)
{
  const guint n = MEMORY_LENGTH / 4096;
  g_autofree guint64 *entries = g_new0 (guint64, n);
  g_autofree char *path = g_strdup_printf ("/proc/%d/pagemap", (int) f->process.pid);
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = stasis_fd_open (path, O_RDONLY, 0, &error);
  g_assert_no_error (error);
  stasis_fd_pread_exact (fd, entries, n * sizeof *entries, block->host_address / 512, &error);
  g_assert_no_error (error);
  guint count = 0;
  for (guint i = 0; i < n; i++)
    count += (entries[i] >> 62) != 0;
  return count;
}

static void
assert_hashes (const StasisImageHashes *hashes, const char *name)
{
  g_autofree guint8 *expected = g_malloc0 (MEMORY_LENGTH);
  memory_fill (expected);
  for (guint piece = 0; piece < PIECES; piece++)
    {
      const gsize offset = (gsize) piece * MEMORY_PIECE;
      const StasisHash *hash = stasis_image_hashes_get (hashes, name, MEMORY_LENGTH, piece);
      g_assert_nonnull (hash);
      const StasisHash wanted
          = stasis_hash (expected + offset, MIN (MEMORY_PIECE, MEMORY_LENGTH - offset));
      g_assert_cmpmem (hash->octets, sizeof hash->octets, wanted.octets, sizeof wanted.octets);
    }
  g_assert_null (stasis_image_hashes_get (hashes, name, MEMORY_LENGTH, PIECES));
}

static StasisImageHashes *
hash_all (Fixture *f, guint n_threads)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisMemoryHash) hash
      = stasis_memory_hash_start (&f->process, f->blocks, n_threads, &error);
  g_assert_no_error (error);
  StasisImageHashes *hashes = stasis_memory_hash_finish (hash, &error);
  g_assert_no_error (error);
  return hashes;
}

static void
test_kinds (Fixture *f, gconstpointer data)
{
  g_autoptr (StasisImageHashes) hashes = hash_all (f, GPOINTER_TO_UINT (data));
  for (guint i = 0; i < f->blocks->len; i++)
    assert_hashes (hashes, ((StasisRamBlock *) g_ptr_array_index (f->blocks, i))->name);
}

/* Of anonymous memory, pieces that the guest never touched stay untouched. */
static void
test_sparse (Fixture *f, gconstpointer data)
{
  const StasisRamBlock *block = g_ptr_array_index (f->blocks, 0);
  g_assert_cmpuint (count_pages (f, block), ==, 6 * 256 + 3);
  g_autoptr (StasisImageHashes) hashes = hash_all (f, 2);
  assert_hashes (hashes, "anonymous");
  /* Those with a page somewhere are read: 7, 10 and the short one. */
  g_assert_cmpuint (count_pages (f, block), ==, 8 * 256 + 3);
}

/* An untouched piece that is short has the hash of fewer zeros. */
static void
test_short_zeros (Fixture *f, gconstpointer data)
{
  static const guint8 zeros[4096];
  const StasisRamBlock *first = g_ptr_array_index (f->blocks, 0);
  add_block (f, "short", first->host_address + MEMORY_PIECE, MEMORY_PIECE + 4096);
  g_autoptr (StasisImageHashes) hashes = hash_all (f, 1);
  const StasisHash *hash = stasis_image_hashes_get (hashes, "short", MEMORY_PIECE + 4096, 1);
  const StasisHash wanted = stasis_hash (zeros, sizeof zeros);
  g_assert_cmpmem (hash->octets, sizeof hash->octets, wanted.octets, sizeof wanted.octets);
}

/* Small blocks and such of which QEMU tells no address are left to whoever reads the file. */
static void
test_left_out (Fixture *f, gconstpointer data)
{
  const StasisRamBlock *first = g_ptr_array_index (f->blocks, 0);
  add_block (f, "small", first->host_address, MEMORY_PIECE - 1);
  add_block (f, "unknown", 0, MEMORY_LENGTH);
  add_block (f, "one-piece", first->host_address, MEMORY_PIECE);
  g_autoptr (StasisImageHashes) hashes = hash_all (f, 2);
  assert_hashes (hashes, "memfd");
  g_assert_null (stasis_image_hashes_get (hashes, "small", MEMORY_PIECE - 1, 0));
  g_assert_null (stasis_image_hashes_get (hashes, "unknown", MEMORY_LENGTH, 0));
  g_assert_nonnull (stasis_image_hashes_get (hashes, "one-piece", MEMORY_PIECE, 0));
}

static void
test_nothing (Fixture *f, gconstpointer data)
{
  g_ptr_array_set_size (f->blocks, 0);
  g_autoptr (StasisImageHashes) hashes = hash_all (f, 2);
  g_assert_null (stasis_image_hashes_get (hashes, "anonymous", MEMORY_LENGTH, 0));
}

/* The first block is looked at when we begin, ... */
static void
test_unreadable_first (Fixture *f, gconstpointer data)
{
  g_ptr_array_set_size (f->blocks, 0);
  add_block (f, "nowhere", 4096, MEMORY_LENGTH);
  g_autoptr (GError) error = NULL;
  g_assert_null (stasis_memory_hash_start (&f->process, f->blocks, 2, &error));
  g_assert_nonnull (error);
  g_assert_cmpuint (error->domain, ==, G_IO_ERROR);
  g_autofree char *pid = g_strdup_printf ("process %d", (int) f->process.pid);
  g_assert_nonnull (strstr (error->message, pid));
}

static void
assert_fails_later (Fixture *f)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisMemoryHash) hash = stasis_memory_hash_start (&f->process, f->blocks, 2, &error);
  g_assert_no_error (error);
  g_assert_null (stasis_memory_hash_finish (hash, &error));
  g_assert_nonnull (error);
  g_assert_cmpuint (error->domain, ==, G_IO_ERROR);
  g_assert_null (strstr (error->message, "Success"));
}

/* ... the others by the threads; also one that only ends early. */
static void
test_unreadable_later (Fixture *f, gconstpointer data)
{
  const StasisRamBlock *first = g_ptr_array_index (f->blocks, 0);
  const guint64 address = first->host_address;
  add_block (f, "too-long", address, MEMORY_LENGTH + 4096);
  assert_fails_later (f);
  g_ptr_array_set_size (f->blocks, 4);
  add_block (f, "too-early", address - 4096, MEMORY_LENGTH);
  assert_fails_later (f);
}

static void
test_no_process (Fixture *f, gconstpointer data)
{
  end_helper (f);
  g_autoptr (GError) error = NULL;
  g_assert_null (stasis_memory_hash_start (&f->process, f->blocks, 2, &error));
  g_assert_nonnull (error);
  g_assert_cmpuint (error->domain, ==, G_IO_ERROR);
}

/* Killed at any moment between: a clean error or, where it was too late, the right hashes. */
static void
test_dies (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  /* Enough to do that it is always in the middle. */
  const StasisRamBlock *first = g_ptr_array_index (f->blocks, 0);
  const guint64 address = first->host_address;
  for (guint i = 0; i < 400; i++)
    {
      g_autofree char *name = g_strdup_printf ("again%u", i);
      add_block (f, name, address, MEMORY_LENGTH);
    }
  g_autoptr (StasisMemoryHash) hash = stasis_memory_hash_start (&f->process, f->blocks, 2, &error);
  g_assert_no_error (error);
  g_usleep (GPOINTER_TO_UINT (data));
  end_helper (f);
  g_assert_null (stasis_memory_hash_finish (hash, &error));
  g_assert_nonnull (error);
  g_assert_cmpuint (error->domain, ==, G_IO_ERROR);
}

/* Freed while the threads are at it: they stop at once. */
static void
test_free (Fixture *f, gconstpointer data)
{
  const StasisRamBlock *first = g_ptr_array_index (f->blocks, 0);
  const guint64 address = first->host_address;
  for (guint i = 0; i < 2000; i++)
    add_block (f, "again", address, MEMORY_LENGTH);
  g_autoptr (GError) error = NULL;
  StasisMemoryHash *hash = stasis_memory_hash_start (&f->process, f->blocks, 2, &error);
  g_assert_no_error (error);
  const gint64 begin = g_get_monotonic_time ();
  stasis_memory_hash_free (hash);
  g_assert_cmpint (g_get_monotonic_time () - begin, <, 2 * G_USEC_PER_SEC);
  stasis_memory_hash_free (NULL);
}

static void
add_test (const char *name, guint number, void (*function) (Fixture *, gconstpointer))
{
  g_autofree char *test = g_strconcat ("/driver/memory-hash/", name, NULL);
  g_test_add (test, Fixture, GUINT_TO_POINTER (number), set_up, function, tear_down);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add_test ("kinds/one-thread", 1, test_kinds);
  add_test ("kinds/two-threads", 2, test_kinds);
  add_test ("kinds/many-threads", 40, test_kinds);
  add_test ("sparse", 0, test_sparse);
  add_test ("short-zeros", 0, test_short_zeros);
  add_test ("left-out", 0, test_left_out);
  add_test ("nothing", 0, test_nothing);
  add_test ("unreadable-first", 0, test_unreadable_first);
  add_test ("unreadable-later", 0, test_unreadable_later);
  add_test ("no-process", 0, test_no_process);
  add_test ("dies/at-once", 0, test_dies);
  add_test ("dies/soon", 5000, test_dies);
  add_test ("free", 0, test_free);
  return g_test_run ();
}
