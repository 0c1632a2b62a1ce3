/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * record-stream.h: records from a stream
 */

#pragma once

#include <gio/gio.h>

#include "image/record.h"
#include "util/stream.h"

G_BEGIN_DECLS

/* A stream that records are read from, and where they stand in the image. */
typedef struct
{
  StasisStreamIn *in; /* (borrowed) */
  guint64 offset;     /* in the image, of the next octet */
} StasisRecordStream;

/* Exactly so many octets; STASIS_IMAGE_ERROR_CORRUPT, naming @what, where the stream ends before.
 */
gboolean stasis_record_stream_take (StasisRecordStream *self, void *octets, gsize size,
                                    const char *what, GCancellable *cancellable, GError **error);

/* The head of the next record, which may reach up to @end; *@out_is_end: the stream ends here. */
gboolean stasis_record_stream_head (StasisRecordStream *self, guint64 end,
                                    guint8 head[STASIS_RECORD_HEADER_SIZE],
                                    StasisRecord *out_record, gboolean *out_is_end,
                                    GCancellable *cancellable, GError **error);

/* The body that follows the head, @record->length octets, and the padding, which must be zero. */
gboolean stasis_record_stream_body (StasisRecordStream *self, const StasisRecord *record,
                                    void *octets, GCancellable *cancellable, GError **error);

/* All of the record whose head was read, its checksum checked. */
StasisRecord *stasis_record_stream_rest (StasisRecordStream *self,
                                         const guint8 head[STASIS_RECORD_HEADER_SIZE],
                                         const StasisRecord *record, GCancellable *cancellable,
                                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* TRUE where the stream ends here. */
gboolean stasis_record_stream_end (StasisRecordStream *self, GCancellable *cancellable,
                                   GError **error);

G_END_DECLS
