/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * body-head.c: how QEMU's stream begins in an image whose pages lie apart from it
 */

#include "config.h"

#include "image/body-head.h"

#include <glib/gi18n-lib.h>

#include "image/error.h"
#include "image/mapped-ram.h"
#include "image/reader-private.h"

/* Behind pages and index. */
gboolean
stasis_image_get_packed_stream (const StasisImage *image, guint64 *out_offset, guint64 *out_end)
{
  if (image->packed == NULL)
    return FALSE;
  *out_offset = stasis_packed_ram_stream_offset (image->packed, image->header.body_offset);
  *out_end = stasis_image_header_body_end (&image->header);
  return TRUE;
}

/* Head and blocks. */
StasisImageRamMap *
stasis_image_take_head (const StasisImage *image, StasisQemuHead *head, guint64 *out_rest,
                        GCancellable *cancellable, GError **error)
{
  guint64 offset, end;
  StasisImageRamMap *map = NULL;
  g_auto (StasisQemuInput) input;
  if (stasis_image_get_packed_stream (image, &offset, &end))
    {
      stasis_qemu_input_init_file (&input, image->fd, offset, end, cancellable);
      if (stasis_qemu_head_take_plain (&input, head, error))
        map = stasis_qemu_head_take_blocks (&input, head, error);
    }
  else
    {
      stasis_qemu_input_init_file (&input, image->fd, image->header.body_offset,
                                   stasis_image_header_body_end (&image->header), cancellable);
      map = stasis_mapped_ram_take (&input, head, error);
    }
  if (map != NULL && out_rest != NULL)
    *out_rest = input.offset;
  return map;
}
