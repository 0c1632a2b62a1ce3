/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * streamed-reader.c: reading a streamed image front to back, from anything
 *
 * Theory of operation
 *
 * Opening reads header and front.  The body is a chunk stream (chunk-stream.c) on the same input;
 * once its thread meets a record that is no CHUNK it calls back here for the tail, END and the end
 * of the input.  Records are taken in by the code that reads images from files.
 */

#include "config.h"

#include "image/streamed-reader.h"

#include <glib/gi18n-lib.h>

#include "image/chunk-stream.h"
#include "image/error.h"
#include "image/reader-private.h"

struct _StasisStreamedReader
{
  StasisStreamIn body; /* @chunks, with our name in its errors */
  StasisImage *image;  /* (owned) what is behind the body: of the body's thread until that ends */
  StasisRecordStream records;
  StasisRecordDigest digest;
  guint64 n_chunks;
  StasisStreamIn *chunks; /* (owned) */
};

static gboolean
load_header (StasisStreamedReader *self, GCancellable *cancellable, GError **error)
{
  StasisImage *image = self->image;
  guint8 octets[STASIS_IMAGE_HEADER_SIZE];
  const gssize n
      = stasis_stream_in_read_full (self->records.in, octets, sizeof octets, cancellable, error);
  if (n < 0)
    {
      g_prefix_error (error, "'%s': ", image->name);
      return FALSE;
    }
  if (!stasis_image_header_decode (octets, (gsize) n, image->name, &image->header, error)
      || !stasis_image_check_kind (image, error))
    return FALSE;
  if (!image->header.is_stream)
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_UNSUPPORTED,
                   _ ("'%1$s' is an image for files: it cannot be read from front to back"),
                   image->name);
      return FALSE;
    }
  self->records.offset = sizeof octets;
  return stasis_image_header_check_stream (&image->header, image->name, error);
}

/* The records from the one whose head was read to the one of type @last. */
static gboolean
take_records (StasisStreamedReader *self, StasisRecordPlace place, guint64 end, guint32 last,
              const guint8 *first_head, const StasisRecord *first, GCancellable *cancellable,
              GError **error)
{
  guint8 head[STASIS_RECORD_HEADER_SIZE];
  StasisRecord known = *first;
  memcpy (head, first_head, sizeof head);
  for (guint n = 1;; n++)
    {
      StasisRecord *record
          = stasis_record_stream_rest (&self->records, head, &known, cancellable, error);
      if (record == NULL
          || !stasis_image_add_record (self->image, place, record, &self->digest, error))
        return FALSE;
      if (known.type == last)
        return TRUE;
      if (n >= STASIS_RECORDS_MAX || self->records.offset >= end)
        return stasis_record_throw (&known, _ ("there are more records than there may be"), error);

      gboolean is_end;
      if (!stasis_record_stream_head (&self->records, end, head, &known, &is_end, cancellable,
                                      error))
        return FALSE;
      if (is_end) /* says what is missing */
        return stasis_record_stream_take (&self->records, head, sizeof head,
                                          stasis_record_type_to_string (last), cancellable, error);
    }
}

static gboolean
load_front (StasisStreamedReader *self, GCancellable *cancellable, GError **error)
{
  guint8 head[STASIS_RECORD_HEADER_SIZE];
  StasisRecord record;
  const guint64 end = self->image->header.body_offset;
  if (!stasis_record_stream_take (&self->records, head, sizeof head, _ ("the front records"),
                                  cancellable, error)
      || !stasis_record_head_decode (head, STASIS_IMAGE_HEADER_SIZE, end, &record, error)
      || !take_records (self, STASIS_RECORD_IN_FRONT, end, STASIS_RECORD_STATIC_END, head, &record,
                        cancellable, error))
    return FALSE;
  if (self->records.offset == end)
    return TRUE;
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
               _ ("the front records end at offset %1$" G_GUINT64_FORMAT
                  ", the header says %2$" G_GUINT64_FORMAT),
               self->records.offset, end);
  return FALSE;
}

static void
on_chunk (const StasisHash *checksum, gpointer data)
{
  StasisStreamedReader *self = data;
  self->n_chunks++;
  stasis_record_digest_add (&self->digest, checksum);
}

/* Everything behind the body. */
static gboolean
on_rest (const guint8 *head, const StasisRecord *record, gpointer data, GCancellable *cancellable,
         GError **error)
{
  StasisStreamedReader *self = data;
  guint8 nothing[STASIS_RECORD_HEADER_SIZE];
  if (head == NULL) /* says what is missing */
    return stasis_record_stream_take (&self->records, nothing, sizeof nothing,
                                      _ ("the tail records"), cancellable, error);
  if (self->n_chunks == 0)
    return stasis_record_throw (record, _ ("stands where the body must begin"), error);
  return take_records (self, STASIS_RECORD_IN_TAIL, G_MAXUINT64, STASIS_RECORD_END, head, record,
                       cancellable, error)
         && stasis_image_check_all_there (self->image, error)
         && stasis_record_stream_end (&self->records, cancellable, error);
}

static gssize
read_body (StasisStreamIn *body, void *octets, gsize size, GCancellable *cancellable,
           GError **error)
{
  const StasisStreamedReader *self = (const StasisStreamedReader *) body;
  const gssize n = stasis_stream_in_read (self->chunks, octets, size, cancellable, error);
  if (n < 0)
    g_prefix_error (error, "'%s': ", self->image->name);
  return n;
}

/* Borrowed, so there is nothing to free. */
static void
free_body (StasisStreamIn *body)
{
}

/* Read and check header and front records. */
StasisStreamedReader *
stasis_streamed_reader_open (StasisStreamIn *in, const char *name, guint n_threads,
                             GCancellable *cancellable, GError **error)
{
  g_autoptr (StasisStreamedReader) self = g_new0 (StasisStreamedReader, 1);
  self->image = stasis_image_new (-1, name);
  self->records.in = in;
  self->body.read = read_body;
  self->body.free = free_body;
  stasis_record_digest_init (&self->digest);
  if (!load_header (self, cancellable, error))
    return NULL;
  if (!load_front (self, cancellable, error))
    {
      g_prefix_error (error, "'%s': ", name);
      return NULL;
    }

  const StasisChunkStreamArgs args = { .records = &self->records,
                                       .n_threads = n_threads,
                                       .on_chunk = on_chunk,
                                       .on_rest = on_rest,
                                       .data = self };
  self->chunks = stasis_chunk_stream_new (&args);
  return g_steal_pointer (&self);
}

/* What is known of it. */
const StasisImage *
stasis_streamed_reader_image (const StasisStreamedReader *self)
{
  return self->image;
}

/* QEMU's plain stream. */
StasisStreamIn *
stasis_streamed_reader_body (StasisStreamedReader *self)
{
  return &self->body;
}

/* NULL while the body's end was not reached. */
const StasisJson *
stasis_streamed_reader_disks (const StasisStreamedReader *self)
{
  return self->body.is_over ? self->image->disks : NULL;
}

/* NULL is fine. */
void
stasis_streamed_reader_free (StasisStreamedReader *self)
{
  if (self == NULL)
    return;

  stasis_stream_in_free (self->chunks); /* first: its thread uses the rest */
  stasis_record_digest_clear (&self->digest);
  stasis_image_free (self->image);
  g_free (self);
}
