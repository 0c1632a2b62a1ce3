/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * saved-clones.c: disks that are kept for the images of clones that were saved
 *
 * Theory of operation
 *
 * The overlays of a clone go with it, unless it is saved: then they are its image's disks, and go
 * with the domain that is restored from that.  Where that never happens, because the image was
 * removed, they would stay for ever.  But nobody can tell an image that was removed from one that
 * was moved or copied elsewhere.  So nothing is removed by itself: what is kept is listed, with
 * what lies where the image was, and somebody says which to drop.
 */

#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <glib/gi18n-lib.h>
#include <stasis/clone.h>

#include "driver/disk-writers.h"
#include "driver/error.h"
#include "driver/hold.h"
#include "driver/image-open.h"
#include "driver/ops.h"
#include "driver/overlay-bases.h"
#include "driver/overlay-folder.h"
#include "driver/overlays.h"
#include "image/error.h"
#include "util/json-path.h"
#include "util/uuid.h"

/**
 * stasis_clones_image_to_string:
 * @image: what has become of one
 *
 * Returns: the word for it
 */
const char *
stasis_clones_image_to_string (StasisClonesImage image)
{
  static const char *const words[] = { "there", "missing", "replaced", "unknown" };
  return words[image];
}

/* NULL is fine. */
void
stasis_clones_saved_free (StasisClonesSaved *self)
{
  if (self == NULL)
    return;
  g_free (self->uuid);
  g_free (self->name);
  g_free (self->folder);
  g_free (self->path);
  g_free (self);
}

static void
saved_free (gpointer data)
{
  stasis_clones_saved_free (data);
}

/* TRUE where it is an image of another domain, or none: whatever cannot be read may be it. */
static gboolean
is_other (const char *path, const char *uuid)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisImageInput) input = stasis_image_open_any (path, -1, NULL, &error);
  if (input == NULL)
    return g_error_matches (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_NOT_AN_IMAGE);
  const guint8 *trailer = stasis_image_input_trailer_uuid (input);
  g_autofree char *own = trailer != NULL ? stasis_uuid_format (trailer) : NULL;
  g_autoptr (StasisDomainDef) def = own == NULL ? stasis_image_any_def (input, NULL) : NULL;
  const char *its = def != NULL ? def->uuid : own;
  return its != NULL && !g_str_equal (its, uuid);
}

/* An image that was edited, or freed by domdetach, is another file under the same name; and a file
 * of the same number may be another one, too. */
static StasisClonesImage
look_at_image (const char *path, const char *uuid)
{
  struct stat st;
  if (path == NULL)
    return STASIS_CLONES_IMAGE_UNKNOWN;
  if (stat (path, &st) < 0)
    return errno == ENOENT || errno == ENOTDIR ? STASIS_CLONES_IMAGE_MISSING
                                               : STASIS_CLONES_IMAGE_THERE;
  return is_other (path, uuid) ? STASIS_CLONES_IMAGE_REPLACED : STASIS_CLONES_IMAGE_THERE;
}

/* (transfer full) (nullable): what is said of the disks in a folder; empty where it cannot be
 * read. */
static StasisJson *
read_kept (const char *folder)
{
  if (!stasis_overlay_folder_is_kept (folder))
    return NULL;
  g_autofree char *text = stasis_overlay_folder_read_kept (folder, NULL);
  StasisJson *json = text != NULL ? stasis_json_parse (text, -1, NULL) : NULL;
  return json != NULL ? json : stasis_json_new_object ();
}

static StasisClonesSaved *
look (const char *folder, const StasisJson *kept)
{
  StasisClonesSaved *saved = g_new0 (StasisClonesSaved, 1);
  saved->uuid = g_path_get_basename (folder);
  saved->name = g_strdup (stasis_json_string (stasis_json_get (kept, STASIS_OVERLAY_NAME), NULL));
  saved->folder = g_strdup (folder);
  saved->path = stasis_json_dup_path (kept, STASIS_OVERLAY_IMAGE);
  saved->image = look_at_image (saved->path, saved->uuid);
  saved->octets = stasis_overlay_folder_size (folder);
  return saved;
}

static int
compare (gconstpointer a, gconstpointer b)
{
  const StasisClonesSaved *x = *(const StasisClonesSaved *const *) a;
  const StasisClonesSaved *y = *(const StasisClonesSaved *const *) b;
  const int names = g_strcmp0 (x->name, y->name);
  return names != 0 ? names : strcmp (x->uuid, y->uuid);
}

/* (transfer full): the folders that are somebody's now. */
static GHashTable *
list_in_use (StasisDriver *driver, GError **error)
{
  GHashTable *in_use = stasis_overlays_in_use (driver);
  if (in_use == NULL)
    g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_FAILED,
                         _ ("which disks running domains have cannot be told: a status file cannot "
                            "be read"));
  return in_use;
}

/**
 * stasis_driver_list_saved_clones:
 * @self: a driver
 * @error: return location
 *
 * Returns: (element-type StasisClonesSaved) (transfer full): the disks that are kept for the images
 *   of clones that were saved, by name
 */
GPtrArray *
stasis_driver_list_saved_clones (StasisDriver *self, GError **error)
{
  const StasisDriverOps *ops = stasis_driver_get_ops (self);
  if (ops != NULL)
    return ops->list_saved_clones (self, error);

  g_autofree char *clones = stasis_paths_clones (self->paths);
  g_autoptr (GPtrArray) names = stasis_paths_names (clones, "", error);
  g_autoptr (GHashTable) in_use = names != NULL ? list_in_use (self, error) : NULL;
  if (in_use == NULL)
    return NULL;
  GPtrArray *all = g_ptr_array_new_with_free_func (saved_free);
  for (guint i = 0; i < names->len; i++)
    {
      g_autofree char *folder = g_build_filename (clones, g_ptr_array_index (names, i), NULL);
      g_autoptr (StasisJson) kept = read_kept (folder);
      if (kept != NULL && !g_hash_table_contains (in_use, folder))
        g_ptr_array_add (all, look (folder, kept));
    }
  g_ptr_array_sort (all, compare);
  return all;
}

static gboolean
lies_in (const StasisJson *disk, const char *folder)
{
  const char *path = stasis_json_string (stasis_json_get (disk, "path"), "");
  g_autofree char *parent = g_path_get_dirname (path);
  return g_str_equal (parent, folder);
}

/* Refuse where the disks of a clone of this clone rest on it: one that runs, or was saved. */
static gboolean
check_rests (StasisDriver *driver, const StasisClonesSaved *saved, GError **error)
{
  g_autofree char *clones = stasis_paths_clones (driver->paths);
  g_autoptr (GPtrArray) names = stasis_paths_names (clones, "", error);
  g_autoptr (GPtrArray) files = stasis_paths_names (saved->folder, STASIS_OVERLAY_SUFFIX, error);
  if (names == NULL || files == NULL)
    return FALSE;
  for (guint i = 0; i < files->len; i++)
    {
      g_autofree char *file
          = g_strconcat (g_ptr_array_index (files, i), STASIS_OVERLAY_SUFFIX, NULL);
      g_autofree char *path = g_build_filename (saved->folder, file, NULL);
      g_autofree char *users = stasis_disk_writers_name_users (driver, path);
      if (users != NULL)
        return stasis_throw_refused (error, _ ("'%1$s' is %2$s"), path, users);
    }
  for (guint i = 0; i < names->len; i++)
    {
      g_autofree char *other = g_build_filename (clones, g_ptr_array_index (names, i), NULL);
      g_autoptr (StasisJson) kept = read_kept (other);
      const StasisJson *disks = stasis_json_get (kept, "disks");
      for (guint n = 0; n < stasis_json_array_length (disks); n++)
        if (lies_in (stasis_json_array_get (disks, n), saved->folder))
          return stasis_throw_refused (
              error, _ ("the disks of the saved clone %1$s rest on those in '%2$s'"),
              (const char *) g_ptr_array_index (names, i), saved->folder);
    }
  return TRUE;
}

static gboolean
check_image (const StasisClonesSaved *saved, gboolean force, GError **error)
{
  if (force || saved->image == STASIS_CLONES_IMAGE_MISSING
      || saved->image == STASIS_CLONES_IMAGE_REPLACED)
    return TRUE;
  if (saved->image == STASIS_CLONES_IMAGE_THERE)
    return stasis_throw_refused (
        error, _ ("the image '%1$s' needs the disks in '%2$s'; --force removes them anyway"),
        saved->path, saved->folder);
  return stasis_throw_refused (
      error, _ ("which image needs the disks in '%s' is not known; --force removes them anyway"),
      saved->folder);
}

/* With the name held nobody restores the clone meanwhile. */
static gboolean
drop (StasisDriver *driver, const StasisClonesSaved *saved, gboolean force, GError **error)
{
  g_autoptr (StasisHold) hold
      = saved->name != NULL ? stasis_hold_take (driver, saved->name, error) : NULL;
  if (saved->name != NULL && hold == NULL)
    return FALSE;
  g_autoptr (GHashTable) in_use = list_in_use (driver, error);
  if (in_use == NULL)
    return FALSE;
  if (g_hash_table_contains (in_use, saved->folder))
    return stasis_throw_refused (error, _ ("a running domain has its disks in '%s'"),
                                 saved->folder);
  return check_image (saved, force, error) && check_rests (driver, saved, error)
         && stasis_overlay_folder_remove (saved->folder, error);
}

/**
 * stasis_driver_drop_saved_clone:
 * @self: a driver
 * @uuid: of a clone that was saved
 * @force: although its image is there, or is not known
 * @error: return location
 *
 * Removes the disks that are kept for its image, which cannot be restored after that.
 * %STASIS_ERROR_REFUSED where the image is there, and in any case where other disks rest on these.
 *
 * Returns: %TRUE if they are gone
 */
gboolean
stasis_driver_drop_saved_clone (StasisDriver *self, const char *uuid, gboolean force,
                                GError **error)
{
  const StasisDriverOps *ops = stasis_driver_get_ops (self);
  if (ops != NULL)
    return ops->drop_saved_clone (self, uuid, force, error);

  g_autofree char *lower = g_ascii_strdown (uuid, -1);
  g_autofree char *folder
      = g_uuid_string_is_valid (lower) ? stasis_paths_clone (self->paths, lower) : NULL;
  g_autoptr (StasisJson) kept = folder != NULL ? read_kept (folder) : NULL;
  if (kept == NULL)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_NO_DOMAIN,
                   _ ("no disks are kept for a saved clone with the UUID '%s'"), uuid);
      return FALSE;
    }
  StasisClonesSaved *saved = look (folder, kept);
  const gboolean ok = drop (self, saved, force, error);
  saved_free (saved);
  return ok;
}
