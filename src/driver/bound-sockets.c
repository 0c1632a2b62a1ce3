/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bound-sockets.c: the sockets that a running domain has bound at paths of its definition
 *
 * The kernel leaves a socket's name behind when nobody listens on it any more.  Whoever clears the
 * domain away removes it, but only the very one: by device and inode, seen from the folder that
 * holds it, where no link of others leads, and only while nobody listens, since a file system may
 * give the number of a removed inode to the next one.
 */

#include "config.h"

#include "driver/bound-sockets.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gio/gio.h>

#include "util/fd.h"
#include "util/safe-open.h"

static void
bound_socket_free (gpointer data)
{
  StasisBoundSocket *bound = data;
  g_free (bound->path);
  g_free (bound);
}

/* None yet. */
GPtrArray *
stasis_bound_sockets_new (void)
{
  return g_ptr_array_new_with_free_func (bound_socket_free);
}

/* One more. */
void
stasis_bound_sockets_add (GPtrArray *sockets, char *path_take, guint64 device, guint64 inode)
{
  StasisBoundSocket *bound = g_new0 (StasisBoundSocket, 1);
  bound->path = path_take;
  bound->device = device;
  bound->inode = inode;
  g_ptr_array_add (sockets, bound);
}

/* The very socket that has a name in a folder, opened for nothing (O_PATH); -1: there is none. */
static int
open_socket (int folder, const char *name, struct stat *out_st)
{
  stasis_autofd int fd = openat (folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 || fstat (fd, out_st) < 0 || !S_ISSOCK (out_st->st_mode))
    return -1;
  return stasis_fd_steal (&fd);
}

/* What is there now. */
void
stasis_bound_sockets_note (GPtrArray *sockets, const char *path)
{
  g_autofree char *name = NULL;
  stasis_autofd int folder = stasis_safe_open_folder (path, &name, NULL);
  struct stat st;
  stasis_autofd int socket = folder >= 0 ? open_socket (folder, name, &st) : -1;
  if (socket >= 0)
    stasis_bound_sockets_add (sockets, g_strdup (path), st.st_dev, st.st_ino);
}

static gboolean
is_listening (int socket)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *by_number = g_strdup_printf ("/proc/self/fd/%d", socket);
  stasis_autofd int fd = stasis_unix_connect (by_number, &error);
  return fd >= 0 || !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED);
}

static void
remove_one (const StasisBoundSocket *bound)
{
  g_autofree char *name = NULL;
  stasis_autofd int folder = stasis_safe_open_folder (bound->path, &name, NULL);
  struct stat st;
  stasis_autofd int socket = folder >= 0 ? open_socket (folder, name, &st) : -1;
  if (socket < 0 || st.st_dev != bound->device || st.st_ino != bound->inode
      || is_listening (socket))
    return;
  if (unlinkat (folder, name, 0) < 0)
    g_debug ("'%s' stays behind", bound->path);
}

/* All that are still ours. */
void
stasis_bound_sockets_remove (const GPtrArray *sockets)
{
  for (guint i = 0; i < sockets->len; i++)
    remove_one (g_ptr_array_index (sockets, i));
}
