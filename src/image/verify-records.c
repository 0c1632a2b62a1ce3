/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verify-records.c: everything of an image but its body
 *
 * Opening the image has checked most of this; it is read again, for that may be long ago.  What is
 * new here is what a reader ignores: reserved fields, padding, gaps.
 */

#include "config.h"

#include "image/verify-private.h"

#include <inttypes.h>
#include <sys/stat.h>

#include <glib/gi18n-lib.h>

#include "image/extents.h"
#include "image/hash-table.h"
#include "util/fd.h"

static gboolean
verify_size (StasisVerification *self, GError **error)
{
  const StasisImage *image = self->image;
  struct stat st;
  if (fstat (image->fd, &st) < 0)
    return stasis_throw_errno (error, _ ("cannot look at '%s'"), image->name);

  const guint64 size = (guint64) st.st_size;
  if (size != image->header.file_size)
    stasis_damage_list_add (&self->damages, MIN (size, image->header.file_size), 0,
                            _ ("the file has %1$" PRIu64 " octets, it should have %2$" PRIu64),
                            size, image->header.file_size);
  return TRUE;
}

/* The header. */
gboolean
stasis_verify_header (StasisVerification *self, GError **error)
{
  const StasisImage *image = self->image;
  guint8 octets[STASIS_IMAGE_HEADER_SIZE];
  if (!verify_size (self, error)
      || !stasis_fd_pread_exact (image->fd, octets, sizeof octets, 0, error))
    return FALSE;

  GError *cause = NULL;
  StasisImageHeader header;
  if (!stasis_image_header_decode (octets, sizeof octets, image->name, &header, &cause))
    return stasis_damage_list_add_error (&self->damages, 0, sizeof octets, cause, error);

  const gsize reserved = stasis_image_header_find_reserved (octets);
  if (reserved != 0)
    stasis_damage_list_add (&self->damages, reserved, 1,
                            _ ("header: a reserved field is not zero"));
  return TRUE;
}

static gboolean
reserved_is_zero (const StasisRecord *record)
{
  switch (record->type)
    {
    case STASIS_RECORD_RAM_MAP:
      return stasis_image_ram_map_reserved_is_zero (record->body);
    case STASIS_RECORD_PACKED_RAM:
      return stasis_packed_ram_reserved_is_zero (record->body);
    case STASIS_RECORD_CHUNK_HASHES:
      return stasis_hash_table_reserved_is_zero (record->body);
    default:
      return TRUE;
    }
}

static gboolean
verify_padding (StasisVerification *self, const StasisRecord *record, GError **error)
{
  const guint64 end = record->offset + stasis_record_size (record->length);
  const guint64 start = record->offset + STASIS_RECORD_HEADER_SIZE + record->length;
  guint8 padding[8];
  if (!stasis_fd_pread_exact (self->image->fd, padding, end - start, start, error))
    return FALSE;
  if (!stasis_is_zero (padding, end - start))
    stasis_damage_list_add (&self->damages, start, end - start,
                            _ ("record '%1$s': its padding is not zero"),
                            stasis_record_type_to_string (record->type));
  return TRUE;
}

static gboolean
verify_record (StasisVerification *self, const StasisRecord *known, GError **error)
{
  const guint64 size = stasis_record_size (known->length);
  guint64 offset = known->offset;
  GError *cause = NULL;
  g_autoptr (StasisRecord) record
      = stasis_record_read (self->image->fd, &offset, known->offset + size, &cause);
  if (record == NULL)
    return stasis_damage_list_add_error (&self->damages, known->offset, size, cause, error);

  if (record->type != known->type || !stasis_hash_equal (&record->checksum, &known->checksum))
    stasis_damage_list_add (&self->damages, known->offset, size,
                            _ ("record '%1$s' has changed since the image was opened"),
                            stasis_record_type_to_string (known->type));
  else if (record->flags != 0 || !reserved_is_zero (record))
    stasis_damage_list_add (&self->damages, known->offset, size,
                            _ ("record '%1$s': a reserved field is not zero"),
                            stasis_record_type_to_string (known->type));
  return verify_padding (self, known, error);
}

/* All records. */
gboolean
stasis_verify_records (StasisVerification *self, GError **error)
{
  const GPtrArray *records = self->image->records;
  for (guint i = 0; i < records->len; i++)
    if (!verify_record (self, g_ptr_array_index (records, i), error))
      return FALSE;
  return TRUE;
}

static gboolean
verify_gap (StasisVerification *self, guint64 start, guint64 end, GError **error)
{
  while (start < end && !stasis_damage_list_is_done (&self->damages))
    {
      guint64 found;
      if (!stasis_extent_find_nonzero (self->image->fd, start, end, &found, error))
        return FALSE;
      if (found == end)
        return TRUE;
      start = (found | (STASIS_IMAGE_ALIGN - 1)) + 1;
      stasis_damage_list_add (&self->damages, found, MIN (start, end) - found,
                              _ ("there is something in a gap that must be empty"));
    }
  return TRUE;
}

/* The gaps before and behind the body. */
gboolean
stasis_verify_gaps (StasisVerification *self, GError **error)
{
  const StasisImageHeader *header = &self->image->header;
  return verify_gap (self, stasis_image_header_front_end (header), header->body_offset, error)
         && verify_gap (self, stasis_image_header_body_end (header), header->tail_offset, error);
}
