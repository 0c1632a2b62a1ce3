/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save-target.c: whether a save image may go to a path
 */

#include "config.h"

#include "driver/save-target.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "image/reader.h"
#include "image/trailer.h"
#include "util/fd.h"
#include "util/safe-open.h"

static gboolean
refuse (GError **error, const char *path, const char *reason)
{
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED, "'%s': %s", path, reason);
  return FALSE;
}

/* libvirt's images begin with 'LibvirtQemudSave', unfinished ones with 'LibvirtQemudPart'. */
static gboolean
is_libvirt_image (int fd)
{
  char magic[16];
  return stasis_fd_pread_exact (fd, magic, sizeof magic, 0, NULL)
         && (memcmp (magic, "LibvirtQemudSave", sizeof magic) == 0
             || memcmp (magic, "LibvirtQemudPart", sizeof magic) == 0);
}

/* Somebody's photographs are not replaced by a slip of the fingers. */
static gboolean
may_replace (int fd, const char *path, guint64 size, GError **error)
{
  guint8 uuid[STASIS_UUID_SIZE];
  guint64 body_end;
  if (size == 0 || stasis_image_is_image_fd (fd) || is_libvirt_image (fd)
      || stasis_trailer_read_file (fd, path, uuid, &body_end, NULL))
    return TRUE;
  return refuse (error, path, _ ("exists and is no save image; remove it first"));
}

static gboolean
check_kind (const char *path, mode_t mode, GError **error)
{
  if (S_ISDIR (mode))
    return refuse (error, path, _ ("is a folder"));
  if (S_ISFIFO (mode))
    return refuse (error, path, _ ("is a pipe; a save image needs a regular file here"));
  if (S_ISSOCK (mode))
    return refuse (error, path, _ ("is a socket; a save image needs a regular file"));
  if (S_ISCHR (mode))
    return refuse (error, path, _ ("is a device, neither a regular file nor a FIFO"));
  if (S_ISBLK (mode))
    return refuse (error, path, _ ("is a block device; a save image needs a regular file"));
  return TRUE;
}

/* What is there under the name, in @target. */
static gboolean
look (StasisSaveTarget *target, const char *name, GError **error)
{
  struct stat st;
  if (fstatat (target->folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
    return errno == ENOENT || stasis_throw_errno (error, "'%s'", target->path);
  if (!check_kind (target->path, st.st_mode, error))
    return FALSE;

  stasis_autofd int fd
      = openat (target->folder, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 || fstat (fd, &st) < 0)
    return stasis_throw_errno (error, _ ("cannot open '%s'"), target->path);
  target->seen = (StasisFileId){ st.st_dev, st.st_ino };
  return check_kind (target->path, st.st_mode, error)
         && may_replace (fd, target->path, (guint64) st.st_size, error);
}

static StasisSaveTarget *
open_place (const char *path, GError **error)
{
  g_autofree char *name = NULL;
  g_autoptr (StasisSaveTarget) target = g_new0 (StasisSaveTarget, 1);
  target->folder = stasis_safe_open_place (path, &name, error);
  if (target->folder < 0)
    return NULL;
  g_autofree char *folder = stasis_safe_folder_path (target->folder);
  if (folder == NULL)
    {
      stasis_throw_errno (error, "'%s'", path);
      return NULL;
    }
  target->path = g_build_filename (folder, name, NULL);
  return look (target, name, error) ? g_steal_pointer (&target) : NULL;
}

/* Look at the place, and touch nothing. */
StasisSaveTarget *
stasis_save_target_new (const char *path, GError **error)
{
  g_autofree char *plain = g_strdup (path);
  for (gsize end = strlen (plain); end > 1 && plain[end - 1] == '/'; end--)
    plain[end - 1] = '\0';

  struct stat st;
  const gboolean leads_nowhere = stat (plain, &st) < 0;
  /* Of a pipe behind /proc/self/fd there is no other path. */
  if (!leads_nowhere && !check_kind (plain, st.st_mode, error))
    return NULL;
  if (leads_nowhere && lstat (plain, &st) == 0)
    {
      refuse (error, plain, _ ("is a symbolic link that leads nowhere"));
      return NULL;
    }
  return open_place (plain, error);
}

/* NULL is fine. */
void
stasis_save_target_free (StasisSaveTarget *target)
{
  if (target == NULL)
    return;

  stasis_fd_clear (&target->folder);
  g_free (target->path);
  g_free (target);
}

/* Begin the new image. */
StasisAtomicFile *
stasis_save_target_begin (const StasisSaveTarget *target, GError **error)
{
  return stasis_atomic_file_begin_in (target->folder, target->path, &target->seen, 0600, error);
}
