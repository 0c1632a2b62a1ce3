/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * descriptors.c: descriptors that go with packets
 *
 * Theory of operation
 *
 * A connection is read by large pieces.  The kernel ends a piece behind the message that carries
 * descriptors, so that the place where one came in is known without looking at what the octets
 * mean: it is the end of the piece.  When a packet is whole, the places have to be those of its
 * own octets.  One octet carries one; but room is made for as many as a message may have, as the
 * kernel would close the others here and now, which may take long (closer.h).
 */

#include "config.h"

#include "remote/descriptors.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "remote/message.h"
#include "util/fd.h"

#define MESSAGE_MAX 253u /* that the kernel lets anybody send in one */

typedef struct
{
  guint64 position; /* of the end of its octet in all that has come */
  int fd;           /* (owned) or -1 */
} Arrival;

/* Of one descriptor. */
typedef union
{
  char octets[CMSG_SPACE (sizeof (int))];
  struct cmsghdr align;
} Control;

/* Of all that may come.  The kernel goes by the length that it is told, not by what is aligned. */
typedef union
{
  char octets[CMSG_SPACE (MESSAGE_MAX * sizeof (int))];
  struct cmsghdr align;
} ControlOfMany;

/* Those of readers are not kept so long. */
static void
clear_descriptor (gpointer fd)
{
  stasis_closer_take (STASIS_CLOSER_OTHERS, stasis_fd_steal (fd));
}

static void
clear_arrival (gpointer arrival)
{
  clear_descriptor (&((Arrival *) arrival)->fd);
}

/* Of a packet. */
GArray *
stasis_descriptors_new (void)
{
  GArray *self = g_array_new (FALSE, FALSE, sizeof (int));
  g_array_set_clear_func (self, clear_descriptor);
  return self;
}

static guint
count_fds (const struct cmsghdr *cmsg)
{
  if (cmsg == NULL || cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
    return 0;
  return (guint) ((cmsg->cmsg_len - CMSG_LEN (0)) / sizeof (int));
}

/* At most one. */
ssize_t
stasis_descriptors_receive (int socket, void *buffer, gsize size, StasisCloserOwner owner,
                            int *out_fd)
{
  ControlOfMany control;
  struct iovec iov = { buffer, size };
  struct msghdr msg = { .msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = control.octets,
                        .msg_controllen = CMSG_LEN (MESSAGE_MAX * sizeof (int)) };
  const ssize_t done = recvmsg (socket, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  *out_fd = -1;
  if (done < 0)
    return -1;
  const struct cmsghdr *cmsg = CMSG_FIRSTHDR (&msg);
  const guint count = count_fds (cmsg);
  int fds[MESSAGE_MAX];
  if (count > 0)
    memcpy (fds, CMSG_DATA (cmsg), count * sizeof (int));
  if (count <= 1 && (msg.msg_flags & MSG_CTRUNC) == 0)
    {
      *out_fd = count == 1 ? fds[0] : -1;
      return done;
    }
  for (guint i = 0; i < count; i++)
    stasis_closer_take (owner, fds[i]);
  errno = EBADMSG;
  return -1;
}

/* With the first octet. */
ssize_t
stasis_descriptors_send (int socket, const void *buffer, gsize size, int fd)
{
  Control control = { 0 };
  struct iovec iov = { (void *) buffer, size };
  struct msghdr msg = { .msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = control.octets,
                        .msg_controllen = sizeof control.octets };
  struct cmsghdr *cmsg = CMSG_FIRSTHDR (&msg);
  cmsg->cmsg_level = SOL_SOCKET;
  cmsg->cmsg_type = SCM_RIGHTS;
  cmsg->cmsg_len = CMSG_LEN (sizeof (int));
  memcpy (CMSG_DATA (cmsg), &fd, sizeof fd);
  return sendmsg (socket, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Of a connection. */
GArray *
stasis_arrivals_new (void)
{
  GArray *self = g_array_new (FALSE, FALSE, sizeof (Arrival));
  g_array_set_clear_func (self, clear_arrival);
  return self;
}

/* One more. */
gboolean
stasis_arrivals_add (GArray *self, int fd_take, guint64 position)
{
  const Arrival arrival = { position, fd_take };
  g_array_append_val (self, arrival);
  return self->len <= STASIS_MESSAGE_FDS_MAX;
}

/* None is left. */
void
stasis_arrivals_clear (GArray *self)
{
  g_array_set_size (self, 0);
}

/* Those of a packet. */
gboolean
stasis_arrivals_take (GArray *self, guint64 end, guint count, GArray **out)
{
  *out = NULL;
  if (self->len < count
      || (count == 0 && self->len > 0 && g_array_index (self, Arrival, 0).position <= end))
    return FALSE;
  for (guint i = 0; i < count; i++)
    if (g_array_index (self, Arrival, i).position != end + i + 1)
      return FALSE;
  if (count == 0)
    return TRUE;
  *out = stasis_descriptors_new ();
  for (guint i = 0; i < count; i++)
    {
      const int fd = stasis_fd_steal (&g_array_index (self, Arrival, i).fd);
      g_array_append_val (*out, fd);
    }
  g_array_remove_range (self, 0, count);
  return TRUE;
}
