/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kind-test.c: tests of src/image/kind.c
 */

#include "config.h"

#include "image/kind.h"

#include <string.h>
#include <unistd.h>

#include "image/error.h"
#include "image/octets.h"
#include "libvirt-sample.h"
#include "sample.h"
#include "streams.h"
#include "util/fd.h"

static const char *const names[STASIS_IMAGE_KINDS]
    = { "stasis",     "stasis-stream", "libvirt",      "libvirt-gzip",   "libvirt-bzip2",
        "libvirt-xz", "libvirt-lzop",  "libvirt-zstd", "libvirt-sparse", "trailer" };

static void
test_names (void)
{
  for (guint i = 0; i < STASIS_IMAGE_KINDS; i++)
    {
      StasisImageKind kind = STASIS_IMAGE_KINDS;
      g_assert_cmpstr (stasis_image_kind_to_string (i), ==, names[i]);
      g_assert_true (stasis_image_kind_from_string (names[i], &kind, NULL));
      g_assert_cmpint (kind, ==, i);
      g_assert_cmpint (stasis_image_kind_is_libvirt (i), ==,
                       g_str_has_prefix (names[i], "libvirt"));
      g_assert_cmpint (stasis_image_kind_needs_file (i), ==,
                       i == STASIS_IMAGE_KIND_STASIS || i == STASIS_IMAGE_KIND_LIBVIRT_SPARSE);
      if (!stasis_image_kind_is_libvirt (i))
        continue;
      const StasisLibvirtFormat format = stasis_image_kind_libvirt_format (i);
      g_assert_cmpint (stasis_image_kind_from_libvirt_format (format), ==, i);
      if (format != STASIS_LIBVIRT_FORMAT_RAW)
        g_assert_cmpstr (names[i] + 8, ==, stasis_libvirt_format_to_string (format));
    }

  g_autoptr (GError) error = NULL;
  StasisImageKind kind;
  g_assert_false (stasis_image_kind_from_string ("libvirt-raw", &kind, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_assert_nonnull (strstr (error->message, "libvirt, libvirt-gzip, "));
}

/* The same from a file and from a pipe, and from the latter every octet comes again. */
static void
check_kind (GBytes *octets, StasisImageKind expected)
{
  g_autoptr (GError) error = NULL;
  StasisImageKind kind = STASIS_IMAGE_KINDS;
  stasis_autofd int fd = streams_file (octets);
  g_assert_true (stasis_image_kind_detect (fd, "x", &kind, &error));
  g_assert_no_error (error);
  g_assert_cmpint (kind, ==, expected);

  for (gsize piece = 1; piece < 100000; piece *= 70)
    {
      kind = STASIS_IMAGE_KINDS;
      g_autoptr (StasisStreamIn) in = streams_dribble (octets, piece);
      g_autoptr (StasisStreamIn) whole
          = stasis_image_kind_detect_stream (in, "x", &kind, NULL, &error);
      g_assert_no_error (error);
      g_assert_cmpint (kind, ==, expected);
      g_autoptr (GBytes) again = streams_drain (whole, NULL, &error);
      g_assert_true (g_bytes_equal (again, octets));
    }
}

static void
test_libvirt (void)
{
  for (guint format = 0; format < STASIS_LIBVIRT_FORMATS; format++)
    for (int is_swapped = 0; is_swapped < 2; is_swapped++)
      {
        const LibvirtSample sample = { .format = format, .is_swapped = is_swapped, .slack = 6000 };
        g_autoptr (GBytes) octets = libvirt_sample_front (&sample);
        check_kind (octets, stasis_image_kind_from_libvirt_format (format));
      }
}

static void
test_stasis (void)
{
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_STREAM);
  g_autoptr (GBytes) octets = streams_read_file (fd);
  check_kind (octets, STASIS_IMAGE_KIND_STASIS);

  /* A streamed one, as far as a look at the header goes. */
  guint8 *copy = g_memdup2 (g_bytes_get_data (octets, NULL), 4096);
  stasis_put_le32 (copy + 104, 3);
  g_autoptr (GBytes) streamed = g_bytes_new_take (copy, 4096);
  check_kind (streamed, STASIS_IMAGE_KIND_STASIS_STREAM);
}

static void
test_trailer (void)
{
  g_autoptr (GBytes) stream = libvirt_sample_stream (100);
  g_autoptr (GBytes) octets = streams_append (stream,
                                              "LibvirtQemudUUID\0"
                                              "0123456789abcdef",
                                              33);
  check_kind (octets, STASIS_IMAGE_KIND_TRAILER);

  /* A file that lacks it; a pipe can't tell yet. */
  g_autoptr (GError) error = NULL;
  StasisImageKind kind;
  stasis_autofd int fd = streams_file (stream);
  g_assert_false (stasis_image_kind_detect (fd, "x", &kind, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT);
}

static void
check_refused (const void *octets, gsize size, int code)
{
  g_autoptr (GError) error = NULL;
  StasisImageKind kind;
  g_autoptr (GBytes) bytes = g_bytes_new (octets, size);
  stasis_autofd int fd = streams_file (bytes);
  g_assert_false (stasis_image_kind_detect (fd, "x", &kind, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, code);
  g_clear_error (&error);
  g_autoptr (StasisStreamIn) in = stasis_stream_in_new_bytes (bytes);
  g_assert_null (stasis_image_kind_detect_stream (in, "x", &kind, NULL, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, code);
  g_assert_nonnull (strstr (error->message, "'x'"));
}

static void
test_refused (void)
{
  check_refused ("", 0, STASIS_IMAGE_ERROR_NOT_AN_IMAGE);
  check_refused ("QE", 2, STASIS_IMAGE_ERROR_NOT_AN_IMAGE);
  check_refused ("hello, world", 12, STASIS_IMAGE_ERROR_NOT_AN_IMAGE);
  check_refused ("LibvirtQemudSav", 15, STASIS_IMAGE_ERROR_NOT_AN_IMAGE);
  check_refused ("LibvirtQemudSave\2\0\0\0", 20, STASIS_IMAGE_ERROR_CORRUPT);
  check_refused ("LibvirtQemudPart", 16, STASIS_IMAGE_ERROR_INCOMPLETE);
  check_refused ("\211STS\n\032\n", 7, STASIS_IMAGE_ERROR_CORRUPT);

  const LibvirtSample sample = { .format = 7 };
  g_autoptr (GBytes) front = libvirt_sample_front (&sample);
  check_refused (g_bytes_get_data (front, NULL), g_bytes_get_size (front),
                 STASIS_IMAGE_ERROR_UNSUPPORTED);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/image/kind/names", test_names);
  g_test_add_func ("/image/kind/libvirt", test_libvirt);
  g_test_add_func ("/image/kind/stasis", test_stasis);
  g_test_add_func ("/image/kind/trailer", test_trailer);
  g_test_add_func ("/image/kind/refused", test_refused);
  return g_test_run ();
}
