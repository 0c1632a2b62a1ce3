/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * streamed-writer.h: writing a save image front to back, into anything
 *
 *   writer = stasis_streamed_writer_begin (out, &facts, 3, 0, cancellable, &error);
 *   ... stasis_streamed_writer_write () with QEMU's plain stream, piece by piece ...
 *   stasis_streamed_writer_finish (writer, disks, cancellable, &error);
 *   stasis_stream_out_finish (out, cancellable, &error);
 *
 * One thread calls; others compress, and one writes to @out.  What is in flight takes at most
 * 64 MiB, whatever the size of the guest.
 */

#pragma once

#include <gio/gio.h>

#include "image/writer.h"
#include "util/stream.h"

G_BEGIN_DECLS

#define STASIS_STREAMED_LEVEL_MAX     19
#define STASIS_STREAMED_LEVEL_DEFAULT 3

typedef struct _StasisStreamedWriter StasisStreamedWriter;

/* Write header and front records.  @out (borrowed) belongs to the writer until that is freed.
 * @facts: their kind of body means nothing here.  @level: zstd's, 0: no compression; other than 0
 * to 19 is STASIS_IMAGE_ERROR_INVALID.  @n_threads 0: one for each core, at most 8. */
StasisStreamedWriter *stasis_streamed_writer_begin (StasisStreamOut *out,
                                                    const StasisImageFacts *facts, int level,
                                                    guint n_threads, GCancellable *cancellable,
                                                    GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The image's UUID, 16 octets (borrowed). */
const guint8 *stasis_streamed_writer_uuid (const StasisStreamedWriter *writer);

/* The next octets of QEMU's plain stream.  After a failure nothing more can be written. */
gboolean stasis_streamed_writer_write (StasisStreamedWriter *writer, const void *octets, gsize size,
                                       GCancellable *cancellable, GError **error);

/* The same as a sink (borrowed), for stasis_stream_copy(); it has nothing to finish. */
StasisStreamOut *stasis_streamed_writer_body (StasisStreamedWriter *writer);

/* What is left, tail records and END.  @disks (nullable): image/disks.h.  @out is neither finished
 * nor synced.  STASIS_IMAGE_ERROR_INVALID where what was written is no stream of QEMU.  After FALSE
 * what @out got is good for nothing, and every reader will notice.  May be called once. */
gboolean stasis_streamed_writer_finish (StasisStreamedWriter *writer, const StasisJson *disks,
                                        GCancellable *cancellable, GError **error);

/* How far it has come: octets of the stream taken, octets of the image given to @out.  Any thread.
 */
guint64 stasis_streamed_writer_octets_in (const StasisStreamedWriter *writer);
guint64 stasis_streamed_writer_octets_out (const StasisStreamedWriter *writer);

/* NULL is fine.  Without a finish before it @out has got an image that is cut. */
void stasis_streamed_writer_free (StasisStreamedWriter *writer);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisStreamedWriter, stasis_streamed_writer_free)

G_END_DECLS
