/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reader.c: opening a save image
 *
 * Theory of operation
 *
 * Opening reads all but the body: the header, then the front and the tail as sequences of records.
 * Each record is checked by its framing (record.c) and for itself (reader-records.c).  END seals
 * the whole.  Of the body's CHUNK records, where it is made of them, the framing is gone over
 * (scan-chunks.c).  See docs/save-image.md, "What a reader checks".
 *
 * An image may come from anywhere; nothing in it is trusted.
 */

#include "config.h"

#include "image/reader.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "image/error.h"
#include "image/reader-private.h"
#include "util/fd.h"
#include "util/safe-open.h"

/* The records in [@offset, @end), of which the last must be the one of type @last. */
static gboolean
read_records (StasisImage *image, StasisRecordPlace place, guint64 offset, guint64 end,
              guint32 last, StasisRecordDigest *digest, GError **error)
{
  for (guint n = 1;; n++)
    {
      StasisRecord *record = stasis_record_read (image->fd, &offset, end, error);
      if (record == NULL)
        return FALSE;
      const gboolean is_last = record->type == last;
      if (n > STASIS_RECORDS_MAX || (is_last && offset != end))
        {
          stasis_record_throw (record, _ ("there are more records than there may be"), error);
          stasis_record_free (record);
          return FALSE;
        }
      if (!stasis_image_add_record (image, place, record, digest, error))
        return FALSE;
      if (is_last)
        return TRUE;
    }
}

static gboolean
load_records (StasisImage *image, guint64 file_size, GError **error)
{
  const StasisImageHeader *header = &image->header;
  g_auto (StasisRecordDigest) digest = { NULL, 0 };
  stasis_record_digest_init (&digest);
  if (read_records (image, STASIS_RECORD_IN_FRONT, STASIS_IMAGE_HEADER_SIZE,
                    stasis_image_header_front_end (header), STASIS_RECORD_STATIC_END, &digest,
                    error)
      && (!header->is_stream || stasis_image_scan_chunks (image, file_size, &digest, error))
      && read_records (image, STASIS_RECORD_IN_TAIL, header->tail_offset, header->file_size,
                       STASIS_RECORD_END, &digest, error)
      && stasis_image_check_all_there (image, error))
    return TRUE;

  g_prefix_error (error, "'%s': ", image->name);
  return FALSE;
}

/* What the header tells about whether and how to go on. */
gboolean
stasis_image_check_kind (const StasisImage *image, GError **error)
{
  const StasisImageHeader *header = &image->header;
  if (!header->complete && !header->is_stream)
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INCOMPLETE,
                   _ ("'%1$s' is incomplete: the save that wrote it did not finish"), image->name);
      return FALSE;
    }
  if (header->body_kind < STASIS_IMAGE_BODY_MAPPED_RAM
      || header->body_kind > STASIS_IMAGE_BODY_PACKED_RAM)
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_UNSUPPORTED,
                   _ ("'%1$s' has a body of unknown kind %2$u"), image->name, header->body_kind);
      return FALSE;
    }
  if (header->is_stream != (header->body_kind == STASIS_IMAGE_BODY_CHUNKS))
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
                   _ ("the header of '%1$s' makes no sense: state and kind of the body"),
                   image->name);
      return FALSE;
    }
  return TRUE;
}

/* Up to 4096 octets from the beginning; fewer where the file is shorter. */
static gboolean
read_beginning (int fd, guint64 file_size, guint8 *octets, gsize *out_size, GError **error)
{
  *out_size = MIN (file_size, STASIS_IMAGE_HEADER_SIZE);
  return stasis_fd_pread_exact (fd, octets, *out_size, 0, error);
}

/* A stream's header knows of no end, but of that of the front. */
static gboolean
check_front_there (const StasisImage *image, guint64 file_size, GError **error)
{
  if (file_size >= image->header.body_offset)
    return TRUE;
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
               _ ("'%1$s' is cut: it ends at offset %2$" PRIu64 ", in the front records"),
               image->name, file_size);
  return FALSE;
}

static gboolean
load_header (StasisImage *image, guint64 *out_file_size, GError **error)
{
  struct stat st;
  if (fstat (image->fd, &st) < 0)
    return stasis_throw_errno (error, _ ("cannot look at '%s'"), image->name);
  if (!S_ISREG (st.st_mode))
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_NOT_AN_IMAGE,
                   _ ("'%1$s' is not a regular file"), image->name);
      return FALSE;
    }

  guint8 octets[STASIS_IMAGE_HEADER_SIZE];
  gsize size;
  if (!read_beginning (image->fd, (guint64) st.st_size, octets, &size, error))
    {
      g_prefix_error (error, "'%s': ", image->name);
      return FALSE;
    }
  if (!stasis_image_header_decode (octets, size, image->name, &image->header, error))
    return FALSE;
  if (!stasis_image_check_kind (image, error))
    return FALSE;

  *out_file_size = (guint64) st.st_size;
  if (image->header.is_stream)
    return stasis_image_header_check_stream (&image->header, image->name, error)
           && check_front_there (image, *out_file_size, error);
  return stasis_image_header_check_layout (&image->header, *out_file_size, image->name, error);
}

static void
free_record (gpointer record)
{
  stasis_record_free (record);
}

/* An image of which nothing is known yet. */
StasisImage *
stasis_image_new (int fd_take, const char *name)
{
  StasisImage *image = g_new0 (StasisImage, 1);
  image->fd = fd_take;
  image->name = g_strdup (name);
  image->records = g_ptr_array_new_with_free_func (free_record);
  return image;
}

/* Read and check everything but the body. */
StasisImage *
stasis_image_open_fd (int fd_take, const char *name, GError **error)
{
  g_autoptr (StasisImage) image = stasis_image_new (fd_take, name);
  guint64 file_size = 0;
  if (!load_header (image, &file_size, error) || !load_records (image, file_size, error))
    return NULL;
  return g_steal_pointer (&image);
}

/* The same for a file by its path. */
StasisImage *
stasis_image_open (const char *path, GError **error)
{
  /* O_NONBLOCK: a FIFO by that name must not hold us up before it can be refused. */
  const int fd = stasis_safe_open (path, O_RDONLY | O_NOCTTY | O_NONBLOCK, error);
  return fd < 0 ? NULL : stasis_image_open_fd (fd, path, error);
}

/* TRUE where the file begins with a header of ours, whatever else is wrong with it. */
gboolean
stasis_image_is_image_fd (int fd)
{
  guint8 octets[8];
  return pread (fd, octets, sizeof octets, 0) == sizeof octets
         && stasis_image_header_has_magic (octets, sizeof octets);
}

/* NULL is fine. */
void
stasis_image_free (StasisImage *image)
{
  if (image == NULL)
    return;

  stasis_fd_clear (&image->fd);
  g_free (image->name);
  g_ptr_array_unref (image->records);
  g_clear_pointer (&image->xml, g_bytes_unref);
  stasis_json_unref (image->qemu_facts);
  stasis_json_unref (image->disks);
  stasis_json_unref (image->origin);
  stasis_json_unref (image->parent);
  g_free (image->packed);
  stasis_image_ram_map_free (image->map);
  g_clear_pointer (&image->hashes, g_bytes_unref);
  g_clear_pointer (&image->chunks, g_array_unref);
  g_free (image);
}
