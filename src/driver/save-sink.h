/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save-sink.h: an image on its way into a descriptor, without its very end
 */

#pragma once

#include "driver/job.h"
#include "util/stream.h"

G_BEGIN_DECLS

typedef struct _StasisSaveSink StasisSaveSink;

/* Whom the octets are for, where that is not who reads the descriptor. */
typedef struct
{
  /* *@out_taken: it has @octets.  FALSE where it never will, or nobody knows;
   * G_IO_ERROR_BROKEN_PIPE where it cannot have got any behind those that it was last known to
   * have, or, unless it @may_lack_some, has not got all. */
  gboolean (*look) (gpointer data, guint64 octets, gboolean may_lack_some, gboolean *out_taken,
                    GError **error);
  gpointer data;
} StasisSaveReader;

/* Into @fd (borrowed): a pipe, a socket, or a file from its position on.  The last @keep octets
 * stay here until stasis_save_sink_release(); where they are more than PIPE_BUF, an image that
 * lacks some of them may be enough for its reader. */
StasisSaveSink *stasis_save_sink_new (int fd, gsize keep);

/* @reader (nullable) is copied. */
void stasis_save_sink_set_reader (StasisSaveSink *sink, const StasisSaveReader *reader);

/* What is written to (borrowed). */
StasisStreamOut *stasis_save_sink_stream (StasisSaveSink *sink);

/* Octets that have left.  Any thread. */
guint64 stasis_save_sink_written (const StasisSaveSink *sink);

/* All is written: send all but the end; of a file also to disk. */
gboolean stasis_save_sink_settle (StasisSaveSink *sink, GCancellable *cancellable, GError **error);

/* Send the end: if it is at most PIPE_BUF octets, a pipe gets all of it or nothing.  *@out_begun,
 * also where it fails: some of it has gone.  Where the descriptor breaks within it, a reader behind
 * it is asked; the error is as that of stasis_save_sink_await_reader(). */
gboolean stasis_save_sink_release (StasisSaveSink *sink, gboolean *out_begun,
                                   GCancellable *cancellable, GError **error);

/* Wait until the reader has taken all, telling @job (nullable); of a file: until it is on disk.
 * G_IO_ERROR_BROKEN_PIPE where the reader has gone without what makes an image complete. */
gboolean stasis_save_sink_await_reader (StasisSaveSink *sink, GCancellable *cancellable,
                                        StasisJob *job, GError **error);

/* NULL is fine. */
void stasis_save_sink_free (StasisSaveSink *sink);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisSaveSink, stasis_save_sink_free)

G_END_DECLS
