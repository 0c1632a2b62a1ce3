/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fd.h: file descriptors: owned ones, exact I/O, passing over sockets
 */

#pragma once

#include <gio/gio.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* Close *fd if it is one and set it to -1; errno is kept. */
void stasis_fd_clear (int *fd);

/* Take the descriptor out of *fd, leaving -1. */
static inline int
stasis_fd_steal (int *fd)
{
  const int taken = *fd;
  *fd = -1;
  return taken;
}

/* An int that closes itself: stasis_autofd int fd = -1; */
#define stasis_autofd __attribute__ ((cleanup (stasis_fd_clear)))

/* Open with O_CLOEXEC; the error names the path.  -1 on failure. */
int stasis_fd_open (const char *path, int flags, mode_t mode, GError **error);

/* Exactly @count octets or an error; end of file is G_IO_ERROR_PARTIAL_INPUT. */
gboolean stasis_fd_read_exact (int fd, void *buffer, gsize count, GError **error);
gboolean stasis_fd_write_exact (int fd, const void *buffer, gsize count, GError **error);
gboolean stasis_fd_pread_exact (int fd, void *buffer, gsize count, guint64 offset, GError **error);
gboolean stasis_fd_pwrite_exact (int fd, const void *buffer, gsize count, guint64 offset,
                                 GError **error);

/* Set @error from errno with @format in front: G_IO_ERROR with the matching code. Returns FALSE. */
gboolean stasis_throw_errno (GError **error, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* Send / receive octets with up to 8 descriptors (SCM_RIGHTS) on a unix socket. */
gboolean stasis_fd_send (int socket, const void *buffer, gsize count, const int *fds, guint n_fds,
                         GError **error);

/* A listening / connected unix stream socket at @path, whatever its length (through
 * /proc/self/fd).  Listening replaces a socket that is there.  Mode of the socket: 0600. */
int stasis_unix_listen (const char *path, int backlog, GError **error);
/* Listen on @name in @folder; @path is for messages. */
int stasis_unix_listen_in (int folder, const char *name, const char *path, int backlog,
                           GError **error);
int stasis_unix_connect (const char *path, GError **error);
/* The same, and a listener that has no place at this moment is an error at once.  Non-blocking. */
int stasis_unix_connect_now (const char *path, GError **error);

G_END_DECLS
