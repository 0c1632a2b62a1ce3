/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * overlays.c: what clones write instead of the disks of their image
 *
 * Theory of operation
 *
 * An empty qcow2 file on top of a disk (overlay-file.c) is the same for all clones, so it is made
 * once, and each clone gets a copy.
 *
 * The firmware's variables are a copy: QEMU writes all of them anew when the guest goes on.
 *
 * The status file of a clone names the folder before there is one.  So a folder that no status
 * names, and no image (overlay-folder.h), is of a clone that has gone with the host.
 */

#include "config.h"

#include "driver/overlays.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/command-private.h"
#include "driver/overlay-file.h"
#include "driver/overlay-folder.h"
#include "driver/registry.h"
#include "driver/status.h"
#include "util/fd.h"
#include "util/safe-open.h"

/* A file, as each clone gets it. */
typedef struct
{
  char *name;     /* (owned) in the folder */
  GBytes *octets; /* (owned) */
} Overlay;

struct _StasisOverlays
{
  GPtrArray *files; /* (owned) of Overlay */
  gboolean has_nvram;
};

static void
overlay_free (gpointer data)
{
  Overlay *overlay = data;
  g_free (overlay->name);
  g_bytes_unref (overlay->octets);
  g_free (overlay);
}

/* NULL is fine. */
void
stasis_overlays_free (StasisOverlays *self)
{
  if (self == NULL)
    return;

  g_ptr_array_unref (self->files);
  g_free (self);
}

/* What is not there, or empty to the guest, is not written to. */
gboolean
stasis_overlays_wanted (const StasisDiskDef *disk)
{
  return stasis_command_has_medium (disk) && !disk->readonly
         && disk->device != STASIS_DISK_DEVICE_CDROM;
}

static char *
file_name (const StasisDiskDef *disk)
{
  return g_strconcat (disk->target, STASIS_OVERLAY_SUFFIX, NULL);
}

static void
add (StasisOverlays *self, char *name_take, GBytes *octets_take)
{
  Overlay *overlay = g_new0 (Overlay, 1);
  overlay->name = name_take;
  overlay->octets = octets_take;
  g_ptr_array_add (self->files, overlay);
}

static gboolean
add_disk (StasisOverlays *self, const StasisDiskDef *disk, GCancellable *cancellable,
          GError **error)
{
  if (!stasis_overlays_wanted (disk))
    return TRUE;
  g_autoptr (GError) local = NULL;
  GBytes *octets = stasis_overlay_file_empty (disk, cancellable, &local);
  if (octets == NULL)
    {
      g_propagate_prefixed_error (error, g_steal_pointer (&local), _ ("disk '%s': "), disk->target);
      return FALSE;
    }
  add (self, file_name (disk), octets);
  return TRUE;
}

/* Variables that are not there yet come from their template. */
static gboolean
add_nvram (StasisOverlays *self, const StasisOsDef *os, GError **error)
{
  self->has_nvram = stasis_command_has_nvram (os);
  if (!self->has_nvram || !g_file_test (os->nvram, G_FILE_TEST_EXISTS))
    return TRUE;
  stasis_autofd int fd = stasis_safe_open (os->nvram, O_RDONLY | O_NONBLOCK, error);
  GBytes *octets = fd >= 0 ? stasis_overlay_file_read (fd, os->nvram, error) : NULL;
  if (octets == NULL)
    return FALSE;
  add (self, g_strdup (STASIS_OVERLAY_NVRAM), octets);
  return TRUE;
}

/* What each clone starts with. */
StasisOverlays *
stasis_overlays_new (const StasisDomainDef *def, GCancellable *cancellable, GError **error)
{
  g_autoptr (StasisOverlays) self = g_new0 (StasisOverlays, 1);
  self->files = g_ptr_array_new_with_free_func (overlay_free);
  for (guint i = 0; i < def->disks->len; i++)
    if (!add_disk (self, g_ptr_array_index (def->disks, i), cancellable, error))
      return NULL;
  return add_nvram (self, &def->os, error) ? g_steal_pointer (&self) : NULL;
}

gboolean
stasis_overlays_are_needed (const StasisOverlays *self)
{
  return self->files->len > 0 || self->has_nvram;
}

static gboolean
write_one (const Overlay *overlay, const char *folder, GError **error)
{
  g_autofree char *path = g_build_filename (folder, overlay->name, NULL);
  stasis_autofd int fd
      = stasis_fd_open (path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600, error);
  gsize size = 0;
  const void *octets = g_bytes_get_data (overlay->octets, &size);
  return fd >= 0 && stasis_fd_write_exact (fd, octets, size, error);
}

/* Put them into a folder of the clone's own. */
gboolean
stasis_overlays_make (const StasisOverlays *self, const char *folder, GError **error)
{
  if (!stasis_paths_make (folder, error))
    return FALSE;
  for (guint i = 0; i < self->files->len; i++)
    if (!write_one (g_ptr_array_index (self->files, i), folder, error))
      {
        g_prefix_error (error, "'%s': ", folder);
        return FALSE;
      }
  return TRUE;
}

/* Let them be the disks. */
void
stasis_overlays_put (StasisDomainDef *def, const char *folder)
{
  for (guint i = 0; i < def->disks->len; i++)
    {
      StasisDiskDef *disk = g_ptr_array_index (def->disks, i);
      if (!stasis_overlays_wanted (disk))
        continue;
      g_autofree char *name = file_name (disk);
      g_free (disk->source);
      disk->source = g_build_filename (folder, name, NULL);
      disk->format = STASIS_DISK_FORMAT_QCOW2;
      g_clear_pointer (&disk->backing_store, g_free);
    }
  if (!stasis_command_has_nvram (&def->os))
    return;
  g_free (def->os.nvram);
  def->os.nvram = g_build_filename (folder, STASIS_OVERLAY_NVRAM, NULL);
}

static gboolean
lies_in (const char *path, const char *folder)
{
  g_autofree char *parent = path != NULL ? g_path_get_dirname (path) : NULL;
  return g_strcmp0 (parent, folder) == 0;
}

/* Those of a clone are known by where they lie. */
char *
stasis_overlays_of (const StasisPaths *paths, const StasisDomainDef *def)
{
  g_autofree char *folder = stasis_paths_clone (paths, def->uuid);
  gboolean is_there = lies_in (def->os.nvram, folder);
  for (guint i = 0; i < def->disks->len && !is_there; i++)
    is_there = lies_in (((StasisDiskDef *) g_ptr_array_index (def->disks, i))->source, folder);
  return is_there ? g_steal_pointer (&folder) : NULL;
}

/* The folders that running domains have. */
GHashTable *
stasis_overlays_in_use (StasisDriver *driver)
{
  g_autoptr (GPtrArray) names = stasis_registry_running_names (driver, NULL);
  g_autoptr (GHashTable) folders = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (guint i = 0; names != NULL && i < names->len; i++)
    {
      g_autofree char *folder
          = stasis_paths_domain (driver->paths, g_ptr_array_index (names, i), NULL);
      g_autoptr (GError) error = NULL;
      g_autoptr (StasisStatus) status = stasis_status_read (folder, &error);
      if (status == NULL && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
        return NULL;
      if (status != NULL && status->overlays != NULL)
        g_hash_table_add (folders, g_strdup (status->overlays));
    }
  return names != NULL ? g_steal_pointer (&folders) : NULL;
}

/* The folders are listed before those in use: what is made meanwhile is not looked at. */
void
stasis_overlays_sweep (StasisDriver *driver)
{
  g_autofree char *clones = stasis_paths_clones (driver->paths);
  g_autoptr (GPtrArray) names = stasis_paths_names (clones, "", NULL);
  g_autoptr (GHashTable) in_use
      = names != NULL && names->len > 0 ? stasis_overlays_in_use (driver) : NULL;
  for (guint i = 0; in_use != NULL && i < names->len; i++)
    {
      g_autofree char *folder = g_build_filename (clones, g_ptr_array_index (names, i), NULL);
      g_autoptr (GError) error = NULL;
      if (!g_hash_table_contains (in_use, folder) && !stasis_overlay_folder_is_kept (folder)
          && !stasis_overlay_folder_remove (folder, &error))
        g_debug ("%s", error->message);
    }
}
