/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * record.c: the framing of records
 *
 * Theory of operation
 *
 * A record is type, flags, length and checksum (32 octets), the body, and padding up to the next
 * multiple of 8; see docs/save-image.md, "Records".  This file knows the framing and the END record
 * that seals a sequence of them; what other bodies mean is the reader's business.
 *
 * Nothing that is read is trusted: the length is held against the limit of its type and against the
 * room that is left before a single octet is allocated for it.
 */

#include "config.h"

#include "image/record.h"

#include <inttypes.h>

#include <glib/gi18n-lib.h>

#include "image/error.h"
#include "image/octets.h"
#include "image/types.h"
#include "util/fd.h"

#define RECORD_ALIGN 8u
#define CHECKED_SIZE 16u /* octets of the record's header that its checksum covers */
#define END_LENGTH   40u

void
stasis_record_digest_init (StasisRecordDigest *digest)
{
  *digest = (StasisRecordDigest){ .hasher = stasis_hasher_new () };
}

void
stasis_record_digest_add (StasisRecordDigest *digest, const StasisHash *checksum)
{
  stasis_hasher_update (digest->hasher, checksum->octets, sizeof checksum->octets);
  digest->n_records++;
}

void
stasis_record_digest_clear (StasisRecordDigest *digest)
{
  g_clear_pointer (&digest->hasher, stasis_hasher_free);
}

/* The octets that a record with a body of @length takes in the file. */
guint64
stasis_record_size (guint64 length)
{
  return STASIS_RECORD_HEADER_SIZE + stasis_round_up (length, RECORD_ALIGN);
}

static StasisHash
checksum (const guint8 *head, const void *body, gsize length)
{
  g_autoptr (StasisHasher) hasher = stasis_hasher_new ();
  stasis_hasher_update (hasher, head, CHECKED_SIZE);
  if (length > 0)
    stasis_hasher_update (hasher, body, length);
  return stasis_hasher_digest (hasher);
}

/* Say what is wrong with a record. */
gboolean
stasis_record_throw (const StasisRecord *record, const char *what, GError **error)
{
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
               _ ("record '%1$s' (%2$#x) at offset %3$" PRIu64 ": %4$s"),
               stasis_record_type_to_string (record->type), record->type, record->offset, what);
  return FALSE;
}

/* Limits before anything is allocated.  @room: octets from the record's offset to its end. */
static gboolean
check_length (const StasisRecord *record, guint64 room, GError **error)
{
  const guint64 max = stasis_record_type_max (record->type);
  if (record->length > max)
    {
      g_autofree char *what = g_strdup_printf (
          _ ("too long: %1$" PRIu64 " octets, at most %2$" PRIu64), record->length, max);
      return stasis_record_throw (record, what, error);
    }
  if (stasis_record_size (record->length) > room)
    return stasis_record_throw (record, _ ("reaches beyond the end of the records"), error);
  return TRUE;
}

/* What stands before the body of a record. */
StasisHash
stasis_record_head_encode (guint32 type, const void *body, gsize length,
                           guint8 octets[STASIS_RECORD_HEADER_SIZE])
{
  memset (octets, 0, STASIS_RECORD_HEADER_SIZE);
  stasis_put_le32 (octets, type);
  stasis_put_le64 (octets + 8, length);
  const StasisHash sum = checksum (octets, body, length);
  memcpy (octets + CHECKED_SIZE, sum.octets, sizeof sum.octets);
  return sum;
}

/* All of a record but its body. */
gboolean
stasis_record_head_decode (const guint8 octets[STASIS_RECORD_HEADER_SIZE], guint64 offset,
                           guint64 end, StasisRecord *out_record, GError **error)
{
  *out_record = (StasisRecord){ .type = stasis_get_le32 (octets),
                                .flags = stasis_get_le32 (octets + 4),
                                .offset = offset,
                                .length = stasis_get_le64 (octets + 8) };
  memcpy (out_record->checksum.octets, octets + CHECKED_SIZE, STASIS_HASH_SIZE);
  return check_length (out_record, end - offset, error);
}

/* TRUE where head and body are those that the record's checksum was taken of. */
gboolean
stasis_record_check_sum (const StasisRecord *record, const guint8 head[STASIS_RECORD_HEADER_SIZE],
                         const void *body, GError **error)
{
  const StasisHash sum = checksum (head, body, record->length);
  return stasis_hash_equal (&sum, &record->checksum)
         || stasis_record_throw (record, _ ("its checksum does not match"), error);
}

static gboolean
read_body (StasisRecord *record, int fd, const guint8 *head, GError **error)
{
  g_autofree guint8 *body = g_try_malloc (MAX (record->length, 1));
  if (body == NULL)
    return stasis_record_throw (record, _ ("not enough memory"), error);
  if (!stasis_fd_pread_exact (fd, body, record->length, record->offset + STASIS_RECORD_HEADER_SIZE,
                              error)
      || !stasis_record_check_sum (record, head, body, error))
    return FALSE;
  record->body = g_bytes_new_take (g_steal_pointer (&body), record->length);
  return TRUE;
}

/* Read the record at *@offset and move *@offset behind it. */
StasisRecord *
stasis_record_read (int fd, guint64 *offset, guint64 end, GError **error)
{
  if (*offset > end || end - *offset < STASIS_RECORD_HEADER_SIZE)
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
                   _ ("the records end early, at offset %1$" PRIu64), end);
      return NULL;
    }

  guint8 head[STASIS_RECORD_HEADER_SIZE];
  if (!stasis_fd_pread_exact (fd, head, sizeof head, *offset, error))
    return NULL;

  g_autoptr (StasisRecord) record = g_new0 (StasisRecord, 1);
  if (!stasis_record_head_decode (head, *offset, end, record, error)
      || !read_body (record, fd, head, error))
    return NULL;

  *offset += stasis_record_size (record->length);
  return g_steal_pointer (&record);
}

/* Append a record to @out. */
gboolean
stasis_record_append (GByteArray *out, guint32 type, GBytes *body, StasisRecordDigest *digest,
                      GError **error)
{
  gsize length = 0;
  const guint8 *octets = g_bytes_get_data (body, &length);
  if (length > stasis_record_type_max (type))
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_TOO_LARGE,
                   _ ("record '%1$s' would be too long: %2$zu octets, at most %3$" PRIu64),
                   stasis_record_type_to_string (type), length, stasis_record_type_max (type));
      return FALSE;
    }

  guint8 head[STASIS_RECORD_HEADER_SIZE];
  const StasisHash sum = stasis_record_head_encode (type, octets, length, head);
  static const guint8 padding[RECORD_ALIGN];
  g_byte_array_append (out, head, sizeof head);
  if (length > 0)
    g_byte_array_append (out, octets, (guint) length);
  g_byte_array_append (out, padding, (guint) (stasis_round_up (length, RECORD_ALIGN) - length));
  if (digest != NULL)
    stasis_record_digest_add (digest, &sum);
  return TRUE;
}

/* Write a record at *@offset and move *@offset behind it. */
gboolean
stasis_record_write (int fd, guint64 *offset, guint32 type, GBytes *body,
                     StasisRecordDigest *digest, GError **error)
{
  g_autoptr (GByteArray) octets = g_byte_array_new ();
  if (!stasis_record_append (octets, type, body, digest, error)
      || !stasis_fd_pwrite_exact (fd, octets->data, octets->len, *offset, error))
    return FALSE;
  *offset += octets->len;
  return TRUE;
}

/* The body of an END record. */
GBytes *
stasis_record_end_encode (const guint8 *image_uuid, const StasisRecordDigest *digest)
{
  guint8 body[END_LENGTH];
  const StasisHash sum = stasis_hasher_digest (digest->hasher);
  memcpy (body, image_uuid, STASIS_IMAGE_UUID_SIZE);
  memcpy (body + 16, sum.octets, sizeof sum.octets);
  stasis_put_le64 (body + 32, digest->n_records);
  return g_bytes_new (body, sizeof body);
}

/* TRUE where an END record agrees with UUID and digest. */
gboolean
stasis_record_end_check (const StasisRecord *end, const guint8 *image_uuid,
                         const StasisRecordDigest *digest, GError **error)
{
  g_autoptr (GBytes) expected = stasis_record_end_encode (image_uuid, digest);
  if (g_bytes_equal (expected, end->body))
    return TRUE;

  return stasis_record_throw (end, _ ("does not belong to these records"), error);
}

/* Free a record.  NULL is fine. */
void
stasis_record_free (StasisRecord *record)
{
  if (record == NULL)
    return;

  g_clear_pointer (&record->body, g_bytes_unref);
  g_free (record);
}
