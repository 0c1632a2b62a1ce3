/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * writer.c: writing a save image around the body that QEMU writes
 *
 * Theory of operation
 *
 * begin writes the header, saying PART, and the front records; QEMU puts the body at the offset
 * that follows; finish looks at what QEMU wrote, hashes it, writes the tail records, syncs, and
 * only then makes the header say DONE, and syncs again.  See docs/save-image.md, "Commit protocol".
 *
 * Nothing that QEMU wrote is trusted to be where it should be: the body is parsed before its hashes
 * are taken, so that an image that could not be restored is not finished.
 */

#include "config.h"

#include "image/writer.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "image/chunks.h"
#include "image/commit.h"
#include "image/error.h"
#include "image/front.h"
#include "image/hash-table.h"
#include "image/header.h"
#include "image/mapped-ram.h"
#include "image/octets.h"
#include "image/record.h"
#include "image/snapshot-body.h"
#include "util/fault.h"
#include "util/fd.h"

struct _StasisImageWriter
{
  int fd; /* (borrowed) */
  StasisImageHeader header;
  StasisRecordDigest digest;
  gboolean is_finished;
};

static gboolean
throw_invalid (GError **error, const char *what)
{
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID,
               _ ("cannot write this save image: %1$s"), what);
  return FALSE;
}

/* The partial header, then the front records. */
static gboolean
write_front (StasisImageWriter *writer, const GByteArray *front, GError **error)
{
  writer->header.front_length = front->len;
  writer->header.body_offset
      = stasis_round_up (STASIS_IMAGE_HEADER_SIZE + front->len, STASIS_IMAGE_SLACK);
  return stasis_image_commit_header (writer->fd, &writer->header, error)
         && stasis_fd_pwrite_exact (writer->fd, front->data, front->len, STASIS_IMAGE_HEADER_SIZE,
                                    error);
}

static gboolean
check_kind (const StasisImageFacts *facts, GError **error)
{
  return facts->body_kind == STASIS_IMAGE_BODY_MAPPED_RAM
         || facts->body_kind == STASIS_IMAGE_BODY_STREAM
         || (facts->body_kind == STASIS_IMAGE_BODY_PACKED_RAM && facts->parent != NULL)
         || throw_invalid (error, _ ("unknown kind of body"));
}

/* Write the partial header and the front records. */
StasisImageWriter *
stasis_image_writer_begin (int fd, const StasisImageFacts *facts, GError **error)
{
  if (!stasis_fault ("image-begin", error) || !check_kind (facts, error)
      || !stasis_image_commit_check_file (fd, error))
    return NULL;

  g_autoptr (StasisImageWriter) writer = g_new0 (StasisImageWriter, 1);
  writer->fd = fd;
  stasis_record_digest_init (&writer->digest);
  stasis_image_front_fill_header (&writer->header, facts, facts->body_kind);
  g_autoptr (GByteArray) front = g_byte_array_new ();
  if (!stasis_image_front_encode (facts, front, &writer->digest, error)
      || !write_front (writer, front, error))
    return NULL;
  if (lseek (fd, (off_t) writer->header.body_offset, SEEK_SET) < 0)
    {
      stasis_throw_errno (error, _ ("cannot move to the body"));
      return NULL;
    }
  if (!stasis_fault ("image-begun", error))
    return NULL;
  return g_steal_pointer (&writer);
}

/* The body has its place already. */
static gboolean
check_room (const StasisImageWriter *writer, const GByteArray *front, GError **error)
{
  return STASIS_IMAGE_HEADER_SIZE + (guint64) front->len <= writer->header.body_offset
         || throw_invalid (error, _ ("the definition has become too long"));
}

/* The front records again; the body stays. */
gboolean
stasis_image_writer_renew (StasisImageWriter *writer, const StasisImageFacts *facts, GError **error)
{
  g_autoptr (GByteArray) front = g_byte_array_new ();
  stasis_record_digest_clear (&writer->digest);
  stasis_record_digest_init (&writer->digest);
  if (!stasis_image_front_encode (facts, front, &writer->digest, error)
      || !check_room (writer, front, error))
    return FALSE;
  const guint64 before = writer->header.front_length;
  writer->header.front_length = front->len;
  const guint length = front->len;
  if (length < before)
    {
      g_byte_array_set_size (front, (guint) before);
      memset (front->data + length, 0, (gsize) before - length);
    }
  return stasis_image_commit_header (writer->fd, &writer->header, error)
         && stasis_fd_pwrite_exact (writer->fd, front->data, front->len, STASIS_IMAGE_HEADER_SIZE,
                                    error);
}

/* Where QEMU has to write. */
guint64
stasis_image_writer_body_offset (const StasisImageWriter *writer)
{
  return writer->header.body_offset;
}

/* The image's UUID. */
const guint8 *
stasis_image_writer_uuid (const StasisImageWriter *writer)
{
  return writer->header.uuid;
}

/* Find where the body ends, and see that the file ends there, too. */
static gboolean
find_body_end (StasisImageWriter *writer, guint64 body_end, GError **error)
{
  struct stat st;
  if (fstat (writer->fd, &st) < 0)
    return stasis_throw_errno (error, _ ("cannot look at the file"));

  const guint64 size = (guint64) st.st_size;
  if (body_end == 0)
    body_end = size;
  if (body_end > size || body_end <= writer->header.body_offset)
    return throw_invalid (error, _ ("QEMU has written no body"));
  if (body_end > STASIS_IMAGE_END_MAX)
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_TOO_LARGE,
                   _ ("the image would be too large: %1$" PRIu64 " octets, at most %2$" PRIu64),
                   body_end, STASIS_IMAGE_END_MAX);
      return FALSE;
    }
  if (ftruncate (writer->fd, (off_t) body_end) < 0)
    return stasis_throw_errno (error, _ ("cannot cut the file behind the body"));
  writer->header.body_length = body_end - writer->header.body_offset;
  return TRUE;
}

/* Look at a MAPPED_RAM body: *@out_map; NULL for another one. */
static gboolean
read_ram_map (StasisImageWriter *writer, const StasisImageTail *tail, GCancellable *cancellable,
              StasisImageRamMap **out_map, GError **error)
{
  if (writer->header.body_kind == STASIS_IMAGE_BODY_PACKED_RAM)
    return (tail->notes != NULL && tail->notes->packed_map != NULL)
           || throw_invalid (error, _ ("nobody knows where the pages are in the body"));
  if (writer->header.body_kind == STASIS_IMAGE_BODY_STREAM)
    return stasis_mapped_ram_check_stream (writer->fd, writer->header.body_offset,
                                           stasis_image_header_body_end (&writer->header), error);

  const guint64 start = writer->header.body_offset;
  const guint64 end = stasis_image_header_body_end (&writer->header);
  if (tail->is_snapshot
      && !stasis_snapshot_body_complete (writer->fd, start, end, cancellable, error))
    return FALSE;
  g_autoptr (StasisImageRamMap) map = stasis_mapped_ram_parse (writer->fd, start, end, error);
  if (map == NULL || !stasis_mapped_ram_read_bitmaps (writer->fd, map, cancellable, error)
      || (tail->punch_stale
          && !stasis_mapped_ram_punch_stale (writer->fd, map, cancellable, error)))
    return FALSE;
  *out_map = g_steal_pointer (&map);
  return TRUE;
}

/* Where the memory lies, if it is not in the stream. */
static gboolean
write_places (StasisImageWriter *writer, const StasisImageTail *tail, const StasisImageRamMap *map,
              guint64 *offset, GError **error)
{
  g_autoptr (GBytes) body = NULL;
  guint32 type = STASIS_RECORD_RAM_MAP;
  if (map != NULL)
    body = stasis_image_ram_map_encode (map);
  else if (writer->header.body_kind == STASIS_IMAGE_BODY_PACKED_RAM)
    {
      type = STASIS_RECORD_PACKED_RAM;
      body = stasis_packed_ram_encode (&tail->notes->packed, tail->notes->packed_map);
    }
  return body == NULL
         || stasis_record_write (writer->fd, offset, type, body, &writer->digest, error);
}

/* All tail records but END, whose digest covers them. */
static gboolean
write_tail (StasisImageWriter *writer, const StasisImageTail *tail, const StasisImageRamMap *map,
            GBytes *hashes, guint64 *offset, GError **error)
{
  if (!write_places (writer, tail, map, offset, error))
    return FALSE;
  g_autoptr (GBytes) disks = stasis_image_disks_body (tail->disks);
  return stasis_record_write (writer->fd, offset, STASIS_RECORD_DISKS, disks, &writer->digest,
                              error)
         && stasis_record_write (writer->fd, offset, STASIS_RECORD_CHUNK_HASHES, hashes,
                                 &writer->digest, error);
}

static gboolean
write_end (StasisImageWriter *writer, guint64 *offset, GError **error)
{
  g_autoptr (GBytes) end = stasis_record_end_encode (writer->header.uuid, &writer->digest);
  return stasis_record_write (writer->fd, offset, STASIS_RECORD_END, end, NULL, error);
}

/* Everything after the body. */
gboolean
stasis_image_writer_finish (StasisImageWriter *writer, guint64 body_end,
                            const StasisImageTail *tail, StasisImageProgress progress,
                            gpointer progress_data, GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (!writer->is_finished, FALSE);
  writer->is_finished = TRUE;

  g_autoptr (StasisImageRamMap) map = NULL;
  if (!stasis_fault ("image-finish", error) || !find_body_end (writer, body_end, error)
      || !read_ram_map (writer, tail, cancellable, &map, error))
    return FALSE;

  const StasisBody body
      = { writer->header.body_offset, stasis_image_header_body_end (&writer->header) };
  const StasisHashTableArgs args = { .fd = writer->fd,
                                     .body = body,
                                     .map = map,
                                     .notes = tail->notes,
                                     .n_threads = tail->n_threads,
                                     .progress = progress,
                                     .progress_data = progress_data };
  g_autoptr (GBytes) hashes = stasis_hash_table_compute (&args, cancellable, error);
  if (hashes == NULL || !stasis_fault ("image-hashed", error))
    return FALSE;

  guint64 offset = stasis_round_up (body.end, STASIS_IMAGE_ALIGN);
  writer->header.tail_offset = offset;
  return write_tail (writer, tail, map, hashes, &offset, error)
         && write_end (writer, &offset, error) && stasis_fault ("image-tail", error)
         && !g_cancellable_set_error_if_cancelled (cancellable, error)
         && stasis_image_commit_seal (writer->fd, &writer->header, offset, error);
}

/* NULL is fine.  The file stays as it is. */
void
stasis_image_writer_free (StasisImageWriter *writer)
{
  if (writer == NULL)
    return;

  stasis_record_digest_clear (&writer->digest);
  g_free (writer);
}
