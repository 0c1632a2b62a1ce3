/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt-rewrite.c: editing a save image of libvirt, as a new file
 *
 * libvirt edits in place, without a sync, and only while the new XML fits.  Here the old file is
 * never touched.  A new one shares its body with it where the file system can, and the body keeps
 * its place while it may: a sparse one must, for QEMU's offsets inside it are absolute.
 */

#include "config.h"

#include "image/libvirt-rewrite.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <linux/fs.h>

#include "image/commit.h"
#include "image/copy.h"
#include "image/error.h"
#include "image/libvirt-writer.h"
#include "util/fd.h"

/* Header and data as they will be; TOO_LARGE where the body would have to move and can't. */
static gboolean
measure (const StasisLibvirtImage *image, GBytes *xml, StasisLibvirtHeader *header, GError **error)
{
  GBytes *cookie = stasis_libvirt_image_cookie (image);
  const guint32 old_length = header->data_length;
  if (!stasis_libvirt_data_measure (xml, cookie, header, error))
    return FALSE;
  if (header->data_length == old_length || header->format != STASIS_LIBVIRT_FORMAT_SPARSE)
    return TRUE;

  const gsize taken = 1 + (cookie == NULL ? 0 : g_bytes_get_size (cookie) + 1);
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_TOO_LARGE,
               _ ("the new XML does not fit into '%1$s', whose body cannot move because it is "
                  "sparse: %2$zu octets, at most %3$zu"),
               stasis_libvirt_image_name (image), g_bytes_get_size (xml), old_length - taken);
  return FALSE;
}

/* The body at its new place, in a file that begins with nothing of worth. */
static gboolean
bring_body (const StasisLibvirtImage *image, guint64 out_offset, int out_fd,
            StasisImageProgress progress, gpointer progress_data, GCancellable *cancellable,
            GError **error)
{
  const int fd = stasis_libvirt_image_fd (image);
  const guint64 offset = stasis_libvirt_image_body_offset (image);
  const guint64 end = stasis_libvirt_image_body_end (image);
  if (out_offset == offset && ioctl (out_fd, FICLONE, fd) == 0)
    {
      if (progress != NULL)
        progress (end - offset, end - offset, progress_data);
      return TRUE;
    }
  if (!stasis_image_copy_range (fd, offset, end, out_fd, out_offset, progress, progress_data,
                                cancellable, error))
    return FALSE;
  return ftruncate (out_fd, (off_t) (out_offset + (end - offset))) == 0
         || stasis_throw_errno (error, _ ("cannot set the size of the image"));
}

static gboolean
write_front (const StasisLibvirtImage *image, const StasisLibvirtHeader *header, GBytes *xml,
             int out_fd, GError **error)
{
  guint8 octets[STASIS_LIBVIRT_HEADER_SIZE];
  g_autoptr (GBytes) data
      = stasis_libvirt_data_encode (header, xml, stasis_libvirt_image_cookie (image));
  stasis_libvirt_header_encode (header, /* is_complete= */ FALSE, octets);
  return stasis_fd_pwrite_exact (out_fd, octets, sizeof octets, 0, error)
         && stasis_fd_pwrite_exact (out_fd, g_bytes_get_data (data, NULL), g_bytes_get_size (data),
                                    sizeof octets, error);
}

/* Write a copy with another domain XML and state. */
gboolean
stasis_libvirt_rewrite (const StasisLibvirtImage *image, GBytes *xml, gboolean was_running,
                        int out_fd, StasisImageProgress progress, gpointer progress_data,
                        GCancellable *cancellable, GError **error)
{
  if (stasis_libvirt_image_fd (image) < 0)
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID,
                   _ ("only an image in a file can be edited"));
      return FALSE;
    }

  StasisLibvirtHeader header = *stasis_libvirt_image_header (image);
  header.was_running = was_running;
  if (!measure (image, xml, &header, error) || !stasis_image_commit_check_file (out_fd, error))
    return FALSE;
  const guint64 out_offset = (guint64) STASIS_LIBVIRT_HEADER_SIZE + header.data_length;
  return bring_body (image, out_offset, out_fd, progress, progress_data, cancellable, error)
         && write_front (image, &header, xml, out_fd, error) && stasis_libvirt_seal (out_fd, error);
}
