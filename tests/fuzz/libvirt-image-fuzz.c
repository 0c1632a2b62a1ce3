/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt-image-fuzz.c: save images of others: kind, libvirt's header and body, the trailer
 *
 * Bodies are read as far as this process takes them apart itself; programs are not started.
 */

#include "config.h"

#include <string.h>

#include "image/kind.h"
#include "image/libvirt-image.h"
#include "image/trailer.h"

#define BODY_MAX (4u * 1024 * 1024)

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

/* Read some of a body, which may be a bomb. */
static gboolean
drain (StasisStreamIn *in)
{
  g_autofree guint8 *piece = g_malloc (65536);
  g_autoptr (GError) error = NULL;
  gssize n = 1;
  while (n > 0 && in->position < BODY_MAX)
    n = stasis_stream_in_read (in, piece, 65536, NULL, &error);
  g_assert_cmpint (n < 0, ==, error != NULL);
  return n == 0;
}

/* What was read, written again, is read again as the same. */
static void
try_again (const StasisLibvirtImage *image)
{
  g_autoptr (GError) error = NULL;
  StasisLibvirtHeader header = *stasis_libvirt_image_header (image), again;
  GBytes *xml = stasis_libvirt_image_xml (image);
  GBytes *cookie = stasis_libvirt_image_cookie (image);
  guint8 octets[STASIS_LIBVIRT_HEADER_SIZE];
  if (!stasis_libvirt_data_measure (xml, cookie, &header, &error))
    return;
  stasis_libvirt_header_encode (&header, TRUE, octets);
  g_autoptr (GBytes) data = stasis_libvirt_data_encode (&header, xml, cookie);
  g_assert_true (stasis_libvirt_header_decode (octets, sizeof octets, "fuzz", &again, &error));
  g_autoptr (GBytes) new_xml = NULL;
  g_autoptr (GBytes) new_cookie = NULL;
  g_assert_true (stasis_libvirt_data_decode (&again, g_bytes_get_data (data, NULL), "fuzz",
                                             &new_xml, &new_cookie, &error));
  g_assert_true (g_bytes_equal (xml, new_xml));
  g_assert_cmpint (cookie == NULL, ==, new_cookie == NULL);
  g_assert_cmpuint (again.strange_at, ==, 0);
  g_assert_cmpint (again.was_running, ==, header.was_running);
}

static void
try_libvirt (StasisStreamIn *in)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisLibvirtImage) image
      = stasis_libvirt_image_open_stream (in, "fuzz", NULL, &error);
  if (image == NULL)
    {
      g_assert_nonnull (error);
      return;
    }
  try_again (image);
  const StasisLibvirtFormat format = stasis_libvirt_image_format (image);
  if (format != STASIS_LIBVIRT_FORMAT_RAW && format != STASIS_LIBVIRT_FORMAT_GZIP
      && format != STASIS_LIBVIRT_FORMAT_ZSTD)
    return;
  g_autoptr (StasisStreamIn) body = stasis_libvirt_image_body (image, &error);
  g_assert_no_error (error);
  drain (body);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) octets = g_bytes_new_static (data, size);
  g_autoptr (StasisStreamIn) in = stasis_stream_in_new_bytes (octets);
  StasisImageKind kind;
  g_autoptr (StasisStreamIn) whole
      = stasis_image_kind_detect_stream (in, "fuzz", &kind, NULL, &error);
  if (whole == NULL)
    {
      g_assert_nonnull (error);
      return 0;
    }
  if (stasis_image_kind_is_libvirt (kind))
    try_libvirt (whole);
  else if (kind == STASIS_IMAGE_KIND_TRAILER)
    {
      g_autoptr (StasisStreamIn) body = stasis_trailer_body_new (whole, "fuzz");
      const gboolean is_over = drain (body);
      g_assert_cmpint (is_over, ==, stasis_trailer_body_uuid (body) != NULL);
    }
  return 0;
}
