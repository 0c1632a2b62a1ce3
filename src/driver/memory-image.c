/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory-image.c: a save image that a guest's memory is mapped from
 *
 * Pages that the guest has not written come from the file as long as it runs, so nobody may write
 * to the file meanwhile.  Nothing of ours ever writes to a complete image in place: each is
 * replaced by rename, or unlinked, and the guest keeps the old inode.  To tell others there is a
 * shared lock, by open file description, on the descriptor that QEMU inherits.  Nobody has to keep
 * it: it is there before QEMU is and goes with it, whatever becomes of drivers and supervisors.
 */

#include "config.h"

#include "driver/memory-image.h"

#include <fcntl.h>
#include <unistd.h>

#include "driver/idmap.h"
#include "util/fd.h"
#include "util/lock.h"

/* The image for a QEMU of that user. */
int
stasis_memory_image_open (const StasisMemoryImage *self, guint32 uid, GError **error)
{
  stasis_autofd int fd = -1;
  if (uid != geteuid ())
    fd = stasis_idmap_open (self->fd, uid, error);
  else
    {
      g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", self->fd);
      fd = stasis_fd_open (path, O_RDONLY, 0, error);
    }
  return fd >= 0 && stasis_lock_share (fd, error) ? stasis_fd_steal (&fd) : -1;
}

/* What dominfo shows: an image that came by descriptor has a path all the same. */
gboolean
stasis_memory_image_note (const StasisMemoryImage *self, StasisStatus *status, GError **error)
{
  if (!stasis_file_id_of_fd (self->fd, &status->memory_image_id, error))
    return FALSE;
  g_autofree char *link = g_strdup_printf ("/proc/self/fd/%d", self->fd);
  status->memory_image
      = g_path_is_absolute (self->name) ? g_strdup (self->name) : g_file_read_link (link, NULL);
  if (status->memory_image == NULL)
    status->memory_image = g_strdup (self->name);
  status->memory_check = self->check;
  status->memory_stamp = g_strdup (self->stamp);
  return TRUE;
}
