/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * copy.c: a range of a file to some place of another
 */

#include "config.h"

#include "image/copy.h"

#include <errno.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "image/extents.h"
#include "util/fd.h"

#define PIECE         (8u * 1024 * 1024) /* octets between looks at the cancellable */
#define TELL_EVERY_US (G_USEC_PER_SEC / 10)

typedef struct
{
  int in;
  int out;
  guint64 offset; /* where the range begins, and where it goes */
  guint64 out_offset;
  guint64 total;
  StasisImageProgress progress;
  gpointer progress_data;
  gint64 told_us;
  guint8 *buffer; /* (owned) NULL as long as the kernel copies */
} Copy;

static void
report (Copy *self, guint64 done)
{
  const gint64 now_us = g_get_monotonic_time ();
  if (self->progress == NULL || (done < self->total && now_us - self->told_us < TELL_EVERY_US))
    return;
  self->told_us = now_us;
  self->progress (done, self->total, self->progress_data);
}

static gboolean
copy_by_hand (Copy *self, guint64 offset, guint64 target, gsize size, GError **error)
{
  if (self->buffer == NULL)
    self->buffer = g_malloc (PIECE);
  return stasis_fd_pread_exact (self->in, self->buffer, size, offset, error)
         && stasis_fd_pwrite_exact (self->out, self->buffer, size, target, error);
}

/* One step of at most PIECE, by the kernel where it can; how many octets are done, or -1. */
static gssize
copy_some (Copy *self, guint64 offset, gsize size, GError **error)
{
  const guint64 target = offset - self->offset + self->out_offset;
  off_t from = (off_t) offset;
  off_t to = (off_t) target;
  gssize n = 0;
  if (self->buffer == NULL)
    do
      n = copy_file_range (self->in, &from, self->out, &to, size, 0);
    while (n < 0 && errno == EINTR);
  if (n > 0)
    return n;
  if (n < 0 && (errno == EIO || errno == ENOSPC || errno == EDQUOT || errno == EFBIG))
    {
      stasis_throw_errno (error, _ ("cannot copy at offset %1$" G_GUINT64_FORMAT), offset);
      return -1;
    }
  return copy_by_hand (self, offset, target, size, error) ? (gssize) size : -1;
}

static gboolean
copy_extent (Copy *self, guint64 start, guint64 end, GCancellable *cancellable, GError **error)
{
  while (start < end)
    {
      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        return FALSE;
      const gssize n = copy_some (self, start, MIN (end - start, PIECE), error);
      if (n < 0)
        return FALSE;
      start += (guint64) n;
      report (self, start - self->offset);
    }
  return TRUE;
}

/* Copy a range to some place of another file. */
gboolean
stasis_image_copy_range (int in, guint64 offset, guint64 end, int out, guint64 out_offset,
                         StasisImageProgress progress, gpointer progress_data,
                         GCancellable *cancellable, GError **error)
{
  Copy self = { .in = in,
                .out = out,
                .offset = offset,
                .out_offset = out_offset,
                .total = end - offset,
                .progress = progress,
                .progress_data = progress_data };
  gboolean ok = TRUE;
  guint64 start, stop;
  for (guint64 at = offset; ok && at < end; at = stop)
    ok = stasis_extent_next (in, at, end, &start, &stop, error)
         && copy_extent (&self, start, stop, cancellable, error);
  if (ok)
    report (&self, self.total);
  g_free (self.buffer);
  return ok;
}
