/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * view.c: what QEMU is to read of an image whose memory is mapped from it
 *
 * Theory of operation
 *
 * A guest's memory can be a private mapping of the pages that lie in place in a MAPPED_RAM body;
 * then QEMU has to be given everything but them.  The offsets in its stream are absolute, so the
 * view is a sparse file with the same offsets: all of the body is copied as it is, save the bitmap
 * and the pages of the block that is mapped, which stay holes.  A bitmap of zeros has QEMU leave
 * the block's memory alone.  The image itself is not touched; its true bitmap is for everybody
 * else.
 *
 * The RAM map of the image's own record decides which octets are left out, QEMU goes by the headers
 * in its stream: the two are compared first, or pages could be taken from where none are.
 */

#include "config.h"

#include "image/view.h"

#include <sys/mman.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "image/copy.h"
#include "image/error.h"
#include "image/extents.h"
#include "image/mapped-ram.h"
#include "util/fd.h"

static gboolean G_GNUC_PRINTF (2, 3) refuse (GError **error, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *message = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error_literal (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_UNSUPPORTED, message);
  return FALSE;
}

/* QEMU's stream places the block where the image's own map does. */
static gboolean
check_header (const StasisImage *image, guint64 body_end, const StasisImageBlock *block,
              GError **error)
{
  g_autoptr (StasisImageRamMap) map = stasis_mapped_ram_parse (
      stasis_image_fd (image), stasis_image_body_offset (image), body_end, error);
  if (map == NULL)
    return FALSE;
  const StasisImageBlock *its = stasis_image_ram_map_lookup (map, block->name);
  if (its != NULL && its->used_length == block->used_length
      && its->bitmap_offset == block->bitmap_offset && its->bitmap_length == block->bitmap_length
      && its->pages_offset == block->pages_offset)
    return TRUE;
  return refuse (error, _ ("QEMU's header of RAM block '%1$s' is not what the RAM map says"),
                 block->name);
}

/* Copy [@start, @end), as long as the view does not become too large. */
static gboolean
copy (int from, guint64 start, guint64 end, int view, guint64 *room, GCancellable *cancellable,
      GError **error)
{
  guint64 data, stop;
  for (guint64 at = start; at < end; at = stop)
    {
      if (!stasis_extent_next (from, at, end, &data, &stop, error))
        return FALSE;
      if (stop - data > *room)
        return refuse (error, _ ("too much of the image is not the memory that is mapped"));
      *room -= stop - data;
    }
  return stasis_image_copy_range (from, start, end, view, start, NULL, NULL, cancellable, error);
}

/* All of the body but a block's bitmap and pages. */
int
stasis_image_view_new (const StasisImage *image, const StasisImageBlock *block, guint64 data_max,
                       GCancellable *cancellable, GError **error)
{
  const int fd = stasis_image_fd (image);
  const guint64 start = stasis_image_body_offset (image);
  const guint64 end = start + stasis_image_body_length (image);
  if (!check_header (image, end, block, error)
      || !stasis_mapped_ram_check_stale (fd, block, cancellable, error))
    return -1;

  guint64 room = data_max;
  stasis_autofd int view = memfd_create ("stasis-view", MFD_CLOEXEC);
  if (view < 0 || ftruncate (view, (off_t) end) < 0)
    {
      stasis_throw_errno (error, _ ("cannot make a memory file"));
      return -1;
    }
  if (!copy (fd, start, block->bitmap_offset, view, &room, cancellable, error)
      || !copy (fd, block->bitmap_offset + block->bitmap_length, block->pages_offset, view, &room,
                cancellable, error)
      || !copy (fd, block->pages_offset + block->used_length, end, view, &room, cancellable, error))
    return -1;
  return stasis_fd_steal (&view);
}
