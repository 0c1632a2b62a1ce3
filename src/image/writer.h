/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * writer.h: writing a save image around the body that QEMU writes
 *
 *   writer = stasis_image_writer_begin (fd, &facts, &error);
 *   ... QEMU writes the body at stasis_image_writer_body_offset (writer) ...
 *   stasis_image_writer_finish (writer, 0, &tail, progress, data, cancellable, &error);
 *   ... rename (util/atomic-file.h) ...
 *
 * One thread.  Fault points (util/fault.h), in order: image-begin, image-begun, image-finish,
 * image-hashed, image-tail, image-tail-synced, image-complete, image-complete-synced.
 */

#pragma once

#include <gio/gio.h>

#include "image/body-notes.h"
#include "image/types.h"
#include "util/json.h"

G_BEGIN_DECLS

typedef struct _StasisImageWriter StasisImageWriter;

/* What is known before the body.  All borrowed for the call. */
typedef struct
{
  guint8 domain_uuid[STASIS_IMAGE_UUID_SIZE];
  GBytes *xml;                  /* UTF-8, without NUL */
  const StasisJson *qemu_facts; /* image/facts.h */
  StasisImageBodyKind body_kind;
  /* Of an image that is converted from another; zero and NULL: a new one. */
  const guint8 *image_uuid; /* it keeps its own */
  gint64 created_ns;
  const StasisJson *origin; /* image/origin.h */
  const StasisJson *parent; /* image/parent.h; NULL: it is whole */
} StasisImageFacts;

/* What is known after it.  All borrowed for the call. */
typedef struct
{
  const StasisJson *disks;      /* image/disks.h; NULL: the domain has none */
  const StasisBodyNotes *notes; /* of PACKED_RAM a must; NULL: all hashes come from the file */
  gboolean punch_stale;         /* a live save: pages whose bit is clear may hold data, drop it */
  gboolean is_snapshot;         /* by QEMU, in the background: see snapshot-body.h */
  guint n_threads;              /* that hash; 0: one for each core, at most 8 */
} StasisImageTail;

/* Write the partial header and the front records.  @fd (borrowed: must outlive the writer) is an
 * empty regular file, open for reading and writing.  Its position is left at the body, where a
 * STREAM body may be written through it. */
StasisImageWriter *stasis_image_writer_begin (int fd, const StasisImageFacts *facts,
                                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What stands before the body has become another: write it again, where it is.  @facts: the body's
 * kind stays.  Before stasis_image_writer_finish(). */
gboolean stasis_image_writer_renew (StasisImageWriter *writer, const StasisImageFacts *facts,
                                    GError **error);

/* Where QEMU has to write: `file:...,offset=N`, or the position of a `fd:`. */
guint64 stasis_image_writer_body_offset (const StasisImageWriter *writer);

/* The image's UUID, 16 octets (borrowed). */
const guint8 *stasis_image_writer_uuid (const StasisImageWriter *writer);

/* Everything after the body: hashes, tail records, fsync, complete header, fsync.  @body_end 0: the
 * end of the file.  After TRUE the image is complete and on disk, and only its name is missing.
 * After FALSE it is partial and good for nothing.  May be called once. */
gboolean stasis_image_writer_finish (StasisImageWriter *writer, guint64 body_end,
                                     const StasisImageTail *tail, StasisImageProgress progress,
                                     gpointer progress_data, GCancellable *cancellable,
                                     GError **error);

/* NULL is fine.  The file stays as it is. */
void stasis_image_writer_free (StasisImageWriter *writer);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisImageWriter, stasis_image_writer_free)

G_END_DECLS
