/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu-input.h: reading QEMU's stream forward, from a stream or a part of a file
 */

#pragma once

#include <gio/gio.h>

#include "image/error.h"
#include "util/stream.h"

G_BEGIN_DECLS

#define STASIS_QEMU_NAME_MAX 255u

/* One of stasis_qemu_input_init_*() begins it, stasis_qemu_input_clear() ends it. */
typedef struct
{
  StasisStreamIn *in; /* (borrowed) NULL: a file */
  int fd;             /* (borrowed) */
  guint64 end;        /* of what may be read of the file */
  GCancellable *cancellable;
  guint64 offset; /* of the next octet */
  guint8 *buffer; /* (owned) */
  gsize capacity;
  gsize start; /* what is in the buffer: [start, stop) */
  gsize stop;
  /* (nullable) Octets that were borrowed go away after this. */
  gboolean (*before_refill) (gpointer data, GError **error);
  gpointer data;
} StasisQemuInput;

void stasis_qemu_input_init_stream (StasisQemuInput *self, StasisStreamIn *in,
                                    GCancellable *cancellable);

/* The octets [@offset, @end) of a file; reading from the middle goes by stasis_qemu_input_seek().
 */
void stasis_qemu_input_init_file (StasisQemuInput *self, int fd, guint64 offset, guint64 end,
                                  GCancellable *cancellable);

void stasis_qemu_input_clear (StasisQemuInput *self);

/* Go on at @offset, at most the end; files only. */
void stasis_qemu_input_seek (StasisQemuInput *self, guint64 offset);

/* The next @count octets (at most 64 KiB), which stay where they are until the next refill; NULL
 * with STASIS_IMAGE_ERROR_CORRUPT where the input ends before. */
const guint8 *stasis_qemu_input_borrow (StasisQemuInput *self, gsize count, GError **error);

gboolean stasis_qemu_input_take (StasisQemuInput *self, void *octets, gsize count, GError **error);
gboolean stasis_qemu_input_take_u8 (StasisQemuInput *self, guint8 *out, GError **error);
gboolean stasis_qemu_input_take_u32 (StasisQemuInput *self, guint32 *out, GError **error);
gboolean stasis_qemu_input_take_u64 (StasisQemuInput *self, guint64 *out, GError **error);

/* A length octet and a name of so many octets, at least one, UTF-8 without NUL. */
gboolean stasis_qemu_input_take_name (StasisQemuInput *self, char name[STASIS_QEMU_NAME_MAX + 1],
                                      GError **error);

/* Append all that is left; STASIS_IMAGE_ERROR_TOO_LARGE where @out would exceed @max. */
gboolean stasis_qemu_input_take_rest (StasisQemuInput *self, GByteArray *out, gsize max,
                                      GError **error);

/* Set @error, naming the present offset.  Returns FALSE. */
gboolean stasis_qemu_input_throw (const StasisQemuInput *self, StasisImageError code,
                                  const char *what, GError **error);
gboolean stasis_qemu_input_throw_corrupt (const StasisQemuInput *self, const char *what,
                                          GError **error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (StasisQemuInput, stasis_qemu_input_clear)

G_END_DECLS
