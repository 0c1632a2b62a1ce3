/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream.h: octets that flow one way
 *
 * What a source is made of (a file, a pipe, checked and decompressed records, a program's output)
 * is its maker's business; who reads sees octets and, at the end, that all that was promised about
 * them held.  One thread at a time.  Every call blocks, and returns soon with G_IO_ERROR_CANCELLED
 * once @cancellable is cancelled.
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct _StasisStreamIn StasisStreamIn;
typedef struct _StasisStreamOut StasisStreamOut;

/* A source embeds this as its first member. */
struct _StasisStreamIn
{
  /* At most @size (at least 1) octets to @octets; 0 at the end, once everything about the stream
   * has been checked; -1 on failure.  Not called again after 0 or -1. */
  gssize (*read) (StasisStreamIn *self, void *octets, gsize size, GCancellable *cancellable,
                  GError **error);
  void (*free) (StasisStreamIn *self);

  guint64 position;    /* octets read so far, kept by stasis_stream_in_read() */
  gboolean is_over;    /* the end was reached */
  gboolean has_failed; /* a read failed, and every further one will */
};

/* A sink embeds this as its first member. */
struct _StasisStreamOut
{
  gboolean (*write) (StasisStreamOut *self, const void *octets, gsize size,
                     GCancellable *cancellable, GError **error);
  /* All that was written is where it belongs (not yet synced).  Called once, after the last write;
   * NULL: nothing to do.  A sink that is freed without it drops what it holds. */
  gboolean (*finish) (StasisStreamOut *self, GCancellable *cancellable, GError **error);
  void (*free) (StasisStreamOut *self);

  guint64 position; /* octets written so far, kept by stasis_stream_out_write() */
};

/* As the member `read`; may be called again after the end, and after a failure. */
gssize stasis_stream_in_read (StasisStreamIn *self, void *octets, gsize size,
                              GCancellable *cancellable, GError **error);

/* As many octets as are wanted, fewer only at the end; -1 on failure. */
gssize stasis_stream_in_read_full (StasisStreamIn *self, void *octets, gsize size,
                                   GCancellable *cancellable, GError **error);

/* Exactly so many; an early end is G_IO_ERROR_PARTIAL_INPUT. */
gboolean stasis_stream_in_read_exact (StasisStreamIn *self, void *octets, gsize size,
                                      GCancellable *cancellable, GError **error);

/* NULL is fine. */
void stasis_stream_in_free (StasisStreamIn *self);

/* A zero @size is fine. */
gboolean stasis_stream_out_write (StasisStreamOut *self, const void *octets, gsize size,
                                  GCancellable *cancellable, GError **error);
gboolean stasis_stream_out_finish (StasisStreamOut *self, GCancellable *cancellable,
                                   GError **error);

/* NULL is fine. */
void stasis_stream_out_free (StasisStreamOut *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisStreamIn, stasis_stream_in_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisStreamOut, stasis_stream_out_free)

/* All of @in to @out, which is not finished.  @progress (nullable) is told the octets so far, at
 * most ten times a second. */
gboolean stasis_stream_copy (StasisStreamIn *in, StasisStreamOut *out,
                             void (*progress) (guint64 done, gpointer data), gpointer data,
                             GCancellable *cancellable, GError **error);

/* The octets [@offset, @end) of a file; @fd is borrowed and its position left alone.  Fails where
 * the file ends before @end; @end G_MAXUINT64: the end of the file, wherever it is. */
StasisStreamIn *stasis_stream_in_new_file (int fd, guint64 offset, guint64 end);

/* What comes out of a pipe, socket or file from its position on.  @fd is borrowed; it may be
 * blocking or not. */
StasisStreamIn *stasis_stream_in_new_pipe (int fd);

/* Octets from memory. */
StasisStreamIn *stasis_stream_in_new_bytes (GBytes *bytes);

/* To a file from @offset on; @fd is borrowed and its position left alone. */
StasisStreamOut *stasis_stream_out_new_file (int fd, guint64 offset);

/* Into a pipe, socket or file from its position on; @fd is borrowed.  Its flags stay as they are:
 * other processes may share it.  Where the reader has gone: G_IO_ERROR_BROKEN_PIPE; the process
 * must ignore SIGPIPE. */
StasisStreamOut *stasis_stream_out_new_pipe (int fd);

G_END_DECLS
