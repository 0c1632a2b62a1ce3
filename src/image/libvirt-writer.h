/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt-writer.h: writing save images that libvirt restores
 */

#pragma once

#include "image/libvirt-header.h"
#include "util/stream.h"

G_BEGIN_DECLS

/* What stands before the body. */
typedef struct
{
  StasisLibvirtFormat format;
  GBytes *xml;    /* (borrowed) without a NUL */
  GBytes *cookie; /* (borrowed, nullable) */
  gboolean was_running;
  int level;       /* of compression, 0: the compressor's own choice */
  guint n_threads; /* of compression, 0: as many as there are cores, at most 8 */
} StasisLibvirtFacts;

typedef struct _StasisLibvirtWriter StasisLibvirtWriter;

/* Begin an image in a file (borrowed; empty, regular, open for reading and writing).  Until it is
 * finished its header says that it is not.  Leaves the position at the body. */
StasisLibvirtWriter *stasis_libvirt_writer_begin (int fd, const StasisLibvirtFacts *facts,
                                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Begin one that goes into a pipe (@out is borrowed): its header says from the start that it is
 * finished, so whoever reads it has to notice an early end.  Not for sparse images, which need a
 * file: STASIS_IMAGE_ERROR_INVALID. */
StasisLibvirtWriter *stasis_libvirt_writer_begin_stream (StasisStreamOut *out,
                                                         const StasisLibvirtFacts *facts,
                                                         GCancellable *cancellable,
                                                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What stands before the body in a file has become another: write it again, where it is. */
gboolean stasis_libvirt_writer_renew (StasisLibvirtWriter *writer, const StasisLibvirtFacts *facts,
                                      GError **error);

/* Where the body begins in the file.  QEMU itself may write a raw or a sparse body there. */
guint64 stasis_libvirt_writer_body_offset (const StasisLibvirtWriter *writer);

/* The sink (borrowed) for QEMU's plain stream; NULL for a sparse image. */
StasisStreamOut *stasis_libvirt_writer_body (StasisLibvirtWriter *writer);

/* The body is there: end it.  A file is synced, its header made complete, and synced again, in the
 * order of our own images; it has no name yet.  A sparse body is parsed first.  @out of a pipe is
 * not finished. */
gboolean stasis_libvirt_writer_finish (StasisLibvirtWriter *writer, GCancellable *cancellable,
                                       GError **error);

/* An image that was not finished stays as it is.  NULL is fine. */
void stasis_libvirt_writer_free (StasisLibvirtWriter *writer);

/* The last steps for a file that is all there but for its magic. */
gboolean stasis_libvirt_seal (int fd, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisLibvirtWriter, stasis_libvirt_writer_free)

G_END_DECLS
