/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rewrite.c: editing an image, as a new file
 *
 * Theory of operation
 *
 * The body keeps its offset, for QEMU's own offsets inside it are absolute, and so its hashes stay
 * what they are.  All records but DOMAIN_XML, END and facts that are replaced are copied octet by
 * octet, unknown optional ones included.  The new XML goes into the front where the slack before
 * the body suffices, and into the tail where it does not (docs/save-image.md, "DOMAIN_XML").
 *
 * The records of a streamed image say nothing of where they are, so there the body moves, and the
 * new XML is always in the front.
 *
 * Of a body in place nothing is copied where the file system can share extents (FICLONE), only the
 * data where it can't.
 */

#include "config.h"

#include "image/rewrite.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <linux/fs.h>

#include "image/commit.h"
#include "image/copy.h"
#include "image/error.h"
#include "image/extents.h"
#include "image/facts.h"
#include "image/octets.h"
#include "image/reader-private.h"
#include "util/fd.h"

typedef struct
{
  const StasisImage *image;
  GBytes *xml;   /* (borrowed) */
  GBytes *facts; /* (borrowed) (nullable): instead of those of the image */
  int fd;        /* (borrowed) */
  StasisImageHeader header;
  StasisRecordDigest digest;
  StasisImageProgress progress;
  gpointer progress_data;
} Rewrite;

static void
report (const Rewrite *self, guint64 done)
{
  if (self->progress != NULL)
    self->progress (done, self->image->header.body_length, self->progress_data);
}

/* The body to its place in the new file; holes stay holes. */
static gboolean
copy_body (Rewrite *self, GCancellable *cancellable, GError **error)
{
  const StasisImageHeader *old = &self->image->header;
  return stasis_image_copy_range (
      self->image->fd, old->body_offset, stasis_image_header_body_end (old), self->fd,
      self->header.body_offset, self->progress, self->progress_data, cancellable, error);
}

/* Everything of the old file that stays, and nothing else: the body, with nothing in front. */
static gboolean
bring_body (Rewrite *self, GCancellable *cancellable, GError **error)
{
  const guint64 end = stasis_image_header_body_end (&self->header);
  const gboolean is_cloned = ioctl (self->fd, FICLONE, self->image->fd) == 0;
  if (is_cloned && !stasis_extent_punch (self->fd, 0, self->header.body_offset, error))
    return FALSE;
  if (!is_cloned && !copy_body (self, cancellable, error))
    return FALSE;
  if (ftruncate (self->fd, (off_t) end) < 0)
    return stasis_throw_errno (error, _ ("cannot set the size of the image"));
  report (self, self->header.body_length);
  return TRUE;
}

/* A record as it is, framing included. */
static gboolean
copy_record (Rewrite *self, const StasisRecord *record, guint64 *offset, GError **error)
{
  const gsize size = stasis_record_size (record->length);
  g_autofree guint8 *octets = g_try_malloc (size);
  if (octets == NULL)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, _ ("not enough memory"));
      return FALSE;
    }
  if (!stasis_fd_pread_exact (self->image->fd, octets, size, record->offset, error)
      || !stasis_fd_pwrite_exact (self->fd, octets, size, *offset, error))
    return FALSE;
  stasis_record_digest_add (&self->digest, &record->checksum);
  *offset += size;
  return TRUE;
}

static gboolean
is_in_front (const Rewrite *self, const StasisRecord *record)
{
  return record->offset < self->image->header.body_offset;
}

static gboolean
is_replaced (const Rewrite *self, const StasisRecord *record)
{
  return record->type == STASIS_RECORD_DOMAIN_XML || record->type == STASIS_RECORD_END
         || (record->type == STASIS_RECORD_QEMU_FACTS && self->facts != NULL);
}

/* The kept records of front or tail. */
static gboolean
copy_records (Rewrite *self, gboolean front, guint64 *offset, GError **error)
{
  const GPtrArray *records = self->image->records;
  for (guint i = 0; i < records->len; i++)
    {
      const StasisRecord *record = g_ptr_array_index (records, i);
      if (is_in_front (self, record) != front || is_replaced (self, record))
        continue;
      if (!copy_record (self, record, offset, error))
        return FALSE;
    }
  return TRUE;
}

/* Where the records before the body end, without the XML. */
static guint64
front_end (const Rewrite *self)
{
  const GPtrArray *records = self->image->records;
  guint64 end = STASIS_IMAGE_HEADER_SIZE;
  if (self->facts != NULL)
    end += stasis_record_size (g_bytes_get_size (self->facts));
  for (guint i = 0; i < records->len; i++)
    {
      const StasisRecord *record = g_ptr_array_index (records, i);
      if (is_in_front (self, record) && !is_replaced (self, record))
        end += stasis_record_size (record->length);
    }
  return end;
}

/* TRUE where the new XML stands before the body with all that is there. */
static gboolean
xml_fits (const Rewrite *self)
{
  return front_end (self) + stasis_record_size (g_bytes_get_size (self->xml))
         <= self->header.body_offset;
}

static gboolean
write_facts (Rewrite *self, guint64 *offset, GError **error)
{
  return self->facts == NULL
         || stasis_record_write (self->fd, offset, STASIS_RECORD_QEMU_FACTS, self->facts,
                                 &self->digest, error);
}

static gboolean
write_xml (Rewrite *self, guint64 *offset, GError **error)
{
  return stasis_record_write (self->fd, offset, STASIS_RECORD_DOMAIN_XML, self->xml, &self->digest,
                              error);
}

static gboolean
write_end (Rewrite *self, guint64 *offset, GError **error)
{
  g_autoptr (GBytes) end = stasis_record_end_encode (self->header.uuid, &self->digest);
  return stasis_record_write (self->fd, offset, STASIS_RECORD_END, end, NULL, error);
}

static gboolean
write_records (Rewrite *self, guint64 *out_file_size, GError **error)
{
  const gboolean fits = xml_fits (self);
  guint64 offset = STASIS_IMAGE_HEADER_SIZE;
  if ((fits && !write_xml (self, &offset, error)) || !write_facts (self, &offset, error)
      || !copy_records (self, TRUE, &offset, error))
    return FALSE;

  self->header.front_length = offset - STASIS_IMAGE_HEADER_SIZE;
  offset = self->header.tail_offset;
  if ((!fits && !write_xml (self, &offset, error)) || !copy_records (self, FALSE, &offset, error))
    return FALSE;

  *out_file_size = offset;
  return write_end (self, out_file_size, error);
}

/* The CHUNK records as they are: their checksums know nothing of where they stand in the file. */
static gboolean
copy_chunks (Rewrite *self, guint64 *offset, GCancellable *cancellable, GError **error)
{
  const StasisImageHeader *old = &self->image->header;
  const GArray *chunks = self->image->chunks;
  if (!copy_body (self, cancellable, error))
    return FALSE;
  for (guint i = 0; i < chunks->len; i++)
    stasis_record_digest_add (&self->digest, &g_array_index (chunks, StasisImageChunk, i).checksum);
  *offset += old->body_length;
  return TRUE;
}

/* A streamed image stays one.  Its header comes last: before that the file is no image. */
static gboolean
rewrite_streamed (Rewrite *self, GCancellable *cancellable, GError **error)
{
  guint64 offset = STASIS_IMAGE_HEADER_SIZE;
  if (!write_xml (self, &offset, error) || !write_facts (self, &offset, error)
      || !copy_records (self, TRUE, &offset, error))
    return FALSE;

  StasisImageHeader *header = &self->header;
  header->body_offset = offset;
  header->front_length = offset - STASIS_IMAGE_HEADER_SIZE;
  if (!copy_chunks (self, &offset, cancellable, error)
      || !copy_records (self, FALSE, &offset, error) || !write_end (self, &offset, error))
    return FALSE;

  header->file_size = header->body_length = header->tail_offset = header->tail_length = 0;
  return stasis_image_commit_stream (self->fd, header, error);
}

static gboolean
rewrite (Rewrite *self, GCancellable *cancellable, GError **error)
{
  StasisImageHeader partial = self->header;
  partial.complete = FALSE;
  partial.file_size = partial.body_length = partial.tail_offset = partial.tail_length = 0;
  guint64 file_size;
  return bring_body (self, cancellable, error)
         && stasis_image_commit_header (self->fd, &partial, error)
         && write_records (self, &file_size, error)
         && stasis_image_commit_seal (self->fd, &self->header, file_size, error);
}

static gboolean
check_room (const Rewrite *self, GError **error)
{
  if (self->image->chunks != NULL || front_end (self) <= self->header.body_offset)
    return TRUE;
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID,
               _ ("the QEMU facts do not fit before the memory in '%1$s'"), self->image->name);
  return FALSE;
}

/* Write a copy of @image with another domain XML, and other facts. */
gboolean
stasis_image_rewrite (const StasisImage *image, GBytes *xml, const StasisJson *facts, int out_fd,
                      StasisImageProgress progress, gpointer progress_data,
                      GCancellable *cancellable, GError **error)
{
  if (!stasis_image_xml_check (xml, error)
      || (facts != NULL && !stasis_image_facts_check (facts, error))
      || !stasis_image_commit_check_file (out_fd, error))
    return FALSE;

  char *text = facts != NULL ? stasis_json_to_string (facts) : NULL;
  g_autoptr (GBytes) octets = text != NULL ? g_bytes_new_take (text, strlen (text)) : NULL;
  Rewrite self = { .image = image,
                   .xml = xml,
                   .facts = octets,
                   .fd = out_fd,
                   .header = image->header,
                   .progress = progress,
                   .progress_data = progress_data };
  if (!check_room (&self, error))
    return FALSE;
  g_strlcpy (self.header.writer, STASIS_IMAGE_WRITER_NAME, sizeof self.header.writer);
  stasis_record_digest_init (&self.digest);
  const gboolean ok = image->chunks != NULL ? rewrite_streamed (&self, cancellable, error)
                                            : rewrite (&self, cancellable, error);
  stasis_record_digest_clear (&self.digest);
  return ok;
}
