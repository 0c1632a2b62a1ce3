/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * flat.h: a guest's memory in place from the first octet of a file on
 *
 * For a QEMU that can map a file as a guest's memory, but not from within (flat.c).
 */

#pragma once

#include <gio/gio.h>

#include "image/types.h"
#include "util/stream.h"

G_BEGIN_DECLS

#define STASIS_FLAT_NOTE_MAX (64u * 1024) /* octets */

/* What is to be made.  All borrowed. */
typedef struct
{
  StasisStreamIn *in;           /* QEMU's plain stream; who makes it checks its octets */
  const char *block;            /* the RAMBlock whose pages lie in place ... */
  guint64 length;               /* ... which is to be that long */
  const char *note;             /* for the caller: whose memory it is */
  StasisImageProgress progress; /* (nullable) told how much of the RAM, in octets, has come */
  gpointer progress_data;
} StasisFlatSource;

/* Read the stream to its end and write it to the empty file @fd (borrowed).  Nothing is synced.
 * Fails as stasis_qemu_stream_scan(); with STASIS_IMAGE_ERROR_UNSUPPORTED where the stream has no
 * such block, or too much besides it. */
gboolean stasis_flat_write (const StasisFlatSource *source, int fd, GCancellable *cancellable,
                            GError **error);

typedef struct _StasisFlat StasisFlat;

/* TRUE where the file ends as a flat file does, whatever else is wrong with it. */
gboolean stasis_flat_is (int fd);

/* (transfer full) The note alone; NULL where the file is none that can be read. */
char *stasis_flat_read_note (int fd);

/* Read and check everything but the pages in place (that is stasis_flat_verify()'s).  @fd is
 * borrowed, and outlives it.  Fails with STASIS_IMAGE_ERROR_NOT_AN_IMAGE, UNSUPPORTED or CORRUPT,
 * or with G_IO_ERROR. */
StasisFlat *stasis_flat_open (int fd, GError **error) G_GNUC_WARN_UNUSED_RESULT;

guint64 stasis_flat_length (const StasisFlat *self);   /* of the memory, octets */
GBytes *stasis_flat_stream (const StasisFlat *self);   /* (borrowed) plain, without its pages */
const char *stasis_flat_note (const StasisFlat *self); /* (borrowed) */

/* STASIS_IMAGE_ERROR_CORRUPT where a page is not what was written.  @n_threads 0: as many as there
 * are processors, at most 8. */
gboolean stasis_flat_verify (const StasisFlat *self, guint n_threads, GCancellable *cancellable,
                             GError **error);

/* NULL is fine. */
void stasis_flat_free (StasisFlat *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisFlat, stasis_flat_free)

G_END_DECLS
