/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scan-chunks.c: where the CHUNK records of a streamed image lie, once it is a file
 *
 * A stream's header knows nothing of what follows it.  So the records are gone over one by one,
 * from head to head; the first of another type begins the tail.  The checksums are noted for END's
 * digest, the data they cover is the verifier's.
 */

#include "config.h"

#include "image/reader-private.h"

#include <glib/gi18n-lib.h>

#include "image/chunk-record.h"
#include "image/error.h"
#include "image/octets.h"
#include "util/fd.h"

/* The head of the record at @offset, and @beginning of its body; *@out_is_chunk FALSE where it is
 * no CHUNK, or there is none. */
static gboolean
read_head (const StasisImage *image, guint64 offset, guint64 file_size, StasisRecord *record,
           guint8 beginning[STASIS_CHUNK_HEAD_SIZE], gboolean *out_is_chunk, GError **error)
{
  guint8 octets[STASIS_RECORD_HEADER_SIZE + STASIS_CHUNK_HEAD_SIZE] = { 0 };
  const gsize size = MIN (sizeof octets, file_size - offset);
  *out_is_chunk = FALSE;
  if (!stasis_fd_pread_exact (image->fd, octets, size, offset, error))
    return FALSE;
  if (size < STASIS_RECORD_HEADER_SIZE || stasis_get_le32 (octets) != STASIS_RECORD_CHUNK)
    return TRUE;

  *out_is_chunk = TRUE;
  memcpy (beginning, octets + STASIS_RECORD_HEADER_SIZE, STASIS_CHUNK_HEAD_SIZE);
  return stasis_record_head_decode (octets, offset, file_size, record, error);
}

/* The next chunk by its head; where that is wrong, damage is the better news, so look at all of it.
 */
static gboolean
accept (const StasisImage *image, StasisChunkSequence *sequence, const StasisRecord *record,
        const guint8 *beginning, StasisChunkHead *head, GError **error)
{
  g_autoptr (GError) cause = NULL;
  if (stasis_chunk_sequence_next (sequence, record, beginning, head, &cause))
    return TRUE;

  guint64 offset = record->offset;
  g_autoptr (StasisRecord) whole = stasis_record_read (
      image->fd, &offset, offset + stasis_record_size (record->length), error);
  if (whole != NULL)
    g_propagate_error (error, g_steal_pointer (&cause));
  return FALSE;
}

/* Go over the CHUNK records of a file. */
gboolean
stasis_image_scan_chunks (StasisImage *image, guint64 file_size, StasisRecordDigest *digest,
                          GError **error)
{
  StasisImageHeader *header = &image->header;
  StasisChunkSequence sequence = { 0, 0 };
  guint64 offset = header->body_offset;
  image->chunks = g_array_new (FALSE, FALSE, sizeof (StasisImageChunk));
  for (;;)
    {
      StasisRecord record;
      StasisChunkHead head;
      guint8 beginning[STASIS_CHUNK_HEAD_SIZE];
      gboolean is_chunk;
      if (!read_head (image, offset, file_size, &record, beginning, &is_chunk, error))
        return FALSE;
      if (!is_chunk)
        break;
      if (!accept (image, &sequence, &record, beginning, &head, error))
        return FALSE;

      const StasisImageChunk chunk = { .offset = offset,
                                       .position = head.position,
                                       .stored = (guint32) record.length,
                                       .length = head.length,
                                       .checksum = record.checksum };
      g_array_append_val (image->chunks, chunk);
      stasis_record_digest_add (digest, &record.checksum);
      offset += stasis_record_size (record.length);
    }

  header->body_length = offset - header->body_offset;
  header->tail_offset = offset;
  header->tail_length = file_size - offset;
  header->file_size = file_size;
  image->stream_length = sequence.position;
  if (sequence.n_chunks > 0)
    return TRUE;
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
               _ ("record 'chunk' is missing at offset %1$" G_GUINT64_FORMAT), offset);
  return FALSE;
}
