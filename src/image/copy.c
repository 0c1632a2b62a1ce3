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

#define PIECE         (1024u * 1024)
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

/* One step, by the kernel where it can; *@out_count octets are done. */
static gboolean
copy_some (const Copy *self, guint64 offset, gsize size, gsize *out_count, GError **error)
{
  const guint64 target = offset - self->offset + self->out_offset;
  off_t from = (off_t) offset;
  off_t to = (off_t) target;
  const gssize n = copy_file_range (self->in, &from, self->out, &to, size, 0);
  if (n > 0)
    {
      *out_count = (gsize) n;
      return TRUE;
    }
  if (n < 0 && errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP && errno != ENOSYS)
    return stasis_throw_errno (error, _ ("cannot copy the image"));

  g_autofree guint8 *buffer = g_malloc (size);
  *out_count = size;
  return stasis_fd_pread_exact (self->in, buffer, size, offset, error)
         && stasis_fd_pwrite_exact (self->out, buffer, size, target, error);
}

static gboolean
copy_extent (Copy *self, guint64 start, guint64 end, GCancellable *cancellable, GError **error)
{
  while (start < end)
    {
      gsize count = 0;
      if (g_cancellable_set_error_if_cancelled (cancellable, error)
          || !copy_some (self, start, MIN (end - start, PIECE), &count, error))
        return FALSE;
      start += count;
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
  guint64 start, stop;
  for (guint64 at = offset; at < end; at = stop)
    if (!stasis_extent_next (in, at, end, &start, &stop, error)
        || !copy_extent (&self, start, stop, cancellable, error))
      return FALSE;
  report (&self, self.total);
  return TRUE;
}
