/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * extents.c: where a file has data, and where holes
 *
 * A file system that knows no holes reports one run of data; all that is lost is time.
 */

#include "config.h"

#include "image/extents.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "util/fd.h"
#include "util/hash.h"

#define PIECE (64u * 1024) /* octets read or written at a time */

/* lseek() that answers @end where there is nothing of what was asked for before it.  Some network
 * file systems know neither question: to them all is data. */
static gboolean
seek (int fd, guint64 offset, guint64 end, int whence, guint64 *out, GError **error)
{
  const off_t found = lseek (fd, (off_t) offset, whence);
  if (found < 0 && (errno == EINVAL || errno == EOPNOTSUPP))
    {
      *out = whence == SEEK_DATA ? offset : end;
      return TRUE;
    }
  if (found < 0 && errno != ENXIO)
    return stasis_throw_errno (error, _ ("cannot look for holes"));
  *out = found < 0 ? end : MIN ((guint64) found, end);
  return TRUE;
}

/* The first run of data in [@offset, @end). */
gboolean
stasis_extent_next (int fd, guint64 offset, guint64 end, guint64 *out_start, guint64 *out_end,
                    GError **error)
{
  guint64 start = end;
  if (!seek (fd, offset, end, SEEK_DATA, &start, error))
    return FALSE;

  guint64 stop = end;
  if (start < end && !seek (fd, start, end, SEEK_HOLE, &stop, error))
    return FALSE;
  *out_start = start;
  *out_end = stop;
  return TRUE;
}

static gboolean
find_in_data (int fd, guint64 offset, guint64 end, guint64 *out_found, GError **error)
{
  guint8 buffer[PIECE];
  for (; offset < end; offset += PIECE)
    {
      const gsize n = MIN (end - offset, PIECE);
      if (!stasis_fd_pread_exact (fd, buffer, n, offset, error))
        return FALSE;
      if (stasis_is_zero (buffer, n))
        continue;
      gsize at = 0;
      while (buffer[at] == 0)
        at++;
      *out_found = offset + at;
      return TRUE;
    }
  *out_found = end;
  return TRUE;
}

/* Where the first octet in [@offset, @end) stands that is not zero; @end where there is none. */
gboolean
stasis_extent_find_nonzero (int fd, guint64 offset, guint64 end, guint64 *out_found, GError **error)
{
  while (offset < end)
    {
      guint64 start, stop;
      if (!stasis_extent_next (fd, offset, end, &start, &stop, error)
          || !find_in_data (fd, start, stop, out_found, error))
        return FALSE;
      if (*out_found < stop)
        return TRUE;
      offset = stop;
    }
  *out_found = end;
  return TRUE;
}

static gboolean
write_zeros (int fd, guint64 offset, guint64 end, GError **error)
{
  static const guint8 zeros[PIECE];
  for (; offset < end; offset += PIECE)
    if (!stasis_fd_pwrite_exact (fd, zeros, MIN (end - offset, PIECE), offset, error))
      return FALSE;
  return TRUE;
}

/* Turn [@offset, @end) into a hole, or into zeros where the file system knows no holes. */
gboolean
stasis_extent_punch (int fd, guint64 offset, guint64 end, GError **error)
{
  if (fallocate (fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t) offset,
                 (off_t) (end - offset))
      == 0)
    return TRUE;
  if (errno == EOPNOTSUPP || errno == ENOSYS)
    return write_zeros (fd, offset, end, error);
  return stasis_throw_errno (error, _ ("cannot punch a hole"));
}
