/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * resource-open.c: opening what a domain needs of the host, and handing it to QEMU
 *
 * QEMU runs as a user that may open next to nothing, so everything comes by descriptor, opened
 * with just the access that QEMU will ask its fd set for (it compares access mode and O_DIRECT
 * with what it would have opened).
 *
 * Opening never waits: a definition may name a pipe that nobody has at its other end.  So all is
 * opened with O_NONBLOCK, looked at, and made an ordinary descriptor again.
 *
 * Folders of these paths may belong to others, whose links are not followed (util/safe-open.h).
 */

#include "config.h"

#include "driver/resource-open.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/disk-chain.h"
#include "driver/tap.h"
#include "util/fd.h"
#include "util/safe-open.h"

#define BLOB_SIZE_MAX (G_GUINT64_CONSTANT (1) << 30) /* octets of a kernel or initrd */

typedef struct
{
  const StasisResourceUser *user;
  const StasisResourceTaker *taker;
  gint64 next_set;
} Opening;

/* Hand over; an fd set is numbered from 1. */
static gboolean
hand_over (Opening *opening, StasisResource *resource, int fd, gboolean in_set)
{
  if (fd < 0)
    return FALSE;
  resource->fd = opening->taker->take (fd, opening->taker->data);
  resource->fdset = in_set ? opening->next_set++ : -1;
  return TRUE;
}

/* What was opened without waiting may wait from now on. */
static gboolean
clear_nonblock (int fd, const char *path, GError **error)
{
  const int flags = fcntl (fd, F_GETFL);
  if (flags >= 0 && fcntl (fd, F_SETFL, flags & ~O_NONBLOCK) == 0)
    return TRUE;
  return stasis_throw_errno (error, "'%s'", path);
}

/* A file or a device that is there. */
static gboolean
open_file (Opening *opening, StasisResource *resource, int flags, GError **error)
{
  if (resource->direct)
    flags |= O_DIRECT;
  stasis_autofd int fd = stasis_safe_open (resource->path, flags | O_NONBLOCK, error);
  struct stat st;
  if (fd < 0)
    return FALSE;
  if (fstat (fd, &st) < 0)
    return stasis_throw_errno (error, "'%s'", resource->path);
  if (!S_ISREG (st.st_mode) && !S_ISBLK (st.st_mode) && !S_ISCHR (st.st_mode))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_REGULAR_FILE,
                   _ ("'%s' is neither a regular file nor a device"), resource->path);
      return FALSE;
    }
  return clear_nonblock (fd, resource->path, error)
         && hand_over (opening, resource, stasis_fd_steal (&fd), TRUE);
}

static gboolean
is_block_device (const char *path)
{
  struct stat st;
  return stat (path, &st) == 0 && S_ISBLK (st.st_mode);
}

/* A disk and everything below it.  Backing files are shared: read-only. */
static gboolean
open_disk (Opening *opening, StasisResource *resource, GError **error)
{
  if (!open_file (opening, resource, resource->readonly ? O_RDONLY : O_RDWR, error))
    return FALSE;
  g_autoptr (GPtrArray) chain = stasis_disk_chain_read (
      resource->path, resource->format != NULL ? resource->format : "raw", error);
  if (chain == NULL)
    return FALSE;

  for (guint i = 0; i < chain->len; i++)
    {
      const StasisDiskLink *link = g_ptr_array_index (chain, i);
      StasisResource *below = stasis_resource_new (STASIS_RESOURCE_DISK, resource->key, link->path);
      below->readonly = TRUE;
      below->direct = resource->direct;
      below->format = g_strdup (link->format);
      g_ptr_array_add (resource->backing, below);
      below->is_block = is_block_device (link->path);
      if (!open_file (opening, below, O_RDONLY, error))
        return FALSE;
    }
  return TRUE;
}

/* A copy in memory that anybody can open through /proc. */
static int
copy_to_memory (int from, const char *path, guint64 size, GError **error)
{
  stasis_autofd int fd = memfd_create ("stasis-blob", MFD_CLOEXEC);
  if (fd < 0)
    {
      stasis_throw_errno (error, _ ("cannot make a copy of '%s'"), path);
      return -1;
    }
  off_t offset = 0;
  while ((guint64) offset < size)
    {
      const gssize n = sendfile (fd, from, &offset, (gsize) (size - (guint64) offset));
      if (n <= 0)
        {
          stasis_throw_errno (error, _ ("cannot make a copy of '%s'"), path);
          return -1;
        }
    }
  return stasis_fd_steal (&fd);
}

/* QEMU opens it a second time through /proc/self/fd, with its own rights: where those do not
 * reach, it gets a copy. */
static gboolean
open_blob (Opening *opening, StasisResource *resource, GError **error)
{
  stasis_autofd int fd = stasis_safe_open (resource->path, O_RDONLY | O_NONBLOCK, error);
  struct stat st;
  if (fd < 0)
    return FALSE;
  if (fstat (fd, &st) < 0)
    return stasis_throw_errno (error, "'%s'", resource->path);
  if (!S_ISREG (st.st_mode) || (guint64) st.st_size > BLOB_SIZE_MAX)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   _ ("'%s' is not a regular file, or too large"), resource->path);
      return FALSE;
    }
  if (!clear_nonblock (fd, resource->path, error))
    return FALSE;
  if ((st.st_mode & S_IROTH) != 0 || opening->user->uid == geteuid ())
    return hand_over (opening, resource, stasis_fd_steal (&fd), FALSE);
  return hand_over (opening, resource,
                    copy_to_memory (fd, resource->path, (guint64) st.st_size, error), FALSE);
}

static gboolean
throw_output (const char *path, GError **error)
{
  if (errno == ENXIO)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   _ ("'%s' is a pipe that nobody reads, or a socket"), path);
      return FALSE;
    }
  if (errno == ELOOP)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   _ ("'%s' is a symbolic link, which output does not follow"), path);
      return FALSE;
    }
  return stasis_throw_errno (error, _ ("cannot open '%s'"), path);
}

/* Nothing is cut off, or written behind, before it is known to be a file that is nowhere else. */
static gboolean
check_output (int fd, const char *path, struct stat *out_st, GError **error)
{
  if (fstat (fd, out_st) < 0)
    return stasis_throw_errno (error, "'%s'", path);
  if (S_ISFIFO (out_st->st_mode) || S_ISCHR (out_st->st_mode))
    return TRUE;
  if (!S_ISREG (out_st->st_mode))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   _ ("'%s' is neither a regular file, a pipe nor a character device"), path);
      return FALSE;
    }
  if (out_st->st_nlink <= 1)
    return TRUE;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
               _ ("'%1$s' is a file with %2$u names (hard links), which output does not touch: "
                  "another name may be anybody's"),
               path, (guint) out_st->st_nlink);
  return FALSE;
}

/* What the guest writes: into a file, a device or a pipe. */
static gboolean
open_output (Opening *opening, StasisResource *resource, GError **error)
{
  const char *path = resource->path;
  const gboolean append = resource->append || opening->user->is_incoming;
  g_autofree char *name = NULL;
  stasis_autofd int folder = stasis_safe_open_folder (path, &name, error);
  if (folder < 0)
    return FALSE;
  stasis_autofd int fd = openat (folder, name,
                                 O_WRONLY | O_CREAT | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC
                                     | (append ? O_APPEND : 0),
                                 0600);
  struct stat st;
  if (fd < 0)
    return throw_output (path, error);
  if (!check_output (fd, path, &st, error))
    return FALSE;
  if (S_ISREG (st.st_mode) && !append && ftruncate (fd, 0) < 0)
    return stasis_throw_errno (error, _ ("cannot empty '%s'"), path);
  return clear_nonblock (fd, path, error)
         && hand_over (opening, resource, stasis_fd_steal (&fd), TRUE);
}

static gboolean
open_listener (Opening *opening, StasisResource *resource, GError **error)
{
  g_autofree char *name = NULL;
  stasis_autofd int folder = stasis_safe_open_folder (resource->path, &name, error);
  return folder >= 0
         && hand_over (opening, resource,
                       stasis_unix_listen_in (folder, name, resource->path, 1, error), FALSE);
}

static gboolean
open_tap (Opening *opening, StasisResource *resource, GError **error)
{
  g_autofree char *name = NULL;
  const int fd = stasis_tap_open (resource->path, resource->bridge, resource->mtu, &name, error);
  if (!hand_over (opening, resource, fd, FALSE))
    return FALSE;
  g_free (resource->path);
  resource->path = g_steal_pointer (&name);
  return TRUE;
}

static gboolean
open_one (Opening *opening, StasisResource *resource, GError **error)
{
  switch (resource->kind)
    {
    case STASIS_RESOURCE_DISK:
      return open_disk (opening, resource, error);
    case STASIS_RESOURCE_LOADER:
      return open_file (opening, resource, resource->readonly ? O_RDONLY : O_RDWR, error);
    case STASIS_RESOURCE_NVRAM:
      return open_file (opening, resource, O_RDWR, error);
    case STASIS_RESOURCE_BLOB:
      return open_blob (opening, resource, error);
    case STASIS_RESOURCE_OUTPUT:
      return open_output (opening, resource, error);
    case STASIS_RESOURCE_LISTEN:
      return open_listener (opening, resource, error);
    case STASIS_RESOURCE_TAP:
      return open_tap (opening, resource, error);
    case STASIS_RESOURCE_VHOST:
      hand_over (opening, resource, stasis_vhost_open (), FALSE);
      return TRUE;
    }
  g_assert_not_reached ();
}

static int
give_to_spawn (int fd_take, gpointer data)
{
  return stasis_spawn_take_fd (data, fd_take);
}

/* Open all and hand them over. */
gboolean
stasis_resources_open (GPtrArray *resources, const StasisResourceUser *user, StasisSpawn *spawn,
                       GError **error)
{
  const StasisResourceTaker taker = { give_to_spawn, spawn };
  return stasis_resources_open_into (resources, user, &taker, error);
}

/* The same for somebody else. */
gboolean
stasis_resources_open_into (GPtrArray *resources, const StasisResourceUser *user,
                            const StasisResourceTaker *taker, GError **error)
{
  Opening opening = { .user = user, .taker = taker, .next_set = 1 };
  for (guint i = 0; i < resources->len; i++)
    {
      StasisResource *resource = g_ptr_array_index (resources, i);
      if (!open_one (&opening, resource, error))
        {
          g_prefix_error (error, "%s: ", resource->key);
          return FALSE;
        }
    }
  return TRUE;
}
