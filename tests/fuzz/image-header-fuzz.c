/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-header-fuzz.c: the first 4096 octets of a save image, as they are and with a right checksum
 */

#include "config.h"

#include <string.h>

#include "image/header.h"
#include "util/hash.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

static void
decode (const guint8 *octets, gsize size)
{
  g_autoptr (GError) error = NULL;
  StasisImageHeader header;
  if (!stasis_image_header_decode (octets, size, "fuzz", &header, &error))
    {
      g_assert_nonnull (error);
      return;
    }

  guint8 again[STASIS_IMAGE_HEADER_SIZE];
  stasis_image_header_encode (&header, again);
  if (stasis_image_header_find_reserved (octets) == 0)
    g_assert_cmpmem (octets, sizeof again, again, sizeof again);
  if (stasis_image_header_check_layout (&header, header.file_size, "fuzz", NULL))
    {
      g_assert_cmpuint (stasis_image_header_front_end (&header), <=, header.body_offset);
      g_assert_cmpuint (stasis_image_header_body_end (&header), <=, header.tail_offset);
    }
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  decode (data, size);

  guint8 octets[STASIS_IMAGE_HEADER_SIZE] = { 0 };
  memcpy (octets, data, MIN (size, sizeof octets));
  memset (octets + 4080, 0, 16);
  const StasisHash sum = stasis_hash (octets, sizeof octets);
  memcpy (octets + 4080, sum.octets, sizeof sum.octets);
  decode (octets, sizeof octets);
  return 0;
}
