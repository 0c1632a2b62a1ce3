/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rewrite-test.c: tests of src/image/rewrite.c
 */

#include "config.h"

#include "image/rewrite.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/error.h"
#include "image/reader-private.h"
#include "image/streamed-reader.h"
#include "sample-edits.h"
#include "sample.h"
#include "util/fd.h"

#define MIB (1024u * 1024)

static int
rewrite (int fd, gsize xml_size)
{
  g_autoptr (GError) error = NULL;
  const int out = sample_file ();
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  g_assert_no_error (error);
  g_autoptr (GBytes) xml = g_bytes_new_take (g_strnfill (xml_size, 'x'), xml_size);
  g_assert_true (stasis_image_rewrite (image, xml, NULL, out, NULL, NULL, NULL, &error));
  g_assert_no_error (error);
  g_assert_true (sample_verify (out, &error));
  g_assert_no_error (error);

  g_autoptr (StasisImage) result = sample_open (out, &error);
  g_assert_cmpuint (g_bytes_get_size (stasis_image_xml (result)), ==, xml_size);
  if (stasis_image_body_kind (image) != STASIS_IMAGE_BODY_CHUNKS)
    g_assert_cmpuint (stasis_image_body_offset (result), ==, stasis_image_body_offset (image));
  g_assert_cmpmem (stasis_image_uuid (result), 16, stasis_image_uuid (image), 16);
  g_assert_cmpint (stasis_image_created_ns (result), ==, stasis_image_created_ns (image));
  g_assert_cmpuint (stasis_image_n_unknown_records (result), ==,
                    stasis_image_n_unknown_records (image));
  return out;
}

/* Exactly as much as fits before the body, one more, and far more: no XML is too long. */
static void
test_sizes (gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_image ((StasisImageBodyKind) GPOINTER_TO_INT (data));
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  const gsize old = stasis_record_size (strlen (SAMPLE_XML));
  const gsize fits = stasis_image_body_offset (image)
                     - stasis_image_header_front_end (&image->header) + old
                     - STASIS_RECORD_HEADER_SIZE;
  const gsize sizes[] = { 1, fits, fits + 1, 16 * MIB };
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      stasis_autofd int out = rewrite (fd, sizes[i]);
      g_autoptr (StasisImage) result = sample_open (out, &error);
      const StasisRecord *first = g_ptr_array_index (result->records, 0);
      g_assert_cmpint (first->type == STASIS_RECORD_DOMAIN_XML, ==, sizes[i] <= fits);
      /* And back to something short. */
      stasis_autofd int again = rewrite (out, 4);
      g_autoptr (StasisImage) back = sample_open (again, &error);
      first = g_ptr_array_index (back->records, 0);
      g_assert_cmpuint (first->type, ==, STASIS_RECORD_DOMAIN_XML);
    }
}

/* A streamed image stays one, with the XML in front whatever its length, and the same stream. */
static void
test_streamed (void)
{
  g_autoptr (GError) error = NULL;
  const gsize stream_size = 5 * MIB + 11;
  stasis_autofd int fd = sample_written (1, stream_size);
  g_autoptr (GBytes) stream = sample_long_stream (stream_size);
  static const gsize sizes[] = { 1, 1000, 16 * MIB };
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      stasis_autofd int out = rewrite (fd, sizes[i]);
      g_autoptr (StasisImage) result = sample_open (out, &error);
      const StasisRecord *first = g_ptr_array_index (result->records, 0);
      g_assert_cmpuint (first->type, ==, STASIS_RECORD_DOMAIN_XML);
      g_assert_cmpint (stasis_image_body_kind (result), ==, STASIS_IMAGE_BODY_CHUNKS);

      g_autoptr (StasisStreamIn) in = stasis_stream_in_new_file (out, 0, G_MAXUINT64);
      g_autoptr (StasisStreamedReader) reader
          = stasis_streamed_reader_open (in, "it", 2, NULL, &error);
      g_assert_no_error (error);
      StasisStreamIn *body = stasis_streamed_reader_body (reader);
      g_autofree guint8 *octets = g_malloc (stream_size + 1);
      g_assert_cmpint (stasis_stream_in_read_full (body, octets, stream_size + 1, NULL, &error), ==,
                       (gssize) stream_size);
      g_assert_no_error (error);
      g_assert_true (memcmp (octets, g_bytes_get_data (stream, NULL), stream_size) == 0);
    }
}

/* Holes stay holes. */
static void
test_sparse (void)
{
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_MAPPED_RAM);
  stasis_autofd int out = rewrite (fd, 100);
  struct stat before, after;
  g_assert_cmpint (fstat (fd, &before), ==, 0);
  g_assert_cmpint (fstat (out, &after), ==, 0);
  g_assert_cmpint (after.st_blocks, <=, before.st_blocks + 16);
}

/* Unknown optional records live on. */
static void
test_unknown (void)
{
  for (gsize i = 0; i < sample_n_cases; i++)
    {
      if (!g_str_has_suffix (sample_cases[i].name, "-optional"))
        continue;
      stasis_autofd int fd = sample_edited (sample_cases[i].kind, sample_cases[i].edit);
      stasis_autofd int out = rewrite (fd, 10);
      g_autoptr (StasisImage) image = sample_open (out, NULL);
      g_assert_cmpuint (stasis_image_n_unknown_records (image), ==, 3);
    }
}

static void
test_refused (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_STREAM);
  stasis_autofd int out = sample_file ();
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  g_autoptr (GBytes) empty = g_bytes_new (NULL, 0);
  g_autoptr (GBytes) good = g_bytes_new_static ("<x/>", 4);
  g_autoptr (GBytes) huge = g_bytes_new_take (g_strnfill (16 * MIB + 1, 'x'), 16 * MIB + 1);

  g_assert_false (stasis_image_rewrite (image, empty, NULL, out, NULL, NULL, NULL, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID);
  g_clear_error (&error);
  g_assert_false (stasis_image_rewrite (image, good, NULL, fd, NULL, NULL, NULL, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID);
  g_clear_error (&error);
  g_assert_false (stasis_image_rewrite (image, huge, NULL, out, NULL, NULL, NULL, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_TOO_LARGE);
  g_clear_error (&error);
  g_assert_null (sample_open (out, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INCOMPLETE);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/image/rewrite/sizes/mapped-ram",
                        GINT_TO_POINTER (STASIS_IMAGE_BODY_MAPPED_RAM), test_sizes);
  g_test_add_data_func ("/image/rewrite/sizes/stream", GINT_TO_POINTER (STASIS_IMAGE_BODY_STREAM),
                        test_sizes);
  g_test_add_func ("/image/rewrite/streamed", test_streamed);
  g_test_add_func ("/image/rewrite/sparse", test_sparse);
  g_test_add_func ("/image/rewrite/unknown", test_unknown);
  g_test_add_func ("/image/rewrite/refused", test_refused);
  return g_test_run ();
}
