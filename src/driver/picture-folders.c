/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * picture-folders.c: hearing what happens in the state directory
 *
 * Theory of operation
 *
 * The kernel queues what happens in a folder (inotify) before the system call that did it returns:
 * whoever takes all that is queued knows of everything that is over.  That does not hold where
 * another host does it, so on file systems that several can have the picture says nothing for
 * certain; where the queue overflows everything is looked at once more, and so it is where a
 * folder itself was replaced, of which the folder above it tells.  Watch first, then look: what
 * comes in between is seen twice, not missed.
 *
 * A mount over a folder is none of what happens in it.  Of mounts the kernel tells by the list of
 * them (proc(5), mountinfo), to one poll each: an outer set that polls for us would take that away.
 * So it is asked before each answer, and whether a folder is another one by then.
 */

#include "config.h"

#include "driver/picture-private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/registry.h"
#include "util/fd.h"

#define MOUNTS      "/proc/self/mountinfo"
#define FOLDER_MASK (IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
#define ENTRY_MASK  (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)
#define FILE_MASK   (IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB)

static const struct
{
  StasisPictureFolder above; /* itself: it is one of the driver's own */
  const char *name;
  guint32 mask;
} folders[] = {
  [STASIS_PICTURE_CONFIG] = { STASIS_PICTURE_CONFIG, NULL, ENTRY_MASK },
  [STASIS_PICTURE_LIB] = { STASIS_PICTURE_LIB, NULL, ENTRY_MASK },
  [STASIS_PICTURE_RUN] = { STASIS_PICTURE_RUN, NULL, ENTRY_MASK },
  [STASIS_PICTURE_DEFINITIONS] = { STASIS_PICTURE_CONFIG, "domains", ENTRY_MASK | FILE_MASK },
  [STASIS_PICTURE_AUTOSTART] = { STASIS_PICTURE_CONFIG, "autostart", ENTRY_MASK },
  [STASIS_PICTURE_AUTOSTART_ONCE] = { STASIS_PICTURE_CONFIG, "autostart-once", ENTRY_MASK },
  [STASIS_PICTURE_SAVE] = { STASIS_PICTURE_LIB, "save", ENTRY_MASK },
  [STASIS_PICTURE_LAST] = { STASIS_PICTURE_LIB, "last", ENTRY_MASK | FILE_MASK },
  [STASIS_PICTURE_RUNS] = { STASIS_PICTURE_RUN, "domains", ENTRY_MASK },
};

/* Of one host only; <linux/magic.h> and the file systems' own headers have these numbers. */
static const gulong local_types[] = {
  0xEF53 /* ext2, 3, 4 */, 0x58465342 /* xfs */,      0x9123683E /* btrfs */,
  0x01021994 /* tmpfs */,  0x858458F6 /* ramfs */,    0xF2F52010 /* f2fs */,
  0x2FC12FC1 /* zfs */,    0xCA451A4E /* bcachefs */, 0x794C7630 /* overlay */,
  0x3153464A /* jfs */,    0x52654973 /* reiserfs */,
};

static gboolean
is_local (const char *path)
{
  struct statfs fs;
  if (statfs (path, &fs) < 0)
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (local_types); i++)
    if ((gulong) fs.f_type == local_types[i])
      return TRUE;
  return FALSE;
}

static char *
folder_path (const StasisPicture *self, StasisPictureFolder which)
{
  const char *const roots[] = { self->paths->config, self->paths->lib, self->paths->run };
  return g_build_filename (roots[folders[which].above], folders[which].name, NULL);
}

static StasisFileId
get_id (const char *path)
{
  struct stat st;
  return stat (path, &st) == 0 ? (StasisFileId){ st.st_dev, st.st_ino } : (StasisFileId){ 0 };
}

/* A folder that is not there and cannot be made is empty, and the one above it tells when it comes.
 * Which one it is comes first: one that is mounted over it after that is another one than was seen.
 */
static gboolean
watch_folder (StasisPicture *self, StasisPictureFolder which, GError **error)
{
  g_autofree char *path = folder_path (self, which);
  const int before = self->folders[which];
  self->folder_ids[which] = get_id (path);
  self->folders[which] = inotify_add_watch (self->inotify, path, folders[which].mask | FOLDER_MASK);
  const int why = errno;
  if (before >= 0 && before != self->folders[which])
    inotify_rm_watch (self->inotify, before);
  errno = why;
  if (self->folders[which] < 0 && (errno != ENOENT || folders[which].above == which))
    return stasis_throw_errno (error, _ ("cannot watch '%s'"), path);
  self->is_blind |= self->folders[which] >= 0 && !is_local (path);
  return TRUE;
}

static void
make_folders (const StasisPicture *self)
{
  for (guint i = 0; i < G_N_ELEMENTS (folders); i++)
    {
      g_autofree char *path = folder_path (self, i);
      g_autoptr (GError) local = NULL;
      if (!stasis_paths_make (path, &local))
        g_debug ("%s", local->message);
    }
}

static gboolean
watch_folders (StasisPicture *self, GError **error)
{
  self->is_blind = FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (folders); i++)
    if (!watch_folder (self, i, error))
      {
        self->is_blind = TRUE;
        return FALSE;
      }
  return TRUE;
}

static GHashTable *
as_set (const GPtrArray *names)
{
  GHashTable *set = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint i = 0; i < names->len; i++)
    g_hash_table_add (set, g_ptr_array_index (names, i));
  return set;
}

/* (element-type utf8) (transfer full): copies, for domains go on the way. */
static GPtrArray *
known_names (const StasisPicture *self)
{
  GPtrArray *names = g_ptr_array_new_with_free_func (g_free);
  GHashTableIter iter;
  gpointer name;
  g_hash_table_iter_init (&iter, self->domains);
  while (g_hash_table_iter_next (&iter, &name, NULL))
    g_ptr_array_add (names, g_strdup (name));
  return names;
}

/* Whether it was touched since its stamp was taken; it may have been within the same tick, too. */
static void
look_definition (StasisPicture *self, const char *name, gboolean is_first)
{
  g_autofree char *path = stasis_paths_definition (self->paths, name);
  const StasisPictureDomain *domain = stasis_picture_find (self, name);
  StasisPictureStamp now;
  const gboolean is_same = domain != NULL && domain->is_persistent
                           && stasis_picture_stamp (path, &now)
                           && stasis_picture_stamp_equal (&now, &domain->definition);
  stasis_picture_look_definition (self, name,
                                  is_first  ? STASIS_PICTURE_WAS_THERE
                                  : is_same ? STASIS_PICTURE_WRITTEN
                                            : STASIS_PICTURE_REPLACED);
}

static gboolean
look_definitions (StasisPicture *self, gboolean is_first, GError **error)
{
  g_autoptr (GPtrArray) names = stasis_registry_names (self->driver, error);
  if (names == NULL)
    return FALSE;
  for (guint i = 0; i < names->len; i++)
    look_definition (self, g_ptr_array_index (names, i), is_first);
  g_autoptr (GHashTable) there = as_set (names);
  g_autoptr (GPtrArray) known = known_names (self);
  for (guint i = 0; i < known->len; i++)
    if (!g_hash_table_contains (there, g_ptr_array_index (known, i)))
      stasis_picture_look_definition (self, g_ptr_array_index (known, i), STASIS_PICTURE_WRITTEN);
  return TRUE;
}

static gboolean
look_runs (StasisPicture *self, gboolean is_first, GError **error)
{
  g_autoptr (GPtrArray) names = stasis_registry_running_names (self->driver, error);
  if (names == NULL)
    return FALSE;
  g_autoptr (GHashTable) there = as_set (names);
  g_autoptr (GPtrArray) known = known_names (self);
  for (guint i = 0; i < known->len; i++)
    {
      const char *name = g_ptr_array_index (known, i);
      if (g_hash_table_contains (there, name))
        stasis_picture_look_run (self, name);
      else
        stasis_picture_end_run (self, name);
    }
  for (guint i = 0; i < names->len; i++)
    stasis_picture_begin_run (self, g_ptr_array_index (names, i), is_first);
  return TRUE;
}

/* Look at all once more. */
gboolean
stasis_picture_look_anew (StasisPicture *self, gboolean is_first, GError **error)
{
  self->again_us = 0;
  if (!watch_folders (self, error) || !look_definitions (self, is_first, error)
      || !look_runs (self, is_first, error))
    {
      self->is_blind = TRUE;
      self->again_us = g_get_monotonic_time () + G_USEC_PER_SEC;
      return FALSE;
    }
  GHashTableIter iter;
  gpointer domain;
  g_hash_table_iter_init (&iter, self->domains);
  while (g_hash_table_iter_next (&iter, NULL, &domain))
    {
      stasis_picture_look_marks (self, domain);
      ((StasisPictureDomain *) domain)->last_reason = NULL;
    }
  return TRUE;
}

static void
look_anew (StasisPicture *self)
{
  g_autoptr (GError) error = NULL;
  if (!stasis_picture_look_anew (self, FALSE, &error))
    g_debug ("%s", error->message);
}

static gboolean
is_same_folder (const StasisPicture *self, StasisPictureFolder which)
{
  g_autofree char *path = folder_path (self, which);
  const StasisFileId now = get_id (path);
  return now.device == self->folder_ids[which].device && now.inode == self->folder_ids[which].inode;
}

/* Of mounts elsewhere there may be many. */
void
stasis_picture_look_at_mounts (StasisPicture *self)
{
  struct pollfd one = { .fd = self->mounts, .events = POLLPRI };
  if (self->mounts < 0 || poll (&one, 1, 0) <= 0)
    return;
  for (guint i = 0; i < G_N_ELEMENTS (folders); i++)
    if (!is_same_folder (self, i))
      {
        look_anew (self);
        return;
      }
}

/* (transfer full) (nullable): the name of the domain that a file is of. */
static char *
name_of (const char *file, const char *suffix)
{
  if (*file == '.' || !g_str_has_suffix (file, suffix))
    return NULL;
  return g_strndup (file, strlen (file) - strlen (suffix));
}

static void
definition_changed (StasisPicture *self, const struct inotify_event *event)
{
  g_autofree char *name = name_of (event->name, STASIS_PICTURE_XML);
  if (name == NULL)
    return;
  stasis_picture_look_definition (self, name,
                                  (event->mask & IN_MOVED_TO) != 0      ? STASIS_PICTURE_REPLACED
                                  : (event->mask & IN_CLOSE_WRITE) != 0 ? STASIS_PICTURE_WRITTEN
                                                                        : STASIS_PICTURE_HALF_WAY);
}

static void
mark_changed (StasisPicture *self, const struct inotify_event *event, const char *suffix)
{
  g_autofree char *name = name_of (event->name, suffix);
  StasisPictureDomain *domain = name != NULL ? stasis_picture_find (self, name) : NULL;
  if (domain != NULL)
    stasis_picture_look_marks (self, domain);
}

static void
last_changed (StasisPicture *self, const struct inotify_event *event)
{
  g_autofree char *name = name_of (event->name, STASIS_PICTURE_JSON);
  StasisPictureDomain *domain = name != NULL ? stasis_picture_find (self, name) : NULL;
  if (domain != NULL)
    domain->last_reason = NULL;
}

/* A folder of ours that is another one now. */
static gboolean
is_folder_of (StasisPictureFolder root, const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS (folders); i++)
    if (folders[i].above == root && g_strcmp0 (folders[i].name, name) == 0)
      return TRUE;
  return FALSE;
}

static void
entry_changed (StasisPicture *self, StasisPictureFolder which, const struct inotify_event *event)
{
  switch (which)
    {
    case STASIS_PICTURE_DEFINITIONS:
      definition_changed (self, event);
      break;
    case STASIS_PICTURE_AUTOSTART:
    case STASIS_PICTURE_AUTOSTART_ONCE:
      mark_changed (self, event, STASIS_PICTURE_XML);
      break;
    case STASIS_PICTURE_SAVE:
      mark_changed (self, event, STASIS_PICTURE_IMAGE);
      break;
    case STASIS_PICTURE_LAST:
      last_changed (self, event);
      break;
    case STASIS_PICTURE_RUNS:
      if ((event->mask & (IN_CREATE | IN_MOVED_TO)) != 0)
        stasis_picture_begin_run (self, event->name, FALSE);
      else
        stasis_picture_end_run (self, event->name);
      break;
    default:
      if (is_folder_of (which, event->name))
        look_anew (self);
    }
}

static void
take_event (StasisPicture *self, const struct inotify_event *event)
{
  if ((event->mask & IN_Q_OVERFLOW) != 0)
    {
      look_anew (self);
      return;
    }
  for (guint i = 0; i < G_N_ELEMENTS (folders); i++)
    if (self->folders[i] == event->wd)
      {
        if (event->len > 0)
          entry_changed (self, i, event);
        else if ((event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) != 0)
          look_anew (self);
        return;
      }
  StasisPictureRun *run = g_hash_table_lookup (self->runs, GINT_TO_POINTER (event->wd));
  if (run != NULL && event->len > 0)
    stasis_picture_run_changed (run, event->mask, event->name);
}

static void
on_changed (gpointer data)
{
  StasisPicture *self = data;
  union
  {
    struct inotify_event event;
    char octets[16 * 1024];
  } buffer;
  const ssize_t length = read (self->inotify, buffer.octets, sizeof buffer.octets);
  ssize_t position = 0;
  while (position < length)
    {
      const struct inotify_event *event
          = (const struct inotify_event *) (const void *) (buffer.octets + position);
      take_event (self, event);
      position += (ssize_t) (sizeof *event + event->len);
    }
}

/* Begin to watch. */
gboolean
stasis_picture_open_folders (StasisPicture *self, GError **error)
{
  for (guint i = 0; i < G_N_ELEMENTS (folders); i++)
    self->folders[i] = -1;
  self->changed = (StasisReady){ on_changed, self };
  self->inotify = inotify_init1 (IN_CLOEXEC | IN_NONBLOCK);
  if (self->inotify < 0)
    return stasis_throw_errno (error, _ ("cannot watch the state directory"));
  self->mounts = open (MOUNTS, O_RDONLY | O_CLOEXEC);
  /* Only now: one that is not there later may be about to be replaced. */
  make_folders (self);
  return stasis_ready_set_add (self->set, self->inotify, &self->changed, error)
         && stasis_picture_look_anew (self, TRUE, error);
}
