/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory-image.c: a save image that a guest's memory is mapped from
 *
 * Pages that the guest has not written come from the file as long as it runs, so nobody may write
 * to the file meanwhile.  Nothing of ours ever writes to a complete image in place: each is
 * replaced by rename, or unlinked, and the guest keeps the old inode.  To tell others there is a
 * shared lock, by open file description, on the descriptor that QEMU inherits.  Nobody has to keep
 * it: it is there before QEMU is and goes with it, whatever becomes of drivers and supervisors.
 *
 * A lock of an open file description can be taken back by whoever has that description.  So QEMU's
 * descriptors of the image are borrowed (pidfd_getfd(2), to which the kernel agrees as it does to
 * ptrace), and unlocked: the one that it has opened itself has no lock, and does not mind.
 */

#include "config.h"

#include "driver/memory-image.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/idmap.h"
#include "util/fd.h"
#include "util/lock.h"

gboolean
stasis_memory_image_is_in_memory (int fd)
{
  struct statfs fs;
  return fstatfs (fd, &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

/* The image for a QEMU of that user.  A QEMU that maps a flat file would rather write to it, and
 * root's could: so that is on a read-only mount in any case. */
int
stasis_memory_image_open (const StasisMemoryImage *self, guint32 uid, GError **error)
{
  stasis_autofd int fd = -1;
  if (uid != geteuid () || (self->flat_of != NULL && geteuid () == 0))
    fd = stasis_idmap_open (self->fd, uid, error);
  else
    {
      g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", self->fd);
      fd = stasis_fd_open (path, O_RDONLY, 0, error);
    }
  return fd >= 0 && stasis_lock_share (fd, error) ? stasis_fd_steal (&fd) : -1;
}

/* TRUE where the path leads to that file. */
static gboolean
leads_to (const char *path, const StasisFileId *id)
{
  struct stat st;
  return g_path_is_absolute (path) && !g_str_has_prefix (path, "/dev/")
         && !g_str_has_prefix (path, "/proc/") && stat (path, &st) == 0 && st.st_dev == id->device
         && st.st_ino == id->inode;
}

/* An image that came by descriptor has a path all the same. */
char *
stasis_memory_image_path (int fd, const char *name, const StasisFileId *id)
{
  g_autofree char *link = g_strdup_printf ("/proc/self/fd/%d", fd);
  char *path = leads_to (name, id) ? NULL : g_file_read_link (link, NULL);
  return path != NULL ? path : g_strdup (name);
}

/* What dominfo shows. */
gboolean
stasis_memory_image_note (const StasisMemoryImage *self, StasisStatus *status, GError **error)
{
  if (!stasis_file_id_of_fd (self->fd, &status->memory_image_id, error))
    return FALSE;
  status->memory_image = stasis_memory_image_path (self->fd, self->name, &status->memory_image_id);
  status->memory_flat_of = g_strdup (self->flat_of);
  status->memory_check = self->check;
  status->memory_since_us = self->since_us;
  status->memory_stamp = g_strdup (self->stamp);
  return TRUE;
}

static gboolean
throw_descriptors (const StasisProcess *qemu, GError **error)
{
  if (errno != EPERM && errno != EACCES)
    return stasis_throw_errno (error, _ ("cannot look at the descriptors of QEMU (process %d)"),
                               (int) qemu->pid);
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
               _ ("the kernel does not let this process at the descriptors of QEMU (process %d; it "
                  "asks as for ptrace: see kernel.yama.ptrace_scope)"),
               (int) qemu->pid);
  return FALSE;
}

/* The next of QEMU's descriptors of the image as one of ours; -1 with errno 0: there is none. */
static int
next_descriptor (DIR *dir, int pidfd, const StasisFileId *image)
{
  const struct dirent *entry;
  while ((entry = readdir (dir)) != NULL)
    {
      struct stat st = { 0 };
      if (!g_ascii_isdigit (entry->d_name[0]))
        continue;
      if (fstatat (dirfd (dir), entry->d_name, &st, 0) < 0 && (errno == EPERM || errno == EACCES))
        return -1;
      if (st.st_dev != image->device || st.st_ino != image->inode)
        continue;
      const int fd = (int) syscall (SYS_pidfd_getfd, pidfd, atoi (entry->d_name), 0);
      /* EBADF: it was closed at this moment. */
      if (fd >= 0 || errno != EBADF)
        return fd;
    }
  errno = 0;
  return -1;
}

/* Take the lock back. */
gboolean
stasis_memory_image_unlock (const StasisProcess *qemu, const StasisFileId *image, GError **error)
{
  stasis_autofd int pidfd = stasis_process_open (qemu, error);
  if (pidfd < 0)
    return FALSE;
  g_autofree char *path = g_strdup_printf ("/proc/%d/fd", (int) qemu->pid);
  DIR *dir = opendir (path);
  if (dir == NULL)
    return throw_descriptors (qemu, error);
  gboolean ok = TRUE;
  while (ok)
    {
      stasis_autofd int fd = next_descriptor (dir, pidfd, image);
      if (fd < 0)
        {
          ok = errno == 0 || throw_descriptors (qemu, error);
          break;
        }
      ok = stasis_lock_unshare (fd, error);
    }
  closedir (dir);
  return ok;
}
