/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt-sample.c: small save images of libvirt, put together by hand
 */

#include "config.h"

#include "libvirt-sample.h"

#include <string.h>

#include "image/compress.h"
#include "image/filters.h"
#include "image/libvirt-image.h"
#include "streams.h"

static void
put (GByteArray *array, gsize at, guint32 value, gboolean is_swapped)
{
  if (is_swapped)
    value = GUINT32_SWAP_LE_BE (value);
  memcpy (array->data + at, &value, sizeof value);
}

/* What comes before the body. */
GBytes *
libvirt_sample_front (const LibvirtSample *sample)
{
  const gboolean has_cookie = sample->cookie_offset >= 0;
  g_autofree guint8 *zeros = g_malloc0 (92 + sample->slack);
  GByteArray *array = g_byte_array_new ();
  g_byte_array_append (array, zeros, 92);
  g_byte_array_append (array, (const guint8 *) LIBVIRT_XML, sizeof LIBVIRT_XML);
  if (has_cookie)
    g_byte_array_append (array, (const guint8 *) LIBVIRT_COOKIE, sizeof LIBVIRT_COOKIE);
  g_byte_array_append (array, zeros, (guint) sample->slack);

  memcpy (array->data, sample->magic == NULL ? "LibvirtQemudSave" : sample->magic, 16);
  put (array, 16, sample->version == 0 ? 2 : sample->version, sample->is_swapped);
  put (array, 20, sample->data_length == 0 ? array->len - 92 : sample->data_length,
       sample->is_swapped);
  put (array, 24, sample->was_running, sample->is_swapped);
  put (array, 28, sample->format, sample->is_swapped);
  guint32 cookie_offset = has_cookie ? (guint32) sample->cookie_offset : 0;
  if (sample->cookie_offset == 0)
    cookie_offset = sizeof LIBVIRT_XML;
  put (array, 32, cookie_offset, sample->is_swapped);
  return g_byte_array_free_to_bytes (array);
}

/* A plain stream. */
GBytes *
libvirt_sample_stream (gsize size)
{
  g_autoptr (GBytes) head = g_bytes_new_static ("QEVM\0\0\0\3", 8);
  g_autoptr (GBytes) rest = streams_octets (size - 8);
  return streams_append (head, g_bytes_get_data (rest, NULL), size - 8);
}

/* A whole image. */
GBytes *
libvirt_sample_image (const LibvirtSample *sample, GBytes *stream)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) front = libvirt_sample_front (sample);
  g_autoptr (GByteArray) body = g_byte_array_new ();
  g_autoptr (StasisStreamOut) out = streams_collect (body);
  g_autoptr (StasisStreamOut) filter
      = stasis_compress_new (stasis_libvirt_format_compression (sample->format), 0, 1, out, &error);
  g_assert_no_error (error);
  g_assert_true (stasis_stream_out_write (filter, g_bytes_get_data (stream, NULL),
                                          g_bytes_get_size (stream), NULL, &error));
  g_assert_true (stasis_stream_out_finish (filter, NULL, &error));
  return streams_append (front, body->data, body->len);
}

/* FALSE, and the test is skipped, where the program of a format is missing. */
gboolean
libvirt_sample_can (StasisLibvirtFormat format)
{
  const StasisFilterProgram *program
      = stasis_filter_program (stasis_libvirt_format_compression (format));
  g_autofree char *path = program == NULL ? NULL : g_find_program_in_path (program->name);
  if (program == NULL || path != NULL)
    return TRUE;
  g_autofree char *why = g_strdup_printf ("no %s here", program->name);
  g_test_skip (why);
  return FALSE;
}
