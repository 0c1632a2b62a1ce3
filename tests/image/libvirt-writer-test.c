/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt-writer-test.c: tests of src/image/libvirt-writer.c and libvirt-rewrite.c
 */

#include "config.h"

#include "image/libvirt-writer.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/compress.h"
#include "image/error.h"
#include "image/libvirt-rewrite.h"
#include "libvirt-sample.h"
#include "sample.h"
#include "streams.h"
#include "util/fd.h"

static const StasisLibvirtFormat all[]
    = { STASIS_LIBVIRT_FORMAT_RAW,   STASIS_LIBVIRT_FORMAT_GZIP, STASIS_LIBVIRT_FORMAT_BZIP2,
        STASIS_LIBVIRT_FORMAT_XZ,    STASIS_LIBVIRT_FORMAT_LZOP, STASIS_LIBVIRT_FORMAT_ZSTD,
        STASIS_LIBVIRT_FORMAT_SPARSE };

static GBytes *
text (const char *string)
{
  return g_bytes_new (string, strlen (string));
}

static void
check_open (int fd, const char *xml, gboolean was_running, GBytes *stream)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisLibvirtImage) image = stasis_libvirt_image_open_fd (dup (fd), "x", &error);
  g_assert_no_error (error);
  g_assert_true (stasis_libvirt_image_check_strictly (image, &error));
  gsize size;
  const char *found = g_bytes_get_data (stasis_libvirt_image_xml (image), &size);
  g_assert_cmpmem (found, size, xml, strlen (xml));
  found = g_bytes_get_data (stasis_libvirt_image_cookie (image), &size);
  g_assert_cmpmem (found, size, LIBVIRT_COOKIE, strlen (LIBVIRT_COOKIE));
  g_assert_cmpint (stasis_libvirt_image_was_running (image), ==, was_running);
  if (stream == NULL)
    {
      g_autoptr (StasisImageRamMap) map = stasis_libvirt_image_ram_map (image, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (map->n_blocks, ==, 3);
      return;
    }
  g_autoptr (StasisStreamIn) body = stasis_libvirt_image_body (image, &error);
  g_autoptr (GBytes) again = streams_drain (body, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (g_bytes_equal (again, stream));
}

static void
check_magic (int fd, const char *magic)
{
  char octets[17] = "";
  g_assert_cmpint (pread (fd, octets, 16, 0), ==, 16);
  g_assert_cmpstr (octets, ==, magic);
}

/* (transfer full) A finished image of LIBVIRT_XML, running. */
static int
write_image (StasisLibvirtFormat format, GBytes *stream)
{
  const int fd = sample_file ();
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) xml = text (LIBVIRT_XML);
  g_autoptr (GBytes) cookie = text (LIBVIRT_COOKIE);
  const StasisLibvirtFacts facts
      = { .format = format, .xml = xml, .cookie = cookie, .was_running = TRUE };
  g_autoptr (StasisLibvirtWriter) writer = stasis_libvirt_writer_begin (fd, &facts, &error);
  g_assert_no_error (error);
  check_magic (fd, "LibvirtQemudPart");
  const guint64 offset = stasis_libvirt_writer_body_offset (writer);
  g_assert_cmpuint (offset, ==, 92 + sizeof LIBVIRT_XML + sizeof LIBVIRT_COOKIE + 65536);
  g_assert_cmpint (lseek (fd, 0, SEEK_CUR), ==, (off_t) offset);

  StasisStreamOut *body = stasis_libvirt_writer_body (writer);
  if (format == STASIS_LIBVIRT_FORMAT_SPARSE)
    {
      g_assert_null (body);
      sample_write_mapped_ram (fd, offset);
    }
  else
    g_assert_true (stasis_stream_out_write (body, g_bytes_get_data (stream, NULL),
                                            g_bytes_get_size (stream), NULL, &error));
  check_magic (fd, "LibvirtQemudPart");
  g_assert_true (stasis_libvirt_writer_finish (writer, NULL, &error));
  g_assert_no_error (error);
  check_magic (fd, "LibvirtQemudSave");
  return fd;
}

static void
test_file (gconstpointer data)
{
  const StasisLibvirtFormat format = *(const StasisLibvirtFormat *) data;
  if (!libvirt_sample_can (format))
    return;
  g_autoptr (GBytes) stream
      = format == STASIS_LIBVIRT_FORMAT_SPARSE ? NULL : libvirt_sample_stream (1000000);
  stasis_autofd int fd = write_image (format, stream);
  check_open (fd, LIBVIRT_XML, TRUE, stream);
}

/* The same octets come out of a pipe, finished from the start. */
static void
test_pipe (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) stream = libvirt_sample_stream (100000);
  g_autoptr (GBytes) xml = text (LIBVIRT_XML);
  g_autoptr (GBytes) cookie = text (LIBVIRT_COOKIE);
  g_autoptr (GByteArray) array = g_byte_array_new ();
  g_autoptr (StasisStreamOut) out = streams_collect (array);
  const StasisLibvirtFacts facts
      = { .format = STASIS_LIBVIRT_FORMAT_RAW, .xml = xml, .cookie = cookie, .was_running = TRUE };
  g_autoptr (StasisLibvirtWriter) writer
      = stasis_libvirt_writer_begin_stream (out, &facts, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (stasis_stream_out_write (stasis_libvirt_writer_body (writer),
                                          g_bytes_get_data (stream, NULL), 100000, NULL, &error));
  g_assert_true (stasis_libvirt_writer_finish (writer, NULL, &error));

  stasis_autofd int fd = write_image (STASIS_LIBVIRT_FORMAT_RAW, stream);
  g_autoptr (GBytes) file = streams_read_file (fd);
  g_assert_cmpmem (array->data, array->len, g_bytes_get_data (file, NULL), g_bytes_get_size (file));
}

/* QEMU may write a raw body itself, behind the position where the file stands. */
static void
test_by_qemu (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) stream = libvirt_sample_stream (5000);
  g_autoptr (GBytes) xml = text (LIBVIRT_XML);
  g_autoptr (GBytes) cookie = text (LIBVIRT_COOKIE);
  stasis_autofd int fd = sample_file ();
  const StasisLibvirtFacts facts = { .xml = xml, .cookie = cookie };
  g_autoptr (StasisLibvirtWriter) writer = stasis_libvirt_writer_begin (fd, &facts, &error);
  g_assert_true (stasis_fd_write_exact (fd, g_bytes_get_data (stream, NULL), 5000, &error));
  g_assert_true (stasis_libvirt_writer_finish (writer, NULL, &error));
  check_open (fd, LIBVIRT_XML, FALSE, stream);
}

/* Nothing is finished that has no body, or the wrong one. */
static void
test_no_body (gconstpointer data)
{
  const StasisLibvirtFormat format = *(const StasisLibvirtFormat *) data;
  if (!libvirt_sample_can (format))
    return;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) xml = text (LIBVIRT_XML);
  stasis_autofd int fd = sample_file ();
  const StasisLibvirtFacts facts = { .format = format, .xml = xml };
  g_autoptr (StasisLibvirtWriter) writer = stasis_libvirt_writer_begin (fd, &facts, &error);
  g_assert_false (stasis_libvirt_writer_finish (writer, NULL, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID);
  check_magic (fd, "LibvirtQemudPart");
}

static void
test_sparse_wrong (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) xml = text (LIBVIRT_XML);
  stasis_autofd int fd = sample_file ();
  const StasisLibvirtFacts facts = { .format = STASIS_LIBVIRT_FORMAT_SPARSE, .xml = xml };
  g_autoptr (StasisLibvirtWriter) writer = stasis_libvirt_writer_begin (fd, &facts, &error);
  sample_write_stream (fd, stasis_libvirt_writer_body_offset (writer));
  g_assert_false (stasis_libvirt_writer_finish (writer, NULL, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT);
  check_magic (fd, "LibvirtQemudPart");
  g_clear_error (&error);

  g_autoptr (GByteArray) array = g_byte_array_new ();
  g_autoptr (StasisStreamOut) out = streams_collect (array);
  g_assert_null (stasis_libvirt_writer_begin_stream (out, &facts, NULL, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID);
  g_assert_cmpuint (array->len, ==, 0);
  g_clear_error (&error);
  g_assert_null (stasis_libvirt_writer_begin (fd, &facts, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID);
}

static void
rewrite (int fd, GBytes *xml, int out, GError **error)
{
  g_autoptr (StasisLibvirtImage) image = stasis_libvirt_image_open_fd (dup (fd), "x", error);
  g_assert_nonnull (image);
  const gboolean ok
      = stasis_libvirt_rewrite (image, xml, /* was_running= */ FALSE, out, NULL, NULL, NULL, error);
  g_assert_cmpint (ok, ==, *error == NULL);
}

/* (transfer full) An XML of so many octets. */
static char *
make_xml (gsize size)
{
  g_autofree char *fill = g_strnfill (size - 7, 'x');
  return g_strdup_printf ("<x>%s</x>", fill);
}

/* What fits, down to the last octet, leaves the body in place; what does not moves it, if it can.
 */
static void
test_rewrite (gconstpointer data)
{
  const StasisLibvirtFormat format = *(const StasisLibvirtFormat *) data;
  if (!libvirt_sample_can (format))
    return;
  const gboolean is_sparse = format == STASIS_LIBVIRT_FORMAT_SPARSE;
  g_autoptr (GBytes) stream = is_sparse ? NULL : libvirt_sample_stream (300000);
  stasis_autofd int fd = write_image (format, stream);
  g_autoptr (GBytes) before = streams_read_file (fd);
  const gsize most = sizeof LIBVIRT_XML + 65536 - 1;
  const gsize sizes[] = { 8, most, most + 1, 1000000 };
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *string = make_xml (sizes[i]);
      g_autoptr (GBytes) xml = text (string);
      stasis_autofd int out = sample_file ();
      rewrite (fd, xml, out, &error);
      g_autoptr (GBytes) after = streams_read_file (fd);
      g_assert_true (g_bytes_equal (before, after));
      if (is_sparse && sizes[i] > most)
        {
          g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_TOO_LARGE);
          g_autofree char *limit = g_strdup_printf ("at most %zu", most);
          g_assert_nonnull (strstr (error->message, limit));
          g_assert_cmpint (lseek (out, 0, SEEK_END), ==, 0);
          continue;
        }
      g_assert_no_error (error);
      check_magic (out, "LibvirtQemudSave");
      check_open (out, string, FALSE, stream);
      const off_t grown = lseek (out, 0, SEEK_END) - lseek (fd, 0, SEEK_END);
      g_assert_cmpint (grown, ==, sizes[i] <= most ? 0 : (off_t) (sizes[i] - (most - 65536)));

      /* Holes stay holes. */
      struct stat st, out_st;
      g_assert_cmpint (fstat (fd, &st) | fstat (out, &out_st), ==, 0);
      g_assert_cmpint (out_st.st_blocks, <=, st.st_blocks + (sizes[i] + 65536) / 512 + 64);
    }
}

/* An image of a host of the other byte order, of version 1, without a cookie. */
static void
test_rewrite_old (void)
{
  const LibvirtSample sample
      = { .version = 1, .is_swapped = TRUE, .cookie_offset = -1, .slack = 100 };
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) stream = libvirt_sample_stream (1000);
  g_autoptr (GBytes) octets = libvirt_sample_image (&sample, stream);
  g_autoptr (GBytes) xml = text ("<x/>");
  stasis_autofd int fd = streams_file (octets);
  stasis_autofd int out = sample_file ();
  rewrite (fd, xml, out, &error);
  g_assert_no_error (error);
  g_autoptr (StasisLibvirtImage) image = stasis_libvirt_image_open_fd (dup (out), "x", &error);
  const StasisLibvirtHeader *header = stasis_libvirt_image_header (image);
  g_assert_cmpuint (header->version, ==, 2);
  g_assert_false (header->is_swapped);
  g_assert_null (stasis_libvirt_image_cookie (image));
  g_autoptr (StasisStreamIn) body = stasis_libvirt_image_body (image, &error);
  g_autoptr (GBytes) again = streams_drain (body, NULL, &error);
  g_assert_true (g_bytes_equal (again, stream));
}

static void
test_rewrite_refused (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) stream = libvirt_sample_stream (1000);
  g_autoptr (GBytes) empty = text ("");
  g_autoptr (GBytes) xml = text ("<x/>");
  stasis_autofd int fd = write_image (STASIS_LIBVIRT_FORMAT_RAW, stream);
  stasis_autofd int out = sample_file ();
  rewrite (fd, empty, out, &error);
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID);
  g_clear_error (&error);
  rewrite (fd, xml, fd, &error);
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID);
  g_clear_error (&error);

  g_autoptr (GBytes) octets = streams_read_file (fd);
  g_autoptr (StasisStreamIn) in = stasis_stream_in_new_bytes (octets);
  g_autoptr (StasisLibvirtImage) image = stasis_libvirt_image_open_stream (in, "x", NULL, &error);
  g_assert_false (stasis_libvirt_rewrite (image, xml, TRUE, out, NULL, NULL, NULL, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID);
}

static void
add (const char *what, void (*test) (gconstpointer))
{
  for (gsize i = 0; i < G_N_ELEMENTS (all); i++)
    {
      g_autofree char *path = g_strdup_printf ("/image/libvirt-writer/%s/%s", what,
                                               stasis_libvirt_format_to_string (all[i]));
      g_test_add_data_func (path, &all[i], test);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add ("file", test_file);
  add ("no-body", test_no_body);
  add ("rewrite", test_rewrite);
  g_test_add_func ("/image/libvirt-writer/pipe", test_pipe);
  g_test_add_func ("/image/libvirt-writer/by-qemu", test_by_qemu);
  g_test_add_func ("/image/libvirt-writer/sparse-wrong", test_sparse_wrong);
  g_test_add_func ("/image/libvirt-writer/rewrite-old", test_rewrite_old);
  g_test_add_func ("/image/libvirt-writer/rewrite-refused", test_rewrite_refused);
  return g_test_run ();
}
