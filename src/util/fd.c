/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fd.c: file descriptors: owned ones, exact I/O, passing over sockets
 */

#include "config.h"

#include "util/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#define FDS_MAX   8u /* descriptors in one message */
#define CONNECT_S 5  /* for a place in a listener's queue */

/* Close *fd if it is one and set it to -1; errno is kept. */
void
stasis_fd_clear (int *fd)
{
  if (*fd < 0)
    return;

  const int kept = errno;
  close (*fd);
  *fd = -1;
  errno = kept;
}

/* Set @error from errno, with the formatted context in front.  Always FALSE, so that failing
 * is one line. */
gboolean
stasis_throw_errno (GError **error, const char *format, ...)
{
  const int code = errno;
  va_list args;
  va_start (args, format);
  g_autofree char *context = g_strdup_vprintf (format, args);
  va_end (args);

  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (code), "%s: %s", context,
               g_strerror (code));
  return FALSE;
}

/* Open with O_CLOEXEC; the error names the path.  -1 on failure. */
int
stasis_fd_open (const char *path, int flags, mode_t mode, GError **error)
{
  int fd;
  do
    fd = open (path, flags | O_CLOEXEC, mode);
  while (fd < 0 && errno == EINTR);

  if (fd < 0)
    stasis_throw_errno (error, _ ("cannot open '%s'"), path);
  return fd;
}

static gboolean
throw_short (GError **error, gsize got, gsize count)
{
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT, _ ("ends early: %1$zu of %2$zu octets"),
               got, count);
  return FALSE;
}

/* A device that takes nothing and calls it no error would make us try for ever. */
static gboolean
throw_full (GError **error, gsize done, gsize count)
{
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE, _ ("only %1$zu of %2$zu octets were taken"),
               done, count);
  return FALSE;
}

/* Read exactly @count octets; end of file before that is G_IO_ERROR_PARTIAL_INPUT. */
gboolean
stasis_fd_read_exact (int fd, void *buffer, gsize count, GError **error)
{
  gsize done = 0;
  while (done < count)
    {
      const gssize n = read (fd, (char *) buffer + done, count - done);
      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return stasis_throw_errno (error, _ ("cannot read"));
      if (n == 0)
        return throw_short (error, done, count);
      done += (gsize) n;
    }
  return TRUE;
}

/* Write exactly @count octets. */
gboolean
stasis_fd_write_exact (int fd, const void *buffer, gsize count, GError **error)
{
  gsize done = 0;
  while (done < count)
    {
      const gssize n = write (fd, (const char *) buffer + done, count - done);
      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return stasis_throw_errno (error, _ ("cannot write"));
      if (n == 0)
        return throw_full (error, done, count);
      done += (gsize) n;
    }
  return TRUE;
}

/* Read exactly @count octets at @offset, leaving the file position alone. */
gboolean
stasis_fd_pread_exact (int fd, void *buffer, gsize count, guint64 offset, GError **error)
{
  gsize done = 0;
  while (done < count)
    {
      const gssize n = pread (fd, (char *) buffer + done, count - done, (off_t) (offset + done));
      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return stasis_throw_errno (error, _ ("cannot read at offset %" G_GUINT64_FORMAT),
                                   offset + done);
      if (n == 0)
        return throw_short (error, done, count);
      done += (gsize) n;
    }
  return TRUE;
}

/* Write exactly @count octets at @offset, leaving the file position alone. */
gboolean
stasis_fd_pwrite_exact (int fd, const void *buffer, gsize count, guint64 offset, GError **error)
{
  gsize done = 0;
  while (done < count)
    {
      const gssize n
          = pwrite (fd, (const char *) buffer + done, count - done, (off_t) (offset + done));
      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return stasis_throw_errno (error, _ ("cannot write at offset %" G_GUINT64_FORMAT),
                                   offset + done);
      if (n == 0)
        return throw_full (error, done, count);
      done += (gsize) n;
    }
  return TRUE;
}

/* Send octets with descriptors on a unix socket.  A peer that has gone is an error, not a
 * signal.  The descriptors go with the first octet. */
gboolean
stasis_fd_send (int socket, const void *buffer, gsize count, const int *fds, guint n_fds,
                GError **error)
{
  g_return_val_if_fail (n_fds <= FDS_MAX && count > 0, FALSE);

  union
  {
    char octets[CMSG_SPACE (sizeof (int) * FDS_MAX)];
    struct cmsghdr align;
  } control = { 0 };
  gsize done = 0;
  while (done < count)
    {
      struct iovec iov = { (char *) buffer + done, count - done };
      struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
      if (done == 0 && n_fds > 0)
        {
          msg.msg_control = control.octets;
          msg.msg_controllen = CMSG_SPACE (sizeof (int) * n_fds);
          struct cmsghdr *cmsg = CMSG_FIRSTHDR (&msg);
          cmsg->cmsg_level = SOL_SOCKET;
          cmsg->cmsg_type = SCM_RIGHTS;
          cmsg->cmsg_len = CMSG_LEN (sizeof (int) * n_fds);
          memcpy (CMSG_DATA (cmsg), fds, sizeof (int) * n_fds);
        }
      const gssize n = sendmsg (socket, &msg, MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return stasis_throw_errno (error, _ ("cannot send"));
      done += (gsize) n;
    }
  return TRUE;
}

/* The address of a socket in a folder that stays open while it is used. */
static gboolean
fill_address_in (int folder, const char *name, const char *path, struct sockaddr_un *out_address,
                 GError **error)
{
  *out_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
  const int length = g_snprintf (out_address->sun_path, sizeof out_address->sun_path,
                                 "/proc/self/fd/%d/%s", folder, name);
  if (length < (int) sizeof out_address->sun_path)
    return TRUE;

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_FILENAME_TOO_LONG,
               _ ("the name of socket '%s' is too long"), path);
  return FALSE;
}

/* The address of a socket: the path itself where it fits into sun_path, else by the folder's
 * descriptor, which the caller keeps open while it uses the address. */
static gboolean
fill_address (const char *path, struct sockaddr_un *out_address, int *out_folder, GError **error)
{
  *out_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
  /* No name would be one of the kernel's own, open to everybody. */
  if (*path == '\0')
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_FILENAME,
                           _ ("a socket needs a name"));
      return FALSE;
    }
  if (strlen (path) < sizeof out_address->sun_path)
    {
      g_strlcpy (out_address->sun_path, path, sizeof out_address->sun_path);
      return TRUE;
    }

  g_autofree char *folder = g_path_get_dirname (path);
  g_autofree char *name = g_path_get_basename (path);
  *out_folder = stasis_fd_open (folder, O_PATH | O_DIRECTORY, 0, error);
  if (*out_folder < 0)
    return FALSE;
  return fill_address_in (*out_folder, name, path, out_address, error);
}

/* Nobody looks at @path: it is for messages. */
static int
listen_at (const struct sockaddr_un *address, const char *path, int backlog, GError **error)
{
  stasis_autofd int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    {
      stasis_throw_errno (error, _ ("cannot make a socket"));
      return -1;
    }
  /* fchmod before bind sets the mode that the name is made with: never open to others. */
  if (fchmod (fd, 0600) < 0)
    {
      stasis_throw_errno (error, _ ("cannot set the mode of socket '%s'"), path);
      return -1;
    }
  struct stat st;
  if (lstat (address->sun_path, &st) == 0 && S_ISSOCK (st.st_mode))
    unlink (address->sun_path);
  if (bind (fd, (const struct sockaddr *) address, sizeof *address) < 0 || listen (fd, backlog) < 0)
    {
      stasis_throw_errno (error, _ ("cannot listen on '%s'"), path);
      return -1;
    }
  return stasis_fd_steal (&fd);
}

/* A listening unix stream socket at @path, whatever its length, of mode 0600.  A socket that is
 * there already is replaced. */
int
stasis_unix_listen (const char *path, int backlog, GError **error)
{
  struct sockaddr_un address;
  stasis_autofd int folder = -1;
  if (!fill_address (path, &address, &folder, error))
    return -1;
  return listen_at (&address, path, backlog, error);
}

/* The same in a folder that is open already. */
int
stasis_unix_listen_in (int folder, const char *name, const char *path, int backlog, GError **error)
{
  struct sockaddr_un address;
  if (!fill_address_in (folder, name, path, &address, error))
    return -1;
  return listen_at (&address, path, backlog, error);
}

static int
connect_to (const char *path, int type, GError **error)
{
  struct sockaddr_un address;
  stasis_autofd int folder = -1;
  if (!fill_address (path, &address, &folder, error))
    return -1;

  stasis_autofd int fd = socket (AF_UNIX, type | SOCK_CLOEXEC, 0);
  if (fd < 0)
    {
      stasis_throw_errno (error, _ ("cannot make a socket"));
      return -1;
    }
  /* A listener that hangs with a full queue would hold us for ever: EAGAIN instead. */
  const struct timeval patience = { .tv_sec = CONNECT_S };
  const struct timeval no_limit = { 0 };
  setsockopt (fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (connect (fd, (const struct sockaddr *) &address, sizeof address) < 0)
    {
      stasis_throw_errno (error, _ ("cannot connect to '%s'"), path);
      return -1;
    }
  setsockopt (fd, SOL_SOCKET, SO_SNDTIMEO, &no_limit, sizeof no_limit);
  return stasis_fd_steal (&fd);
}

/* Connect to the unix stream socket at @path, whatever its length. */
int
stasis_unix_connect (const char *path, GError **error)
{
  return connect_to (path, SOCK_STREAM, error);
}

/* The same, and nobody waits. */
int
stasis_unix_connect_now (const char *path, GError **error)
{
  return connect_to (path, SOCK_STREAM | SOCK_NONBLOCK, error);
}
