/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * packed-test.c: tests of src/image/packed-ram.c, packed-index.c, packed-writer.c and body-head.c
 */

#include "config.h"

#include "image/packed-index.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "image/body-head.h"
#include "image/error.h"
#include "image/octets.h"
#include "image/packed-writer.h"
#include "image/parent.h"
#include "image/qemu-stream.h"
#include "image/reader-private.h"
#include "sample-packed.h"
#include "sample.h"
#include "util/fd.h"

#define PAGE    STASIS_IMAGE_PAGE_SIZE
#define N_PAGES 768u /* of pc.ram */

/* An image that is being written, and what its pages are to be. */
typedef struct
{
  int fd;
  StasisImageWriter *image;
  StasisPackedWriter *writer;
  StasisQemuHead head;
  StasisImageRamMap *map;
  gint16 wanted[N_PAGES]; /* of pc.ram: -1: not in it */
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  f->fd = sample_file ();
  f->image = sample_begin (f->fd, STASIS_IMAGE_BODY_PACKED_RAM);
  f->map = sample_packed_map ();
  sample_packed_head (&f->head);
  f->writer = stasis_packed_writer_begin (f->fd, f->fd, stasis_image_writer_body_offset (f->image),
                                          &f->head, f->map, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < N_PAGES; i++)
    f->wanted[i] = -1;
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  stasis_packed_writer_free (f->writer);
  stasis_image_writer_free (f->image);
  stasis_image_ram_map_free (f->map);
  stasis_qemu_head_clear (&f->head);
  close (f->fd);
}

static void
put (Fixture *f, guint page, guint8 octet)
{
  sample_packed_put (f->writer, 0, page, octet);
  f->wanted[page] = octet;
}

static StasisImage *
finish (Fixture *f)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GByteArray) rest = sample_packed_rest ();
  g_auto (StasisBodyNotes) notes = { .hashes = NULL };
  stasis_packed_writer_finish (f->writer, rest, &notes, &error);
  g_assert_no_error (error);
  const StasisImageTail tail = { .notes = &notes, .n_threads = 1 };
  stasis_image_writer_finish (f->image, 0, &tail, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (sample_verify (f->fd, &error));
  g_assert_no_error (error);
  StasisImage *image = sample_open (f->fd, &error);
  g_assert_no_error (error);
  return image;
}

static StasisPackedIndex *
load (const StasisImage *image)
{
  g_autoptr (GError) error = NULL;
  StasisPackedIndex *index = stasis_packed_index_load (image, NULL, &error);
  g_assert_no_error (error);
  return index;
}

static void
assert_page (const Fixture *f, const StasisPackedIndex *index, guint page)
{
  g_autoptr (GError) error = NULL;
  const guint8 *bits = stasis_packed_index_bitmap (index, 0);
  guint64 offset;
  g_assert_cmpint (bits[page / 8] >> page % 8 & 1, ==, f->wanted[page] >= 0);
  if (f->wanted[page] < 0)
    return;
  g_assert_cmpuint (stasis_packed_index_find (index, 0, page, 1, &offset), ==, 1);
  if (offset == 0)
    {
      g_assert_cmpint (f->wanted[page], ==, 0);
      return;
    }
  guint8 octets[PAGE];
  stasis_fd_pread_exact (f->fd, octets, PAGE, offset, &error);
  g_assert_no_error (error);
  for (gsize i = 0; i < PAGE; i++)
    g_assert_cmpuint (octets[i], ==, f->wanted[page]);
  guint block;
  guint64 found;
  g_assert_true (stasis_packed_index_at (index, offset + 17, &block, &found));
  g_assert_cmpuint (block, ==, 0);
  g_assert_cmpuint (found, ==, page);
}

static void
assert_pages (Fixture *f, guint64 n_stored)
{
  g_autoptr (StasisImage) image = finish (f);
  g_autoptr (StasisPackedIndex) index = load (image);
  guint64 n = 0;
  for (guint page = 0; page < N_PAGES; page++)
    {
      assert_page (f, index, page);
      n += f->wanted[page] >= 0;
    }
  g_assert_cmpuint (image->map->blocks[0].n_set, ==, n);
  g_assert_cmpuint (image->packed->n_pages, ==, n_stored);
}

static void
test_order (Fixture *f, gconstpointer data)
{
  for (guint page = 0; page < N_PAGES; page += 3)
    put (f, N_PAGES - 1 - page, (guint8) (page % 250 + 1));
  assert_pages (f, N_PAGES / 3);
}

static void
test_nothing (Fixture *f, gconstpointer data)
{
  assert_pages (f, 0);
}

/* In the buffer, and when it has long been written; from and to zero. */
static void
test_again (Fixture *f, gconstpointer data)
{
  for (guint page = 0; page < 500; page++)
    put (f, page, page % 10 == 0 ? 0 : (guint8) (page % 200 + 1));
  put (f, 499, 7);
  put (f, 3, 8);   /* written by now */
  put (f, 4, 0);   /* keeps its place */
  put (f, 10, 9);  /* gets one */
  put (f, 20, 0);  /* is zero as before */
  put (f, 20, 11); /* and no more */
  put (f, 20, 0);
  guint64 n_zero;
  g_assert_cmpuint (stasis_packed_writer_count (f->writer, &n_zero), ==, 500);
  g_assert_cmpuint (n_zero, ==, 48);
  assert_pages (f, 450 + 2);
}

/* Zero pages cost nothing but a run. */
static void
test_zero (Fixture *f, gconstpointer data)
{
  for (guint page = 0; page < N_PAGES; page++)
    put (f, page, 0);
  g_autoptr (StasisImage) image = finish (f);
  g_assert_cmpuint (image->packed->n_pages, ==, 0);
  g_assert_cmpuint (image->packed->n_runs, ==, 1);
}

typedef struct
{
  Fixture *f;
  guint number;
} Worker;

static gpointer
put_some (gpointer data)
{
  const Worker *worker = data;
  for (guint page = worker->number; page < N_PAGES; page += 4)
    sample_packed_put (worker->f->writer, 0, page, (guint8) (page % 250 + 1));
  return NULL;
}

static void
test_threads (Fixture *f, gconstpointer data)
{
  GThread *threads[4];
  Worker workers[4];
  for (guint i = 0; i < 4; i++)
    {
      workers[i] = (Worker){ f, i };
      threads[i] = g_thread_new ("put", put_some, &workers[i]);
    }
  for (guint i = 0; i < 4; i++)
    g_thread_join (threads[i]);
  for (guint page = 0; page < N_PAGES; page++)
    f->wanted[page] = (gint16) (page % 250 + 1);
  assert_pages (f, N_PAGES);
}

/* Of two blocks side by side no run reaches from one into the other. */
static void
test_blocks (Fixture *f, gconstpointer data)
{
  put (f, N_PAGES - 1, 1);
  sample_packed_put (f->writer, 1, 0, 2);
  sample_packed_put (f->writer, 1, 1, 0);
  sample_packed_put (f->writer, 2, 31, 0);
  g_autoptr (StasisImage) image = finish (f);
  g_autoptr (StasisPackedIndex) index = load (image);
  g_assert_cmpuint (image->packed->n_runs, ==, 4);
  guint64 offset;
  g_assert_cmpuint (stasis_packed_index_find (index, 1, 0, 2, &offset), ==, 1);
  g_assert_cmpuint (offset, ==, image->header.body_offset + PAGE);
  g_assert_cmpuint (stasis_packed_index_find (index, 2, 31, 1, &offset), ==, 1);
  g_assert_cmpuint (offset, ==, 0);

  guint block;
  guint64 page;
  g_assert_false (
      stasis_packed_index_at (index, image->header.body_offset + 2 * PAGE, &block, &page));
}

/* What a whole chunk's hash was taken of is what is in the file: the writer need not read it. */
static void
test_notes (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  for (guint page = 0; page < N_PAGES; page++)
    put (f, page, (guint8) (page % 250 + 1));
  put (f, 0, 77);
  g_autoptr (GByteArray) rest = sample_packed_rest ();
  g_auto (StasisBodyNotes) notes = { .hashes = NULL };
  stasis_packed_writer_finish (f->writer, rest, &notes, &error);
  g_assert_no_error (error);
  g_assert_null (stasis_body_notes_chunk_hash (&notes, 0)); /* it was written over */
  g_assert_nonnull (stasis_body_notes_chunk_hash (&notes, 1));
  g_assert_null (stasis_body_notes_chunk_hash (&notes, 100));
}

static void
test_head (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  put (f, 5, 5);
  g_autoptr (StasisImage) image = finish (f);
  g_auto (StasisQemuHead) head = { .ram_id = 0 };
  guint64 rest, start, end;
  g_autoptr (StasisImageRamMap) map = stasis_image_take_head (image, &head, &rest, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (map->n_blocks, ==, 3);
  g_assert_cmpstr (head.machine, ==, f->head.machine);
  g_assert_true (stasis_image_get_packed_stream (image, &start, &end));
  g_assert_cmpuint (start, <, rest);
  g_assert_cmpuint (rest, <, end);
  g_autoptr (StasisQemuStreamInfo) info
      = stasis_qemu_stream_scan_bare (f->fd, start, end, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (info->length, ==, end - start);
}

/* What is wrong with the index although its hash is right. */
static void
test_index (Fixture *f, gconstpointer data)
{
  static const struct
  {
    guint32 runs[2][2];
    const char *word;
  } tests[] = {
    { { { 0, 2 }, { 9, 1 } }, NULL },
    { { { 9, 1 }, { 0, 2 } }, NULL },
    { { { 0, 3 }, { 9, STASIS_PACKED_ZERO | 1 } }, "not as many pages" },
    { { { 0, 3 }, { 9, 0 } }, "makes no sense" },
    { { { 0, 3 }, { 9, STASIS_PACKED_ZERO } }, "makes no sense" },
    { { { 0, 2 }, { 1, 1 } }, "twice" },
    { { { 0, 2 }, { 9, 2 } }, "more pages than are stored" },
    { { { 0, 1 }, { 9, 1 } }, "fewer pages than are stored" },
    { { { 0, 2 }, { 864, 1 } }, "makes no sense" },
    { { { 0, 2 }, { 0xffffffff, 1 } }, "makes no sense" },
    { { { 0, 1 }, { 767, 2 } }, "over the end of its block" },
    { { { 0, 2 }, { 800, 1 } }, "not as many pages" },
  };
  put (f, 0, 1);
  put (f, 1, 1);
  put (f, 9, 1);
  g_autoptr (StasisImage) image = finish (f);
  g_assert_cmpuint (image->packed->n_runs, ==, 2);
  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    {
      g_autoptr (GError) error = NULL;
      guint8 octets[16];
      for (guint j = 0; j < 4; j++)
        stasis_put_le32 (octets + 4 * j, tests[i].runs[j / 2][j % 2]);
      stasis_fd_pwrite_exact (
          f->fd, octets, sizeof octets,
          stasis_packed_ram_index_offset (image->packed, image->header.body_offset), &error);
      g_assert_no_error (error);
      image->packed->index_hash = stasis_hash (octets, sizeof octets);
      g_autoptr (StasisPackedIndex) index = stasis_packed_index_load (image, NULL, &error);
      g_assert_cmpint (index != NULL, ==, tests[i].word == NULL);
      if (tests[i].word == NULL)
        continue;
      g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT);
      g_assert_nonnull (strstr (error->message, tests[i].word));
    }
}

static void
test_damage (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  for (guint page = 100; page < 700; page++)
    put (f, page, (guint8) (page % 250 + 1));
  g_autoptr (StasisImage) image = finish (f);
  const guint64 at = image->header.body_offset + 300 * PAGE;
  stasis_fd_pwrite_exact (f->fd, "\377", 1, at, &error);
  g_assert_no_error (error);
  g_assert_false (sample_verify (f->fd, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT);
  g_assert_nonnull (strstr (error->message, "RAM block 'pc.ram', guest memory at 0x"));
}

static void
test_cancelled (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  put (f, 0, 1);
  g_autoptr (StasisImage) image = finish (f);
  g_cancellable_cancel (cancellable);
  g_assert_null (stasis_packed_index_load (image, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

/* Nobody can read such a body without what its writer knows. */
static void
test_no_notes (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GByteArray) rest = sample_packed_rest ();
  g_auto (StasisBodyNotes) notes = { .hashes = NULL };
  stasis_packed_writer_finish (f->writer, rest, &notes, &error);
  g_assert_no_error (error);
  const StasisImageTail tail = { .n_threads = 1 };
  g_assert_false (stasis_image_writer_finish (f->image, 0, &tail, NULL, NULL, NULL, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID);
}

/* As on a disk that is full: a later put is told, or else the end, which is told in any case. */
static void
test_full (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = memfd_create ("packed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  g_autoptr (StasisPackedWriter) writer
      = stasis_packed_writer_begin (fd, fd, 0, &f->head, f->map, &error);
  g_assert_no_error (error);
  g_assert_cmpint (fcntl (fd, F_ADD_SEALS, F_SEAL_GROW), ==, 0);
  guint8 octets[PAGE];
  guint64 written = 0;
  memset (octets, 1, sizeof octets);
  for (guint page = 0; error == NULL && page < N_PAGES; page++)
    if (!stasis_packed_writer_put (writer, 0, page * PAGE, octets, PAGE, &written, &error))
      g_assert_cmpuint (page, >=, 255);
  if (error != NULL)
    g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED);
  g_clear_error (&error);
  g_autoptr (GByteArray) rest = sample_packed_rest ();
  g_auto (StasisBodyNotes) notes = { .hashes = NULL };
  g_assert_false (stasis_packed_writer_finish (writer, rest, &notes, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED);
}

static void
add (const char *name, void (*test) (Fixture *f, gconstpointer data))
{
  g_autofree char *path = g_strdup_printf ("/image/packed/%s", name);
  g_test_add (path, Fixture, NULL, set_up, test, tear_down);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add ("order", test_order);
  add ("nothing", test_nothing);
  add ("again", test_again);
  add ("zero", test_zero);
  add ("threads", test_threads);
  add ("blocks", test_blocks);
  add ("notes", test_notes);
  add ("head", test_head);
  add ("index", test_index);
  add ("damage", test_damage);
  add ("cancelled", test_cancelled);
  add ("no-notes", test_no_notes);
  add ("full", test_full);
  return g_test_run ();
}
