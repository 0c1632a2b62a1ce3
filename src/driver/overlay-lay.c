/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * overlay-lay.c: new overlays beside the disks that they lie on
 *
 * These are the guest's disks from then on, as a snapshot's overlays are, so they lie where people
 * look for them, and nobody removes them for being ours.
 */

#include "config.h"

#include "driver/overlay-lay.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/overlay-file.h"
#include "util/atomic-file.h"
#include "util/fault.h"
#include "util/fd.h"
#include "util/safe-open.h"

#define NUMBER_MAX 1000000000u
#define INFIX      ".overlay-"
#define SUFFIX     ".qcow2"

static void
cut_suffix (char *name, const char *suffix)
{
  const gsize length = strlen (name);
  const gsize n = strlen (suffix);
  if (length > n && g_str_has_suffix (name, suffix))
    name[length - n] = '\0';
}

/* Without what tells the format, or an earlier overlay. */
static char *
stem_of (const char *disk)
{
  static const char *const suffixes[] = { ".qcow2", ".raw", ".img" };
  char *stem = g_path_get_basename (disk);
  for (gsize i = 0; i < G_N_ELEMENTS (suffixes); i++)
    cut_suffix (stem, suffixes[i]);
  char *infix = g_strrstr (stem, INFIX);
  if (infix != NULL && infix != stem && infix[strlen (INFIX)] != '\0'
      && infix[strlen (INFIX) + strspn (infix + strlen (INFIX), "0123456789")] == '\0')
    *infix = '\0';
  return stem;
}

/* The number in the name of an overlay of that stem, or 0. */
static guint64
number_of (const char *path, const char *stem)
{
  g_autofree char *name = g_path_get_basename (path);
  g_autofree char *prefix = g_strconcat (stem, INFIX, NULL);
  guint64 number;
  cut_suffix (name, SUFFIX);
  return g_str_has_prefix (name, prefix)
                 && g_ascii_string_to_unsigned (name + strlen (prefix), 10, 1, NUMBER_MAX, &number,
                                                NULL)
             ? number
             : 0;
}

/* Beyond all that are there, and those that are to be: an image may know one that was removed. */
char *
stasis_overlay_name (const char *disk, const GPtrArray *overlays)
{
  g_autofree char *folder = g_path_get_dirname (disk);
  g_autofree char *stem = stem_of (disk);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  guint64 last = number_of (disk, stem);
  const char *entry;
  while (dir != NULL && (entry = g_dir_read_name (dir)) != NULL)
    last = MAX (last, number_of (entry, stem));
  for (guint i = 0; i < overlays->len; i++)
    last = MAX (
        last,
        number_of (((const StasisJournalOverlay *) g_ptr_array_index (overlays, i))->path, stem));
  g_autofree char *name = g_strdup_printf ("%s" INFIX "%" G_GUINT64_FORMAT SUFFIX, stem, last + 1);
  return g_build_filename (folder, name, NULL);
}

/* Whoever may read and write the disk may do so with what lies on it. */
static gboolean
take_owner (int fd, const char *disk, GError **error)
{
  stasis_autofd int its = stasis_safe_open (disk, O_RDONLY | O_NONBLOCK, error);
  struct stat st;
  if (its < 0)
    return FALSE;
  if (fstat (its, &st) < 0)
    return stasis_throw_errno (error, "'%s'", disk);
  if (fchmod (fd, st.st_mode & 0777) < 0)
    return stasis_throw_errno (error, _ ("cannot set the mode of an overlay of '%s'"), disk);
  if (geteuid () == 0 && fchown (fd, st.st_uid, st.st_gid) < 0)
    return stasis_throw_errno (error, _ ("cannot set the owner of an overlay of '%s'"), disk);
  return TRUE;
}

static gboolean
note (int fd, const StasisAtomicFile *file, char *path_take, GPtrArray *overlays, GError **error)
{
  StasisJournalOverlay *overlay = g_new0 (StasisJournalOverlay, 1);
  overlay->path = path_take;
  overlay->temp = g_strdup (stasis_atomic_file_temp_path (file));
  overlay->fdset = -1;
  g_ptr_array_add (overlays, overlay);
  struct stat st;
  if (fstat (fd, &st) < 0)
    return stasis_throw_errno (error, "'%s'", overlay->path);
  overlay->mtime_ns
      = (gint64) st.st_mtim.tv_sec * G_GINT64_CONSTANT (1000000000) + st.st_mtim.tv_nsec;
  return stasis_file_id_of_fd (fd, &overlay->file, error);
}

/* A complete file without a name, which is noted. */
static StasisAtomicFile *
make_one (const StasisDiskDef *disk, GPtrArray *overlays, GCancellable *cancellable, GError **error)
{
  const StasisFileId nobody = { 0 };
  g_autoptr (GBytes) octets = stasis_overlay_file_empty (disk, cancellable, error);
  if (octets == NULL)
    return NULL;
  g_autofree char *path = stasis_overlay_name (disk->source, overlays);
  g_autofree char *name = NULL;
  stasis_autofd int folder = stasis_safe_open_folder (path, &name, error);
  g_autoptr (StasisAtomicFile) file
      = folder >= 0 ? stasis_atomic_file_begin_in (folder, path, &nobody, 0600, error) : NULL;
  if (file == NULL)
    return NULL;
  const int fd = stasis_atomic_file_fd (file);
  gsize size;
  const void *data = g_bytes_get_data (octets, &size);
  if (!stasis_fd_write_exact (fd, data, size, error) || !take_owner (fd, disk->source, error)
      || !note (fd, file, g_steal_pointer (&path), overlays, error))
    return NULL;
  return g_steal_pointer (&file);
}

static void
free_file (gpointer file)
{
  stasis_atomic_file_free (file);
}

/* All without names first, then the note, then the names. */
gboolean
stasis_overlay_lay (StasisHold *hold, const GPtrArray *disks, GCancellable *cancellable,
                    GError **error)
{
  StasisJournal *journal = &hold->status->journal;
  g_autoptr (GPtrArray) files = g_ptr_array_new_with_free_func (free_file);
  journal->overlays = stasis_journal_overlays_new ();
  for (guint i = 0; i < disks->len; i++)
    {
      const StasisDiskDef *disk = g_ptr_array_index (disks, i);
      StasisAtomicFile *file = make_one (disk, journal->overlays, cancellable, error);
      if (file == NULL)
        {
          g_prefix_error (error, _ ("disk '%s': "), disk->target);
          return FALSE;
        }
      g_ptr_array_add (files, file);
    }
  if (!stasis_hold_write (hold, error) || !stasis_fault ("overlays-noted", error))
    return FALSE;
  for (guint i = 0; i < files->len; i++)
    if (!stasis_atomic_file_commit (g_ptr_array_index (files, i), NULL, error))
      return FALSE;
  return stasis_fault ("overlays-made", error);
}

/* The disk is that file. */
void
stasis_overlay_use (StasisDiskDef *disk, const char *path)
{
  g_free (disk->source);
  disk->source = g_strdup (path);
  disk->type = STASIS_DISK_TYPE_FILE;
  disk->format = STASIS_DISK_FORMAT_QCOW2;
  g_clear_pointer (&disk->backing_store, g_free);
}
