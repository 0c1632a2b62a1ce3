/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * streamed-reader.h: reading a streamed image front to back, from anything
 *
 *   reader = stasis_streamed_reader_open (in, name, 0, cancellable, &error);
 *   ... whose it is: stasis_streamed_reader_image (reader) ...
 *   ... stasis_stream_in_read () of stasis_streamed_reader_body (reader), up to its end ...
 *   ... stasis_streamed_reader_disks (reader) ...
 *
 * Nothing is sought, and nothing is read twice.  A guest that was loaded from the body must not run
 * before the body's end was reached: only then is it certain that all of it was there.
 */

#pragma once

#include <gio/gio.h>

#include "image/reader.h"
#include "util/stream.h"

G_BEGIN_DECLS

typedef struct _StasisStreamedReader StasisStreamedReader;

/* Read and check header and front records.  @in (borrowed) stands at the image's first octet and
 * belongs to the reader until that is freed.  @name stands for it in messages.  @n_threads that
 * decompress, 0: one for each core, at most 8.  Fails with any STASIS_IMAGE_ERROR but TOO_LARGE and
 * INVALID; UNSUPPORTED where it is an image for files. */
StasisStreamedReader *stasis_streamed_reader_open (StasisStreamIn *in, const char *name,
                                                   guint n_threads, GCancellable *cancellable,
                                                   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What is known of it (borrowed): UUIDs, XML, facts, creation time, writer.  It has no file, and no
 * disks before the end of the body. */
const StasisImage *stasis_streamed_reader_image (const StasisStreamedReader *reader);

/* QEMU's plain stream (borrowed, the same for each call).  Every octet was verified when it is
 * handed out.  It ends only after all that follows it was read and checked, and the input with it.
 */
StasisStreamIn *stasis_streamed_reader_body (StasisStreamedReader *reader);

/* image/disks.h (borrowed); NULL while the body's end was not reached. */
const StasisJson *stasis_streamed_reader_disks (const StasisStreamedReader *reader);

/* NULL is fine. */
void stasis_streamed_reader_free (StasisStreamedReader *reader);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisStreamedReader, stasis_streamed_reader_free)

G_END_DECLS
