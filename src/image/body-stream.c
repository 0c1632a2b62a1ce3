/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * body-stream.c: QEMU's plain stream out of an image in a file
 *
 * A STREAM body is read in the chunks that it was hashed in, and each handed out once its hash was
 * right.  A CHUNKS body has its records read as from a pipe (chunk-stream.c).
 */

#include "config.h"

#include "image/body-stream.h"

#include <inttypes.h>

#include <glib/gi18n-lib.h>

#include "image/chunk-stream.h"
#include "image/chunks.h"
#include "image/error.h"
#include "image/hash-table.h"
#include "image/reader-private.h"
#include "util/fd.h"

typedef struct
{
  StasisStreamIn base;
  const StasisImage *image; /* (borrowed) */
  guint64 next;             /* the chunk to read when this one is handed out */
  guint8 *chunk;            /* (owned) STASIS_IMAGE_CHUNK_SIZE */
  gsize offset;             /* what of it was handed out */
  gsize size;
} Hashed;

static gboolean
read_chunk (Hashed *self, const StasisBody *body, GError **error)
{
  const StasisImage *image = self->image;
  guint64 start, end;
  stasis_body_chunk (body, self->next, &start, &end);
  if (!stasis_fd_pread_exact (image->fd, self->chunk, end - start, start, error))
    return FALSE;

  const StasisHash found = stasis_hash (self->chunk, end - start);
  const StasisHash expected = stasis_hash_table_get (image->hashes, self->next);
  if (!stasis_hash_equal (&found, &expected))
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
                   _ ("'%1$s' is damaged at offset %2$" PRIu64 " (%3$" PRIu64
                      " octets): body: the hash does not match"),
                   image->name, start, end - start);
      return FALSE;
    }
  self->next++;
  self->offset = 0;
  self->size = end - start;
  return TRUE;
}

static gssize
read_hashed (StasisStreamIn *base, void *octets, gsize size, GCancellable *cancellable,
             GError **error)
{
  Hashed *self = (Hashed *) base;
  const StasisImageHeader *header = &self->image->header;
  const StasisBody body = { header->body_offset, stasis_image_header_body_end (header) };
  if (self->offset == self->size)
    {
      if (self->next == stasis_body_n_chunks (&body))
        return 0;
      if (!read_chunk (self, &body, error))
        return -1;
    }
  const gsize n = MIN (size, self->size - self->offset);
  memcpy (octets, self->chunk + self->offset, n);
  self->offset += n;
  return (gssize) n;
}

static void
free_hashed (StasisStreamIn *base)
{
  Hashed *self = (Hashed *) base;
  g_free (self->chunk);
  g_free (self);
}

typedef struct
{
  StasisStreamIn base;
  const StasisImage *image;   /* (borrowed) */
  StasisStreamIn *file;       /* (owned) */
  StasisRecordStream records; /* of it */
  StasisStreamIn *chunks;     /* (owned) of them */
} Chunked;

/* The file's records were counted when it was opened: behind the last the input ends. */
static gboolean
on_rest (const guint8 *head, const StasisRecord *record, gpointer data, GCancellable *cancellable,
         GError **error)
{
  return head == NULL
         || stasis_record_throw (record, _ ("the file has changed since it was opened"), error);
}

static gssize
read_chunked (StasisStreamIn *base, void *octets, gsize size, GCancellable *cancellable,
              GError **error)
{
  const Chunked *self = (const Chunked *) base;
  const gssize n = stasis_stream_in_read (self->chunks, octets, size, cancellable, error);
  if (n < 0)
    g_prefix_error (error, "'%s': ", self->image->name);
  return n;
}

static void
free_chunked (StasisStreamIn *base)
{
  Chunked *self = (Chunked *) base;
  stasis_stream_in_free (self->chunks); /* first: its thread uses the rest */
  stasis_stream_in_free (self->file);
  g_free (self);
}

static StasisStreamIn *
new_chunked (const StasisImage *image, guint n_threads)
{
  Chunked *self = g_new0 (Chunked, 1);
  const guint64 offset = image->header.body_offset;
  self->base.read = read_chunked;
  self->base.free = free_chunked;
  self->image = image;
  self->file = stasis_stream_in_new_file (image->fd, offset,
                                          stasis_image_header_body_end (&image->header));
  self->records = (StasisRecordStream){ self->file, offset };
  const StasisChunkStreamArgs args
      = { .records = &self->records, .n_threads = n_threads, .on_rest = on_rest };
  self->chunks = stasis_chunk_stream_new (&args);
  return &self->base;
}

static StasisStreamIn *
new_hashed (const StasisImage *image)
{
  Hashed *self = g_new0 (Hashed, 1);
  self->base.read = read_hashed;
  self->base.free = free_hashed;
  self->image = image;
  self->chunk = g_malloc (STASIS_IMAGE_CHUNK_SIZE);
  return &self->base;
}

/* QEMU's plain stream out of an image in a file. */
StasisStreamIn *
stasis_image_body_stream (const StasisImage *image, guint n_threads, GError **error)
{
  if (image->chunks != NULL)
    return new_chunked (image, n_threads);
  if (image->header.body_kind == STASIS_IMAGE_BODY_STREAM)
    return new_hashed (image);
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID,
               _ ("the body of '%1$s' is no plain stream but '%2$s'"), image->name,
               stasis_image_body_kind_to_string (image->header.body_kind));
  return NULL;
}
