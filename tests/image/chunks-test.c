/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * chunks-test.c: tests of src/image/chunks.c
 */

#include "config.h"

#include "image/chunks.h"

#include <string.h>
#include <unistd.h>

#include "sample.h"
#include "util/fd.h"

#define MIB G_GUINT64_CONSTANT (1048576)

typedef struct
{
  const char *name;
  guint64 offset, end; /* of the body */
  guint64 n_chunks;
  guint64 first_end;  /* of the first chunk */
  guint64 last_start; /* of the last */
} Cut;

static const Cut cuts[] = {
  { "one-octet", MIB / 2, MIB / 2 + 1, 1, MIB / 2 + 1, MIB / 2 },
  { "to-boundary", MIB / 2, MIB, 1, MIB, MIB / 2 },
  { "over-boundary", MIB / 2, MIB + 1, 2, MIB, MIB },
  { "aligned", MIB, 3 * MIB, 2, 2 * MIB, 2 * MIB },
  { "both-clipped", 3 * MIB / 2, 9 * MIB / 2, 4, 2 * MIB, 4 * MIB },
  { "largest", 4096, MIB << 22, 1 << 22, MIB, (MIB << 22) - MIB },
};

static void
test_cut (gconstpointer data)
{
  const Cut *cut = data;
  const StasisBody body = { cut->offset, cut->end };
  guint64 start, end;
  g_assert_cmpuint (stasis_body_n_chunks (&body), ==, cut->n_chunks);
  stasis_body_chunk (&body, 0, &start, &end);
  g_assert_cmpuint (start, ==, cut->offset);
  g_assert_cmpuint (end, ==, cut->first_end);
  stasis_body_chunk (&body, cut->n_chunks - 1, &start, &end);
  g_assert_cmpuint (start, ==, cut->last_start);
  g_assert_cmpuint (end, ==, cut->end);
}

/* What a pass is told and what it found. */
typedef struct
{
  const guint8 *octets; /* of the whole file */
  StasisBody body;
  int n_visits; /* (atomic) */
  int stop;
  gint64 fail_at; /* chunk, or -1 */
  gint64 stop_at;
} Expectation;

static gboolean
visit (guint64 index, StasisChunkReader *reader, gpointer thread_data, gpointer data,
       GError **error)
{
  Expectation *self = data;
  guint64 start, end;
  StasisHash found;
  stasis_body_chunk (&self->body, index, &start, &end);
  g_atomic_int_inc (&self->n_visits);
  if ((gint64) index == self->fail_at)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "chunk %d", (int) index);
      return FALSE;
    }
  if ((gint64) index == self->stop_at)
    g_atomic_int_set (&self->stop, 1);
  if (!stasis_chunk_reader_hash (reader, start, end, NULL, NULL, &found, error))
    return FALSE;
  const StasisHash expected = stasis_hash (self->octets + start, end - start);
  g_assert_true (stasis_hash_equal (&found, &expected));
  return TRUE;
}

/* A file with holes and data of all sizes: the hash is that of what a read returns. */
static void
test_hash (gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  const gsize size = 9 * MIB + 1234;
  stasis_autofd int fd = sample_file ();
  g_autofree guint8 *octets = g_malloc0 (size);
  for (gsize at = 600000; at < size; at = at * 5 / 4)
    {
      const gsize n = MIN (at / 40, size - at);
      memset (octets + at, (int) (at % 251) + 1, n);
      g_assert_true (stasis_fd_pwrite_exact (fd, octets + at, n, at, &error));
    }
  g_assert_cmpint (ftruncate (fd, (off_t) size), ==, 0);

  Expectation expectation
      = { .octets = octets, .body = { 512 * 1024, size }, .fail_at = -1, .stop_at = -1 };
  const StasisChunkPass pass = { .fd = fd,
                                 .body = expectation.body,
                                 .n_threads = GPOINTER_TO_UINT (data),
                                 .visit = visit,
                                 .data = &expectation };
  g_assert_true (stasis_chunk_pass_run (&pass, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpint (expectation.n_visits, ==, 10);
}

static void
run_empty (Expectation *expectation, guint n_threads, gboolean *out_ok, GError **error)
{
  stasis_autofd int fd = sample_file ();
  g_autofree guint8 *octets = g_malloc0 (20 * MIB);
  g_assert_cmpint (ftruncate (fd, (off_t) (20 * MIB)), ==, 0);
  expectation->octets = octets;
  expectation->body = (StasisBody){ 0, 20 * MIB };
  const StasisChunkPass pass = { .fd = fd,
                                 .body = expectation->body,
                                 .n_threads = n_threads,
                                 .visit = visit,
                                 .stop = &expectation->stop,
                                 .data = expectation };
  *out_ok = stasis_chunk_pass_run (&pass, NULL, error);
}

static void
test_failure (void)
{
  g_autoptr (GError) error = NULL;
  gboolean ok;
  Expectation expectation = { .fail_at = 7, .stop_at = -1 };
  run_empty (&expectation, 3, &ok, &error);
  g_assert_false (ok);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_FAILED);
  g_assert_cmpstr (error->message, ==, "chunk 7");
}

static void
test_stop (void)
{
  g_autoptr (GError) error = NULL;
  gboolean ok;
  Expectation expectation = { .fail_at = -1, .stop_at = 7 };
  run_empty (&expectation, 1, &ok, &error);
  g_assert_no_error (error);
  g_assert_true (ok);
  g_assert_cmpint (expectation.n_visits, ==, 8);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (cuts); i++)
    {
      g_autofree char *path = g_strdup_printf ("/image/chunks/cut/%s", cuts[i].name);
      g_test_add_data_func (path, &cuts[i], test_cut);
    }
  g_test_add_data_func ("/image/chunks/hash/one-thread", GUINT_TO_POINTER (1), test_hash);
  g_test_add_data_func ("/image/chunks/hash/four-threads", GUINT_TO_POINTER (4), test_hash);
  g_test_add_data_func ("/image/chunks/hash/default", GUINT_TO_POINTER (0), test_hash);
  g_test_add_func ("/image/chunks/failure", test_failure);
  g_test_add_func ("/image/chunks/stop", test_stop);
  return g_test_run ();
}
