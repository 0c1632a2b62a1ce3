/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verify-packed.c: the index and the stream of a PACKED_RAM body
 */

#include "config.h"

#include "image/verify-private.h"

#include <glib/gi18n-lib.h>

#include "image/body-head.h"

/* QEMU's own list of blocks is the record's. */
static gboolean
has_blocks_of (const StasisImageRamMap *found, const StasisImageRamMap *known)
{
  if (found->n_blocks != known->n_blocks)
    return FALSE;
  for (guint i = 0; i < found->n_blocks; i++)
    if (!g_str_equal (found->blocks[i].name, known->blocks[i].name)
        || found->blocks[i].used_length != known->blocks[i].used_length)
      return FALSE;
  return TRUE;
}

/* What the record says of the body. */
gboolean
stasis_verify_packed_ram (StasisVerification *self, GCancellable *cancellable, GError **error)
{
  const StasisImage *image = self->image;
  guint64 start, end;
  GError *cause = NULL;
  stasis_image_get_packed_stream (image, &start, &end);
  self->packed = stasis_packed_index_load (image, cancellable, &cause);
  if (self->packed == NULL)
    {
      const guint64 index
          = stasis_packed_ram_index_offset (image->packed, image->header.body_offset);
      return stasis_damage_list_add_error (&self->damages, index, start - index, cause, error);
    }
  g_auto (StasisQemuHead) head = { .ram_id = 0 };
  g_autoptr (StasisImageRamMap) found
      = stasis_image_take_head (image, &head, NULL, cancellable, &cause);
  if (found == NULL)
    return stasis_damage_list_add_error (&self->damages, start, end - start, cause, error);
  if (!has_blocks_of (found, image->map))
    stasis_damage_list_add (&self->damages, start, end - start,
                            _ ("body: its RAM blocks are not those of the record 'packed-ram'"));
  return TRUE;
}

/* Where a chunk of the body lies. */
char *
stasis_verify_describe_packed (const StasisVerification *self, guint64 offset)
{
  const StasisImage *image = self->image;
  guint block;
  guint64 page, start, end;
  if (self->packed != NULL && stasis_packed_index_at (self->packed, offset, &block, &page))
    return g_strdup_printf (_ ("packed pages, the first one is RAM block '%1$s', guest memory at "
                               "0x%2$" G_GINT64_MODIFIER "x"),
                            image->map->blocks[block].name, page * STASIS_IMAGE_PAGE_SIZE);
  stasis_image_get_packed_stream (image, &start, &end);
  return g_strdup (offset < start ? _ ("packed pages, or their index") : _ ("QEMU's stream"));
}
