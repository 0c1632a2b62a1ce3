/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * record-stream.c: records from a stream
 *
 * What comes out of a pipe is seen once.  So everything is checked on the way, padding included,
 * which no checksum covers.
 */

#include "config.h"

#include "image/record-stream.h"

#include <inttypes.h>

#include <glib/gi18n-lib.h>

#include "image/error.h"

static gboolean
throw_cut (const StasisRecordStream *self, gsize n_missing, const char *what, GError **error)
{
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
               _ ("it is cut, or its save did not finish: it ends at offset %1$" PRIu64
                  ", %2$zu octets of %3$s are missing"),
               self->offset, n_missing, what);
  return FALSE;
}

/* Exactly so many octets. */
gboolean
stasis_record_stream_take (StasisRecordStream *self, void *octets, gsize size, const char *what,
                           GCancellable *cancellable, GError **error)
{
  const gssize n = stasis_stream_in_read_full (self->in, octets, size, cancellable, error);
  if (n < 0)
    return FALSE;
  self->offset += (guint64) n;
  return (gsize) n == size || throw_cut (self, size - (gsize) n, what, error);
}

/* The head of the next record. */
gboolean
stasis_record_stream_head (StasisRecordStream *self, guint64 end,
                           guint8 head[STASIS_RECORD_HEADER_SIZE], StasisRecord *out_record,
                           gboolean *out_is_end, GCancellable *cancellable, GError **error)
{
  const guint64 start = self->offset;
  const gssize n
      = stasis_stream_in_read_full (self->in, head, STASIS_RECORD_HEADER_SIZE, cancellable, error);
  if (n < 0)
    return FALSE;
  self->offset += (guint64) n;
  *out_is_end = n == 0;
  if (n == 0)
    return TRUE;
  if (n < (gssize) STASIS_RECORD_HEADER_SIZE)
    return throw_cut (self, STASIS_RECORD_HEADER_SIZE - (gsize) n, _ ("a record's head"), error);
  return stasis_record_head_decode (head, start, end, out_record, error);
}

/* The body that follows the head, and the padding. */
gboolean
stasis_record_stream_body (StasisRecordStream *self, const StasisRecord *record, void *octets,
                           GCancellable *cancellable, GError **error)
{
  guint8 padding[STASIS_RECORD_PADDING_MAX];
  const gsize n_padding
      = stasis_record_size (record->length) - STASIS_RECORD_HEADER_SIZE - record->length;
  const char *name = stasis_record_type_to_string (record->type);
  g_autofree char *what = g_strdup_printf (_ ("record '%1$s'"), name);
  if (!stasis_record_stream_take (self, octets, record->length, what, cancellable, error)
      || !stasis_record_stream_take (self, padding, n_padding, what, cancellable, error))
    return FALSE;
  return stasis_is_zero (padding, n_padding)
         || stasis_record_throw (record, _ ("its padding is not zero"), error);
}

/* All of the record whose head was read. */
StasisRecord *
stasis_record_stream_rest (StasisRecordStream *self, const guint8 head[STASIS_RECORD_HEADER_SIZE],
                           const StasisRecord *record, GCancellable *cancellable, GError **error)
{
  g_autofree guint8 *octets = g_try_malloc (MAX (record->length, 1));
  if (octets == NULL)
    {
      stasis_record_throw (record, _ ("not enough memory"), error);
      return NULL;
    }
  if (!stasis_record_stream_body (self, record, octets, cancellable, error)
      || !stasis_record_check_sum (record, head, octets, error))
    return NULL;

  StasisRecord *whole = g_new0 (StasisRecord, 1);
  *whole = *record;
  whole->body = g_bytes_new_take (g_steal_pointer (&octets), record->length);
  return whole;
}

/* TRUE where the stream ends here. */
gboolean
stasis_record_stream_end (StasisRecordStream *self, GCancellable *cancellable, GError **error)
{
  guint8 octet;
  const gssize n = stasis_stream_in_read (self->in, &octet, 1, cancellable, error);
  if (n <= 0)
    return n == 0;
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
               _ ("there is more behind its end at offset %1$" PRIu64), self->offset);
  return FALSE;
}
