/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-map.c: a picture of the memory in a save image, for the public API
 */

#include "config.h"

#include <stasis/image.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/image-open.h"
#include "image/draw-map.h"
#include "image/packed-index.h"

static gboolean
add_packed (StasisMemoryPicture *picture, const StasisImage *image, GCancellable *cancellable,
            GError **error)
{
  const StasisImageRamMap *map = stasis_image_ram_map (image);
  g_autoptr (StasisPackedIndex) index = stasis_packed_index_load (image, cancellable, error);
  if (index == NULL)
    return FALSE;
  for (guint i = 0; i < map->n_blocks; i++)
    {
      const StasisImageBlock *block = &map->blocks[i];
      stasis_memory_picture_add_block (picture, block->name, block->used_length);
      stasis_memory_picture_mark_bits (picture, i, stasis_packed_index_bitmap (index, i));
    }
  return TRUE;
}

static gboolean
add_map (StasisMemoryPicture *picture, const StasisImageInput *input, GCancellable *cancellable,
         GError **error)
{
  const int fd = stasis_image_input_fd (input);
  const StasisImage *ours = stasis_image_input_ours (input);
  guint64 offset, end;
  if (ours != NULL && stasis_image_parent (ours) != NULL)
    stasis_memory_picture_set_incremental (picture);
  if (stasis_image_input_get_packed (input, &offset, &end))
    return add_packed (picture, ours, cancellable, error);
  if (!stasis_image_input_get_mapped (input, &offset, &end))
    {
      g_set_error (
          error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
          _ ("the memory in '%1$s' (of kind '%2$s') does not lie in place, so that there "
             "is no map of it; 'stasis image convert -O libvirt-sparse' makes an image that has "
             "one"),
          stasis_image_input_name (input),
          stasis_image_kind_to_string (stasis_image_input_kind (input)));
      return FALSE;
    }
  if (ours != NULL)
    return stasis_memory_picture_add_map (picture, fd, stasis_image_ram_map (ours), NULL, NULL,
                                          cancellable, error);
  g_autoptr (StasisImageRamMap) map
      = stasis_libvirt_image_ram_map (stasis_image_input_libvirt (input), error);
  return map != NULL
         && stasis_memory_picture_add_map (picture, fd, map, NULL, NULL, cancellable, error);
}

/**
 * stasis_image_draw_map:
 * @path: (type filename): a save image whose memory lies in place
 * @format: "svg" or "png"
 * @cancellable: (nullable): stops it
 * @error: return location
 *
 * Draws which pages of the guest's memory have data; of an incremental image, which have data in
 * it, and not in its parent.  %STASIS_ERROR_UNSUPPORTED for an image whose memory comes as a
 * stream.
 *
 * Returns: (transfer full): the picture, as a file of that format
 */
GBytes *
stasis_image_draw_map (const char *path, const char *format, GCancellable *cancellable,
                       GError **error)
{
  const gboolean is_svg = g_str_equal (format, "svg");
  if (!is_svg && !g_str_equal (format, "png"))
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                   _ ("there is no format of pictures called '%1$s'"), format);
      return NULL;
    }
  g_autoptr (StasisImageInput) input = stasis_image_open_any (path, -1, cancellable, error);
  if (input == NULL)
    return NULL;
  g_autofree char *title = g_path_get_basename (path);
  g_autoptr (StasisMemoryPicture) picture = stasis_memory_picture_new (title);
  if (!add_map (picture, input, cancellable, error))
    return NULL;
  return is_svg ? stasis_memory_picture_to_svg (picture)
                : stasis_memory_picture_to_png (picture, error);
}
