/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * handover-fds.c: what one QEMU has open, for another one
 *
 * Theory of operation
 *
 * Files and block devices are opened anew: QEMU's own locks see to it that one of both writes.  A
 * tap device that was opened once can be opened no second time, and a socket that listens would
 * lose who waits in it.  So both QEMUs have the same one, which is fetched by pidfd_getfd(2): a tap
 * device is known by its name, a socket by the inode of its path, which the kernel's list of unix
 * sockets (sock_diag(7)) has beside the socket's own.  What that list says of the device is not
 * what stat(2) says on every file system; so that a socket elsewhere with the same number is not
 * taken for it, the last part of its name has to be the same, too.
 */

#include "config.h"

#include "driver/handover-fds.h"

#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "util/fd.h"

typedef struct
{
  const StasisResource *resource;
  struct stat st; /* of a socket's path */
} Wanted;

/* The inode of the path that a socket is bound to; 0: of none. */
static guint32
path_of_socket (ino_t socket_inode)
{
  stasis_autofd int diag = socket (AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  const struct
  {
    struct nlmsghdr header;
    struct unix_diag_req request;
  } question = {
    .header = { .nlmsg_len = sizeof question,
                .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                .nlmsg_flags = NLM_F_REQUEST },
    .request = { .sdiag_family = AF_UNIX,
                 .udiag_states = ~0u,
                 .udiag_ino = (guint32) socket_inode,
                 .udiag_show = UDIAG_SHOW_VFS,
                 .udiag_cookie = { ~0u, ~0u } },
  };
  char answer[4096] __attribute__ ((aligned (8)));
  if (diag < 0 || send (diag, &question, sizeof question, 0) != sizeof question)
    return 0;
  const gssize n = recv (diag, answer, sizeof answer, 0);
  const struct nlmsghdr *header = (const void *) answer;
  const gsize fixed = NLMSG_HDRLEN + NLMSG_ALIGN (sizeof (struct unix_diag_msg));
  if (n < (gssize) fixed || header->nlmsg_type != SOCK_DIAG_BY_FAMILY
      || header->nlmsg_len > (gsize) n)
    return 0;
  for (gsize at = fixed; at + sizeof (struct nlattr) <= header->nlmsg_len;)
    {
      const struct nlattr *attribute = (const void *) (answer + at);
      const gsize body = at + NLA_HDRLEN;
      if (attribute->nla_len < NLA_HDRLEN)
        return 0;
      if (attribute->nla_type == UNIX_DIAG_VFS
          && body + sizeof (struct unix_diag_vfs) <= header->nlmsg_len)
        return ((const struct unix_diag_vfs *) (const void *) (answer + body))->udiag_vfs_ino;
      at += NLA_ALIGN (attribute->nla_len);
    }
  return 0;
}

/* The folder in its name says nothing: it may have been bound by /proc/self/fd. */
static gboolean
has_name_of (int fd, const char *path)
{
  struct sockaddr_un address = { 0 };
  char ended[sizeof address.sun_path + 1] = "";
  socklen_t length = sizeof address;
  if (getsockname (fd, (struct sockaddr *) &address, &length) < 0 || address.sun_family != AF_UNIX)
    return FALSE;
  memcpy (ended, address.sun_path, sizeof address.sun_path);
  g_autofree char *bound = g_path_get_basename (ended);
  g_autofree char *wanted = g_path_get_basename (path);
  return g_str_equal (bound, wanted);
}

static gboolean
is_listener (int fd, const Wanted *wanted)
{
  int is_listening = 0;
  socklen_t length = sizeof is_listening;
  struct stat st;
  return getsockopt (fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &length) == 0
         && is_listening != 0 && fstat (fd, &st) == 0 && has_name_of (fd, wanted->resource->path)
         && path_of_socket (st.st_ino) == (guint32) wanted->st.st_ino;
}

static gboolean
is_tap (int fd, const char *name)
{
  struct ifreq request = { 0 };
  return ioctl (fd, TUNGETIFF, &request) == 0
         && strncmp (request.ifr_name, name, sizeof request.ifr_name) == 0;
}

/* Worth a copy of it. */
static gboolean
may_be (const char *target, StasisResourceKind kind)
{
  return target != NULL
         && g_str_has_prefix (target, kind == STASIS_RESOURCE_TAP ? "/dev/net/tun" : "socket:");
}

static int
look_at (int pidfd, const char *folder, const char *name, const Wanted *wanted)
{
  const StasisResource *resource = wanted->resource;
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_autofree char *target = g_file_read_link (path, NULL);
  if (!may_be (target, resource->kind))
    return -1;
  stasis_autofd int fd = (int) syscall (SYS_pidfd_getfd, pidfd, atoi (name), 0);
  if (fd < 0)
    return -1;
  const gboolean is_it = resource->kind == STASIS_RESOURCE_TAP ? is_tap (fd, resource->path)
                                                               : is_listener (fd, wanted);
  return is_it ? stasis_fd_steal (&fd) : -1;
}

int
stasis_handover_fetch (const StasisProcess *old, const StasisResource *resource, GError **error)
{
  Wanted wanted = { .resource = resource };
  if (resource->path == NULL)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_FAILED, _ ("'%s' has no name"), resource->key);
      return -1;
    }
  if (resource->kind == STASIS_RESOURCE_LISTEN && stat (resource->path, &wanted.st) < 0)
    {
      stasis_throw_errno (error, "'%s'", resource->path);
      return -1;
    }
  stasis_autofd int pidfd = stasis_process_open (old, error);
  g_autofree char *folder = g_strdup_printf ("/proc/%d/fd", (int) old->pid);
  g_autoptr (GDir) dir = pidfd >= 0 ? g_dir_open (folder, 0, error) : NULL;
  if (dir == NULL)
    return -1;
  const char *name;
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      const int fd = look_at (pidfd, folder, name, &wanted);
      if (fd >= 0)
        return fd;
    }
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
               _ ("'%1$s' cannot be had from QEMU (process %2$d): it has closed it, or the kernel "
                  "does not let this process at it (see kernel.yama.ptrace_scope)"),
               resource->path, (int) old->pid);
  return -1;
}

static gboolean
fetch_all (const GPtrArray *resources, const StasisProcess *old, StasisSpawn *spawn, GError **error)
{
  for (guint i = 0; i < resources->len; i++)
    {
      StasisResource *resource = g_ptr_array_index (resources, i);
      const int fd = stasis_handover_fetch (old, resource, error);
      if (fd < 0)
        {
          g_prefix_error (error, "%s: ", resource->key);
          return FALSE;
        }
      resource->fd = stasis_spawn_take_fd (spawn, fd);
    }
  return TRUE;
}

static gboolean
is_single (const StasisResource *resource)
{
  return resource->kind == STASIS_RESOURCE_TAP || resource->kind == STASIS_RESOURCE_LISTEN;
}

gboolean
stasis_handover_open (GPtrArray *resources, const StasisResourceUser *user,
                      const StasisProcess *old, StasisSpawn *spawn, GError **error)
{
  g_autoptr (GPtrArray) single = g_ptr_array_new ();
  g_autoptr (GPtrArray) others = g_ptr_array_new ();
  for (guint i = 0; i < resources->len; i++)
    {
      StasisResource *resource = g_ptr_array_index (resources, i);
      g_ptr_array_add (is_single (resource) ? single : others, resource);
    }
  return fetch_all (single, old, spawn, error)
         && stasis_resources_open (others, user, spawn, error);
}
