/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sockets.c: where clients come in
 */

#include "config.h"

#include "daemon/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "util/fd.h"

#define BACKLOG       64
#define ACTIVATED     3 /* the first descriptor that systemd hands over */
#define ACTIVATED_MAX 16

/* Beside all others of its configuration, or where clients look for it. */
char *
stasis_daemon_sockets_path (const StasisPaths *paths, const char *folder)
{
  return folder != NULL ? g_build_filename (folder, STASIS_DAEMON_SOCKET, NULL)
                        : stasis_default_socket (paths);
}

/* Whoever may be let in by a socket has to get at it. */
static mode_t
folder_mode (const StasisDaemonConfig *config)
{
  return (config->mode | config->read_only_mode) & 0077 ? 0755 : 0700;
}

static gboolean
make_folder (const char *path, const StasisDaemonConfig *config, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (path);
  if (mkdir (folder, 0700) == 0)
    return chmod (folder, folder_mode (config)) == 0
           || stasis_throw_errno (error, _ ("cannot change the mode of '%s'"), folder);
  return errno == EEXIST || stasis_throw_errno (error, _ ("cannot make the folder '%s'"), folder);
}

/* A name that is left over is replaced, that of somebody who listens is not. */
static gboolean
check_free (const char *path, GError **error)
{
  stasis_autofd int fd = stasis_unix_connect (path, NULL);
  if (fd < 0)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_BUSY, _ ("another process listens on '%s'"), path);
  return FALSE;
}

/* It is nobody's until it has its mode: made 0600, and only then opened to others. */
static gboolean
listen_at (const char *path, mode_t mode, gboolean is_read_only, const StasisDaemonConfig *config,
           StasisServer *server, gint64 uid, GError **error)
{
  stasis_autofd int fd = stasis_unix_listen (path, BACKLOG, error);
  if (fd < 0)
    return FALSE;
  if ((config->group != (gid_t) -1 && lchown (path, (uid_t) -1, config->group) < 0)
      || chmod (path, mode) < 0)
    return stasis_throw_errno (error, _ ("cannot give '%s' its group and mode"), path);
  stasis_server_listen (server, stasis_fd_steal (&fd), is_read_only, uid);
  return TRUE;
}

/* How many descriptors systemd has handed over to this process. */
static guint
count_activated (void)
{
  const char *pid = g_getenv ("LISTEN_PID");
  const char *count = g_getenv ("LISTEN_FDS");
  guint64 number;
  if (pid == NULL || count == NULL || strtoll (pid, NULL, 10) != getpid ()
      || !g_ascii_string_to_unsigned (count, 10, 1, ACTIVATED_MAX, &number, NULL))
    return 0;
  return (guint) number;
}

/* By its name in the unit (FileDescriptorName=), or that of the file. */
static gboolean
is_read_only (int fd, const char *name)
{
  struct sockaddr_un address = { 0 };
  socklen_t length = sizeof address - 1; /* a name need not end with NUL */
  if (g_strcmp0 (name, "read-only") == 0)
    return TRUE;
  if (getsockname (fd, (struct sockaddr *) &address, &length) < 0 || address.sun_family != AF_UNIX)
    return FALSE;
  return g_str_has_suffix (address.sun_path, STASIS_DAEMON_READ_ONLY);
}

/* Whoever waits on what is none would do so for ever, or not at all.  Of one that is no unix socket
 * nobody knows who is at its other end, and it carries no descriptors. */
static gboolean
check_activated (int fd, GError **error)
{
  int listens = 0;
  int family = AF_UNSPEC;
  socklen_t length = sizeof listens;
  socklen_t family_length = sizeof family;
  const gboolean is_listening
      = getsockopt (fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0 && listens;
  if (is_listening && getsockopt (fd, SOL_SOCKET, SO_DOMAIN, &family, &family_length) == 0
      && family == AF_UNIX)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
               is_listening ? _ ("LISTEN_FDS: descriptor %d is no unix socket")
                            : _ ("LISTEN_FDS: descriptor %d is no socket that listens"),
               fd);
  return FALSE;
}

static gboolean
take_activated (StasisServer *server, guint count, gint64 uid, GError **error)
{
  const char *all = g_getenv ("LISTEN_FDNAMES");
  g_auto (GStrv) names = g_strsplit (all != NULL ? all : "", ":", -1);
  const guint n_names = g_strv_length (names);
  for (guint i = 0; i < count; i++)
    {
      const int fd = ACTIVATED + (int) i;
      if (!check_activated (fd, error))
        return FALSE;
      fcntl (fd, F_SETFD, FD_CLOEXEC);
      stasis_server_listen (server, fd, is_read_only (fd, i < n_names ? names[i] : NULL), uid);
    }
  g_unsetenv ("LISTEN_PID");
  g_unsetenv ("LISTEN_FDS");
  g_unsetenv ("LISTEN_FDNAMES");
  return TRUE;
}

/* Listen. */
gboolean
stasis_daemon_sockets_open (StasisDaemonSockets *self, const char *path,
                            const StasisDaemonConfig *config, StasisServer *server, gint64 uid,
                            GError **error)
{
  const guint count = count_activated ();
  self->is_activated = count > 0;
  if (count > 0)
    return take_activated (server, count, uid, error);
  g_autofree char *other = g_strconcat (path, STASIS_DAEMON_READ_ONLY, NULL);
  if (!make_folder (path, config, error) || !check_free (path, error) || !check_free (other, error))
    return FALSE;
  self->path = g_strdup (path); /* from now on the names are ours to remove */
  return listen_at (path, config->mode, FALSE, config, server, uid, error)
         && listen_at (other, config->read_only_mode, TRUE, config, server, uid, error);
}

/* Their names go. */
void
stasis_daemon_sockets_close (StasisDaemonSockets *self)
{
  if (!self->is_activated && self->path != NULL)
    {
      g_autofree char *other = g_strconcat (self->path, STASIS_DAEMON_READ_ONLY, NULL);
      unlink (self->path);
      unlink (other);
    }
  g_clear_pointer (&self->path, g_free);
}
