/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * repair.c: an image of which all checksums are right
 */

#include "config.h"

#include "repair.h"

#include <string.h>

#include "image/header.h"
#include "image/octets.h"
#include "image/packed-ram.h"
#include "image/record.h"
#include "image/types.h"

static void
put_hash (guint8 *at, const void *octets, gsize size)
{
  const StasisHash hash = stasis_hash (octets, size);
  memcpy (at, hash.octets, sizeof hash.octets);
}

/* The hash of the index of packed pages, as far as there is one. */
static void
repair_packed (const guint8 *image, gsize size, guint8 *body)
{
  const guint64 n_pages = stasis_get_le64 (body + 8);
  const guint64 n_runs = stasis_get_le64 (body + 16);
  const guint64 offset = stasis_get_le64 (image + 88);
  if (offset > size || n_pages > (size - offset) / STASIS_IMAGE_PAGE_SIZE)
    return;
  const guint64 index = offset + n_pages * STASIS_IMAGE_PAGE_SIZE;
  if (n_runs <= (size - index) / STASIS_PACKED_RUN_SIZE)
    put_hash (body + 32, image + index, n_runs * STASIS_PACKED_RUN_SIZE);
}

/* Make the records in [@at, @end) right, adding their checksums to @digest; END as well. */
static void
repair_records (guint8 *image, gsize at, gsize end, StasisRecordDigest *digest)
{
  while (end - at >= STASIS_RECORD_HEADER_SIZE)
    {
      guint8 *record = image + at;
      const guint64 length = stasis_get_le64 (record + 8);
      if (length > end - at - STASIS_RECORD_HEADER_SIZE)
        return;
      if (stasis_get_le32 (record) == STASIS_RECORD_END && length == 40)
        {
          g_autoptr (GBytes) body = stasis_record_end_encode (image + 16, digest);
          memcpy (record + STASIS_RECORD_HEADER_SIZE, g_bytes_get_data (body, NULL), 40);
        }

      if (stasis_get_le32 (record) == STASIS_RECORD_PACKED_RAM && length >= 48)
        repair_packed (image, end, record + STASIS_RECORD_HEADER_SIZE);

      g_autofree guint8 *covered = g_malloc (16 + length);
      memcpy (covered, record, 16);
      memcpy (covered + 16, record + STASIS_RECORD_HEADER_SIZE, length);
      put_hash (record + 16, covered, 16 + length);
      StasisHash sum;
      memcpy (sum.octets, record + 16, sizeof sum.octets);
      stasis_record_digest_add (digest, &sum);
      at += MIN (stasis_record_size (length), end - at);
    }
}

void
repair_image (guint8 *image, gsize size)
{
  g_auto (StasisRecordDigest) digest = { NULL, 0 };
  stasis_record_digest_init (&digest);
  const guint64 front = stasis_get_le64 (image + 80);
  const guint64 tail = stasis_get_le64 (image + 112);
  stasis_put_le64 (image + 64, size);
  if (tail <= size)
    stasis_put_le64 (image + 120, size - tail);
  if (front <= size - STASIS_IMAGE_HEADER_SIZE)
    repair_records (image, STASIS_IMAGE_HEADER_SIZE, STASIS_IMAGE_HEADER_SIZE + front, &digest);
  if (tail >= STASIS_IMAGE_HEADER_SIZE && tail <= size)
    repair_records (image, tail, size, &digest);
  memset (image + 4080, 0, 16);
  put_hash (image + 4080, image, STASIS_IMAGE_HEADER_SIZE);
}
