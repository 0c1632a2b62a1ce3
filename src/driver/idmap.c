/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * idmap.c: a file of ours that another user may open, without touching the file
 *
 * Theory of operation
 *
 * What QEMU can take as a descriptor it gets as one.  Where it insists on opening a path itself,
 * /proc/self/fd leads to a descriptor that it has inherited, but the file's owner and mode count
 * again.  So the descriptor is of a mount of its own: of this file alone, read-only, attached
 * nowhere, on which its owner counts as QEMU's user (mount_setattr(2), MOUNT_ATTR_IDMAP).  No other
 * process sees that mount; it is gone with the last descriptor.
 *
 * Which user counts as which is told by a user namespace, and a namespace is made by a process: it
 * is stasis-launch, which enters one and waits for a word that never comes.
 */

#include "config.h"

#include "driver/idmap.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/spawn.h"
#include "util/fd.h"

#define GO_FD 3 /* of stasis-launch */

/* Between fork and exec, in the child. */
static void
enter_namespace (gpointer data)
{
  if (unshare (CLONE_NEWUSER) < 0)
    _exit (126);
}

/* A process in a user namespace of its own, which ends when *@out_go is closed. */
static GSubprocess *
start_process (int *out_go, GError **error)
{
  int ends[2];
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
    {
      stasis_throw_errno (error, _ ("cannot make a pair of sockets"));
      return NULL;
    }
  *out_go = ends[1];
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (
      G_SUBPROCESS_FLAGS_STDOUT_SILENCE | G_SUBPROCESS_FLAGS_STDERR_SILENCE);
  g_subprocess_launcher_take_fd (launcher, ends[0], GO_FD);
  g_subprocess_launcher_set_child_setup (launcher, enter_namespace, NULL, NULL);
  g_autofree char *program = stasis_spawn_find_helper ("stasis-launch");
  return g_subprocess_launcher_spawn (launcher, error, program, "--", "/bin/true", NULL);
}

/* In the namespace of process @pid @inside is what @outside is here; nobody else is anybody. */
static gboolean
write_map (const char *pid, const char *map, guint32 inside, guint32 outside, GError **error)
{
  g_autofree char *path = g_strdup_printf ("/proc/%s/%s", pid, map);
  char text[32];
  const int size = g_snprintf (text, sizeof text, "%u %u 1", inside, outside);
  stasis_autofd int fd = stasis_fd_open (path, O_WRONLY, 0, error);
  return fd >= 0 && stasis_fd_write_exact (fd, text, (gsize) size, error);
}

/* The user namespace in which the file's owner is @uid. */
static int
make_namespace (const struct stat *st, guint32 uid, GError **error)
{
  stasis_autofd int go = -1;
  g_autoptr (GSubprocess) process = start_process (&go, error);
  const char *pid = process != NULL ? g_subprocess_get_identifier (process) : NULL;
  if (process != NULL && pid == NULL)
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, _ ("cannot make a user namespace"));
  int namespace = -1;
  if (pid != NULL && write_map (pid, "uid_map", st->st_uid, uid, error)
      && write_map (pid, "gid_map", st->st_gid, uid, error))
    {
      g_autofree char *path = g_strdup_printf ("/proc/%s/ns/user", pid);
      namespace = stasis_fd_open (path, O_RDONLY, 0, error);
    }
  stasis_fd_clear (&go);
  if (process != NULL)
    g_subprocess_wait (process, NULL, NULL);
  return namespace;
}

/* The file behind @fd on a mount of its own. */
static int
make_mount (int fd, int namespace, GError **error)
{
  stasis_autofd int tree = open_tree (fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  if (tree < 0)
    {
      stasis_throw_errno (error, _ ("cannot mount the file for QEMU's user"));
      return -1;
    }
  struct mount_attr attr = {
    .attr_set = MOUNT_ATTR_IDMAP | MOUNT_ATTR_RDONLY,
    .userns_fd = (guint64) namespace,
  };
  if (mount_setattr (tree, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0)
    {
      stasis_throw_errno (error, _ ("the file system cannot map the owner to QEMU's user"));
      return -1;
    }
  return stasis_fd_steal (&tree);
}

/* The file behind @fd, to be opened again by user and group @uid. */
int
stasis_idmap_open (int fd, guint32 uid, GError **error)
{
  struct stat st;
  if (fstat (fd, &st) < 0)
    {
      stasis_throw_errno (error, _ ("cannot look at the file"));
      return -1;
    }
  stasis_autofd int namespace = make_namespace (&st, uid, error);
  stasis_autofd int tree = namespace >= 0 ? make_mount (fd, namespace, error) : -1;
  if (tree < 0)
    return -1;
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", tree);
  return stasis_fd_open (path, O_RDONLY, 0, error);
}
