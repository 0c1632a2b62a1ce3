/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt-image-test.c: tests of src/image/libvirt-image.c, with images put together by hand
 */

#include "config.h"

#include "image/libvirt-image.h"

#include <string.h>
#include <unistd.h>

#include "image/error.h"
#include "libvirt-sample.h"
#include "sample.h"
#include "streams.h"
#include "util/fd.h"

/* What AddressSanitizer keeps of freed memory is copied by each fork, and these tests start a
 * program for each bit: they keep less of it. */
__attribute__ ((visibility ("default"))) const char *__asan_default_options (void);

const char *
__asan_default_options (void)
{
  return "quarantine_size_mb=16";
}

static const StasisLibvirtFormat streamed[]
    = { STASIS_LIBVIRT_FORMAT_RAW, STASIS_LIBVIRT_FORMAT_GZIP, STASIS_LIBVIRT_FORMAT_BZIP2,
        STASIS_LIBVIRT_FORMAT_XZ,  STASIS_LIBVIRT_FORMAT_LZOP, STASIS_LIBVIRT_FORMAT_ZSTD };

static StasisLibvirtImage *
open_file (GBytes *octets, GError **error)
{
  return stasis_libvirt_image_open_fd (streams_file (octets), "x", error);
}

/* All that an image says, as a reader that trusts nobody finds out; NULL where something is wrong.
 */
static GBytes *
read_strictly (GBytes *octets, StasisLibvirtImage **out_image, GError **error)
{
  g_autoptr (StasisLibvirtImage) image = open_file (octets, error);
  g_autoptr (StasisStreamIn) body = NULL;
  if (image == NULL || !stasis_libvirt_image_check_strictly (image, error)
      || (body = stasis_libvirt_image_body (image, error)) == NULL)
    return NULL;
  GBytes *stream = streams_drain (body, NULL, error);
  if (stream != NULL && out_image != NULL)
    *out_image = g_steal_pointer (&image);
  return stream;
}

static void
check_image (const StasisLibvirtImage *image, const LibvirtSample *sample)
{
  gsize size;
  const char *text = g_bytes_get_data (stasis_libvirt_image_xml (image), &size);
  g_assert_cmpmem (text, size, LIBVIRT_XML, strlen (LIBVIRT_XML));
  text = g_bytes_get_data (stasis_libvirt_image_cookie (image), &size);
  g_assert_cmpmem (text, size, LIBVIRT_COOKIE, strlen (LIBVIRT_COOKIE));
  g_assert_cmpint (stasis_libvirt_image_format (image), ==, sample->format);
  g_assert_cmpint (stasis_libvirt_image_was_running (image), ==, sample->was_running);
  g_assert_cmpuint (stasis_libvirt_image_body_offset (image), ==,
                    92 + sizeof LIBVIRT_XML + sizeof LIBVIRT_COOKIE + sample->slack);
  g_assert_cmpstr (stasis_libvirt_image_name (image), ==, "x");
}

static void
test_file (gconstpointer data)
{
  const LibvirtSample sample
      = { .format = *(const StasisLibvirtFormat *) data, .was_running = 1, .slack = 65536 };
  if (!libvirt_sample_can (sample.format))
    return;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) stream = libvirt_sample_stream (700000);
  g_autoptr (GBytes) octets = libvirt_sample_image (&sample, stream);
  g_autoptr (StasisLibvirtImage) image = NULL;
  g_autoptr (GBytes) found = read_strictly (octets, &image, &error);
  g_assert_no_error (error);
  g_assert_true (g_bytes_equal (found, stream));
  check_image (image, &sample);
  g_assert_cmpuint (stasis_libvirt_image_body_end (image), ==, g_bytes_get_size (octets));

  /* A file can be read again. */
  g_autoptr (StasisStreamIn) again = stasis_libvirt_image_body (image, &error);
  g_autoptr (GBytes) second = streams_drain (again, NULL, &error);
  g_assert_true (g_bytes_equal (second, stream));
  g_assert_null (stasis_libvirt_image_ram_map (image, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_UNSUPPORTED);
}

static void
test_pipe (gconstpointer data)
{
  const LibvirtSample sample
      = { .format = *(const StasisLibvirtFormat *) data, .slack = 100, .is_swapped = TRUE };
  if (!libvirt_sample_can (sample.format))
    return;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) stream = libvirt_sample_stream (9000);
  g_autoptr (GBytes) octets = libvirt_sample_image (&sample, stream);
  for (gsize piece = 1; piece < 100000; piece *= 60)
    {
      g_autoptr (StasisStreamIn) in = streams_dribble (octets, piece);
      g_autoptr (StasisLibvirtImage) image
          = stasis_libvirt_image_open_stream (in, "x", NULL, &error);
      g_assert_no_error (error);
      check_image (image, &sample);
      g_assert_cmpuint (in->position, ==, stasis_libvirt_image_body_offset (image));
      g_autoptr (StasisStreamIn) body = stasis_libvirt_image_body (image, &error);
      g_autoptr (GBytes) found = streams_drain (body, NULL, &error);
      g_assert_no_error (error);
      g_assert_true (g_bytes_equal (found, stream));
      g_assert_cmpint (stasis_libvirt_image_fd (image), ==, -1);
    }
}

static void
check_refused (GBytes *octets)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) stream = read_strictly (octets, NULL, &error);
  g_assert_null (stream);
  g_assert_nonnull (error);
  g_assert_true (error->domain == STASIS_IMAGE_ERROR);
  g_assert_nonnull (strstr (error->message, "'x'"));
}

/* Every prefix is refused, but those of a raw image that have some of its body: nothing tells
 * there, short of understanding QEMU's stream. */
static void
test_prefixes (gconstpointer data)
{
  const LibvirtSample sample = { .format = *(const StasisLibvirtFormat *) data, .slack = 10 };
  if (!libvirt_sample_can (sample.format))
    return;
  g_autoptr (GBytes) stream = libvirt_sample_stream (60);
  g_autoptr (GBytes) octets = libvirt_sample_image (&sample, stream);
  const gsize size = g_bytes_get_size (octets);
  const gsize blind = sample.format == STASIS_LIBVIRT_FORMAT_RAW ? size - 60 + 8 : size;
  for (gsize i = 0; i < size; i++)
    {
      g_autoptr (GBytes) cut = streams_cut (octets, i);
      if (i < blind)
        check_refused (cut);
      else
        {
          g_autoptr (GBytes) found = read_strictly (cut, NULL, NULL);
          g_assert_cmpuint (g_bytes_get_size (found), ==, i - (size - 60));
        }
    }
}

/* Octets behind the body. */
static void
test_trailing (gconstpointer data)
{
  const LibvirtSample sample = { .format = *(const StasisLibvirtFormat *) data, .slack = 10 };
  if (!libvirt_sample_can (sample.format) || sample.format == STASIS_LIBVIRT_FORMAT_RAW)
    return;
  g_autoptr (GBytes) stream = libvirt_sample_stream (60);
  g_autoptr (GBytes) octets = libvirt_sample_image (&sample, stream);
  g_autoptr (GBytes) more = streams_append (octets, "x", 1);
  check_refused (more);
}

/* TRUE where libvirt's format has nothing that could tell: the texts (and the NUL behind the
 * cookie), the state, a raw body. */
static gboolean
is_blind (const LibvirtSample *sample, gsize at)
{
  const gsize xml = 92, cookie = xml + sizeof LIBVIRT_XML;
  const gsize body = cookie + sizeof LIBVIRT_COOKIE + sample->slack;
  return at == 24 || (at >= xml && at < cookie - 1)
         || (at >= cookie && at < cookie + sizeof LIBVIRT_COOKIE)
         || (sample->format == STASIS_LIBVIRT_FORMAT_RAW && at >= body + 8);
}

/* Whatever bit is turned: refused, or without meaning, or where nothing can tell. */
static void
test_bits (gconstpointer data)
{
  const LibvirtSample sample
      = { .format = *(const StasisLibvirtFormat *) data, .slack = 10, .was_running = 1 };
  if (!libvirt_sample_can (sample.format))
    return;
  g_autoptr (GBytes) stream = libvirt_sample_stream (60);
  g_autoptr (GBytes) octets = libvirt_sample_image (&sample, stream);
  for (gsize i = 0; i < g_bytes_get_size (octets) * 8; i++)
    {
      /* Programs are started for these: one bit of each octet, but all of the header's fields. */
      if (sample.format >= STASIS_LIBVIRT_FORMAT_BZIP2
          && sample.format <= STASIS_LIBVIRT_FORMAT_LZOP && i >= 36 * 8 && i % 8 != i / 8 % 8)
        continue;
      g_autoptr (StasisLibvirtImage) image = NULL;
      g_autoptr (GBytes) changed = streams_flip (octets, i / 8, i % 8);
      g_autoptr (GBytes) found = read_strictly (changed, &image, NULL);
      if (found == NULL || is_blind (&sample, i / 8))
        continue;
      g_assert_true (g_bytes_equal (found, stream));
      check_image (image, &sample);
    }
}

/* A sparse image: its memory is found; no prefix that lacks some of it is taken. */
static void
test_sparse (void)
{
  const LibvirtSample sample = { .format = STASIS_LIBVIRT_FORMAT_SPARSE, .slack = 10 };
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) front = libvirt_sample_front (&sample);
  const gsize offset = g_bytes_get_size (front);
  const int fd = streams_file (front);
  sample_write_mapped_ram (fd, offset);
  g_autoptr (StasisLibvirtImage) image = stasis_libvirt_image_open_fd (dup (fd), "x", &error);
  g_assert_no_error (error);
  check_image (image, &sample);
  g_autoptr (StasisImageRamMap) map = stasis_libvirt_image_ram_map (image, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (map->n_blocks, ==, 3);
  g_assert_cmpuint (map->blocks[0].pages_offset % (1024 * 1024), ==, 0);
  g_assert_null (stasis_libvirt_image_body (image, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_UNSUPPORTED);

  const StasisImageBlock *last = &map->blocks[map->n_blocks - 1];
  const guint64 end = last->pages_offset + last->used_length;
  for (guint64 size = offset + 1; size < end; size += size < offset + 400 ? 1 : 65521)
    {
      g_autoptr (GError) cut_error = NULL;
      stasis_libvirt_image_free (g_steal_pointer (&image));
      const int cut = sample_copy (fd);
      g_assert_cmpint (ftruncate (cut, (off_t) size), ==, 0);
      image = stasis_libvirt_image_open_fd (cut, "x", &error);
      g_assert_null (stasis_libvirt_image_ram_map (image, &cut_error));
      g_assert_error (cut_error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT);
      g_clear_error (&error);
    }
  close (fd);
}

/* The same map, or a refusal. */
static gboolean
is_noticed (int fd, const LibvirtSample *sample, gsize at, const StasisImageRamMap *expected)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisLibvirtImage) image = stasis_libvirt_image_open_fd (dup (fd), "x", &error);
  g_autoptr (StasisImageRamMap) map = NULL;
  if (image == NULL || !stasis_libvirt_image_check_strictly (image, &error)
      || (map = stasis_libvirt_image_ram_map (image, &error)) == NULL)
    {
      g_assert_true (error->domain == STASIS_IMAGE_ERROR);
      return TRUE;
    }
  if (!is_blind (sample, at))
    check_image (image, sample);
  return map->n_blocks != expected->n_blocks
         || map->blocks[0].pages_offset != expected->blocks[0].pages_offset;
}

/* Whatever bit is turned before the memory of a sparse image: refused, or where nothing can tell:
 * besides the texts and the state these are names and numbers of QEMU that only QEMU understands.
 */
static void
test_sparse_bits (void)
{
  const LibvirtSample sample = { .format = STASIS_LIBVIRT_FORMAT_SPARSE, .slack = 10 };
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) front = libvirt_sample_front (&sample);
  const gsize offset = g_bytes_get_size (front);
  stasis_autofd int fd = streams_file (front);
  sample_write_mapped_ram (fd, offset);
  g_autoptr (StasisLibvirtImage) image = stasis_libvirt_image_open_fd (dup (fd), "x", &error);
  g_autoptr (StasisImageRamMap) map = stasis_libvirt_image_ram_map (image, &error);
  g_assert_no_error (error);

  gsize n_unnoticed = 0;
  for (gsize i = 0; i < map->blocks[0].bitmap_offset * 8; i++)
    {
      guint8 octet;
      g_assert_cmpint (pread (fd, &octet, 1, (off_t) (i / 8)), ==, 1);
      const guint8 changed = octet ^ (guint8) (1u << i % 8);
      g_assert_cmpint (pwrite (fd, &changed, 1, (off_t) (i / 8)), ==, 1);
      const gboolean noticed = is_noticed (fd, &sample, i / 8, map);
      /* Of the header and the slack nothing else goes unnoticed. */
      if (!noticed && !is_blind (&sample, i / 8))
        g_assert_cmpuint (i / 8, >=, offset);
      n_unnoticed += !noticed && i / 8 >= offset;
      g_assert_cmpint (pwrite (fd, &octet, 1, (off_t) (i / 8)), ==, 1);
    }
  g_test_message ("%zu bits before the first bitmap mean something to QEMU only", n_unnoticed);
  g_assert_cmpuint (n_unnoticed, <, 130);
}

/* Bodies that are no stream of QEMU, or one that is too old. */
static void
test_not_qemu (void)
{
  static const struct
  {
    const char *octets;
    gsize size;
    int code;
  } bodies[] = { { "QEVM\0\0\0\2....", 12, STASIS_IMAGE_ERROR_UNSUPPORTED },
                 { "QEVN\0\0\0\3....", 12, STASIS_IMAGE_ERROR_CORRUPT },
                 { "QEVM\0\0\0", 7, STASIS_IMAGE_ERROR_CORRUPT } };
  for (gsize i = 0; i < G_N_ELEMENTS (bodies); i++)
    {
      g_autoptr (GError) error = NULL;
      const LibvirtSample sample = { .format = STASIS_LIBVIRT_FORMAT_ZSTD };
      g_autoptr (GBytes) stream = g_bytes_new_static (bodies[i].octets, bodies[i].size);
      g_autoptr (GBytes) octets = libvirt_sample_image (&sample, stream);
      g_assert_null (read_strictly (octets, NULL, &error));
      g_assert_error (error, STASIS_IMAGE_ERROR, bodies[i].code);
    }
}

/* A file that ends where its body should begin. */
static void
test_no_body (void)
{
  const LibvirtSample sample = { .format = STASIS_LIBVIRT_FORMAT_SPARSE, .slack = 10 };
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) front = libvirt_sample_front (&sample);
  g_assert_null (open_file (front, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT);
  g_assert_nonnull (strstr (error->message, "is cut"));
}

static void
test_open (void)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (stasis_libvirt_image_open ("/nowhere/x", &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_assert_null (stasis_libvirt_image_open ("/dev", &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_NOT_AN_IMAGE);
}

static void
add (const char *what, void (*test) (gconstpointer))
{
  for (gsize i = 0; i < G_N_ELEMENTS (streamed); i++)
    {
      g_autofree char *path = g_strdup_printf ("/image/libvirt-image/%s/%s", what,
                                               stasis_libvirt_format_to_string (streamed[i]));
      g_test_add_data_func (path, &streamed[i], test);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add ("file", test_file);
  add ("pipe", test_pipe);
  add ("prefixes", test_prefixes);
  add ("trailing", test_trailing);
  add ("bits", test_bits);
  g_test_add_func ("/image/libvirt-image/sparse", test_sparse);
  g_test_add_func ("/image/libvirt-image/sparse-bits", test_sparse_bits);
  g_test_add_func ("/image/libvirt-image/not-qemu", test_not_qemu);
  g_test_add_func ("/image/libvirt-image/no-body", test_no_body);
  g_test_add_func ("/image/libvirt-image/open", test_open);
  return g_test_run ();
}
