/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * overlay-bases.c: what the disks of a clone that is saved rest on
 *
 * The DISKS record of an image tells of the overlay, which nobody touches.  But the parent may go
 * on, and write to the disk below it: then the clone's guest would find a disk that is neither.  So
 * the file that keeps the overlays (overlay-folder.h) has a record of its own, of the disks
 * below them, in the words of DISKS, and says which image needs them (saved-clones.c).
 */

#include "config.h"

#include "driver/overlay-bases.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/disks.h"
#include "driver/overlay-folder.h"
#include "driver/overlays.h"
#include "image/disks.h"
#include "util/json-path.h"

static void
free_disk (gpointer disk)
{
  stasis_image_disk_free (disk);
}

/* (transfer full) In the order of the disks, nearest first. */
static GPtrArray *
describe (const StasisDomainDef *def, const char *folder, GError **error)
{
  g_autoptr (GPtrArray) bases = g_ptr_array_new_with_free_func (free_disk);
  for (guint i = 0; i < def->disks->len; i++)
    {
      const StasisDiskDef *disk = g_ptr_array_index (def->disks, i);
      g_autofree char *parent = disk->source != NULL ? g_path_get_dirname (disk->source) : NULL;
      if (g_strcmp0 (parent, folder) == 0 && !stasis_disks_describe_chain (disk, bases, error))
        return NULL;
    }
  return g_steal_pointer (&bases);
}

/* Keep them, and note what they rest on. */
gboolean
stasis_overlay_bases_keep (const StasisDomainDef *def, const char *folder, const char *path,
                           GError **error)
{
  g_autoptr (GPtrArray) bases = describe (def, folder, error);
  if (bases == NULL)
    return FALSE;
  g_autoptr (StasisJson) json = stasis_image_disks_to_json (bases);
  stasis_json_set_string (json, STASIS_OVERLAY_NAME, def->name);
  stasis_json_set_path (json, STASIS_OVERLAY_IMAGE, path);
  g_autofree char *text = stasis_json_to_pretty_string (json);
  return stasis_overlay_folder_keep (folder, text, error);
}

static gboolean
compare (const GPtrArray *saved, const GPtrArray *now, GError **error)
{
  g_autoptr (GError) local = NULL;
  gboolean is_same = saved->len == now->len;
  for (guint i = 0; is_same && i < saved->len; i++)
    is_same = stasis_image_disk_compare (g_ptr_array_index (saved, i), g_ptr_array_index (now, i),
                                         &local);
  if (is_same)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED,
               _ ("what the clone's disks rest on has changed: %s; --force restores anyway"),
               local != NULL ? local->message : _ ("they rest on other files"));
  return FALSE;
}

/* They are what they were. */
gboolean
stasis_overlay_bases_check (const StasisDomainDef *def, const char *folder, GError **error)
{
  g_autofree char *text = stasis_overlay_folder_read_kept (folder, error);
  g_autoptr (StasisJson) json = text != NULL ? stasis_json_parse (text, -1, error) : NULL;
  g_autoptr (GPtrArray) saved = json != NULL ? stasis_image_disks_from_json (json, error) : NULL;
  if (saved == NULL)
    {
      g_prefix_error (error, "'%s': ", folder);
      return FALSE;
    }
  g_autoptr (GPtrArray) now = describe (def, folder, error);
  return now != NULL && compare (saved, now, error);
}
