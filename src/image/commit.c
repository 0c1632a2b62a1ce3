/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commit.c: the first and the last steps of writing an image file
 *
 * See docs/save-image.md, "Commit protocol".  The order of the two syncs is the promise of the
 * format: a header that says DONE stands before octets that are on disk.
 */

#include "config.h"

#include "image/commit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "image/error.h"
#include "util/fault.h"
#include "util/fd.h"

static gboolean
throw_target (GError **error, const char *what)
{
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID,
               _ ("cannot write a save image there: %1$s"), what);
  return FALSE;
}

/* TRUE where @fd is what an image may be written to. */
gboolean
stasis_image_commit_check_file (int fd, GError **error)
{
  struct stat st;
  if (fstat (fd, &st) < 0)
    return stasis_throw_errno (error, _ ("cannot look at the file"));
  if (!S_ISREG (st.st_mode))
    return throw_target (error, _ ("it is not a regular file"));
  if (st.st_size != 0)
    return throw_target (error, _ ("the file is not empty"));
  if ((fcntl (fd, F_GETFL) & O_ACCMODE) != O_RDWR)
    return throw_target (error, _ ("the file is not open for reading and writing"));
  return TRUE;
}

/* Write the header as it stands. */
gboolean
stasis_image_commit_header (int fd, const StasisImageHeader *header, GError **error)
{
  guint8 octets[STASIS_IMAGE_HEADER_SIZE];
  stasis_image_header_encode (header, octets);
  return stasis_fd_pwrite_exact (fd, octets, sizeof octets, 0, error);
}

static gboolean
sync_file (int fd, GError **error)
{
  return fsync (fd) == 0 || stasis_throw_errno (error, _ ("cannot write the image to disk"));
}

/* Write the header of a streamed image, sync. */
gboolean
stasis_image_commit_stream (int fd, const StasisImageHeader *header, GError **error)
{
  return stasis_image_commit_header (fd, header, error) && stasis_fault ("image-complete", error)
         && sync_file (fd, error) && stasis_fault ("image-complete-synced", error);
}

/* Sync, complete the header, write it, sync. */
gboolean
stasis_image_commit_seal (int fd, StasisImageHeader *header, guint64 file_size, GError **error)
{
  if (!sync_file (fd, error) || !stasis_fault ("image-tail-synced", error))
    return FALSE;

  header->file_size = file_size;
  header->tail_length = file_size - header->tail_offset;
  header->complete = TRUE;
  return stasis_image_commit_header (fd, header, error) && stasis_fault ("image-complete", error)
         && sync_file (fd, error) && stasis_fault ("image-complete-synced", error);
}
