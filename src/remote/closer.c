/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * closer.c: closing what others have sent, off the first thread
 */

#include "config.h"

#include "remote/closer.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/fd.h"

#define WAITING_MAX 256u

typedef struct
{
  GThreadPool *pool; /* (owned) of one thread; for as long as we live */
  gint n_waiting;    /* (atomic) */
} Lane;

static Lane lanes[2];

/* The number is one more than that of the descriptor: a pool takes no NULL. */
static void
close_one (gpointer data, gpointer user_data)
{
  const int fd = GPOINTER_TO_INT (data) - 1;
  Lane *lane = user_data;
  /* Nothing of a reader's is used, so it is nobody's loss that it does not wait. */
  if (lane == &lanes[1])
    setsockopt (fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 0 }, sizeof (struct linger));
  close (fd);
  g_atomic_int_add (&lane->n_waiting, -1);
}

static Lane *
get_lane (gboolean is_reader)
{
  static gsize begun;
  if (g_once_init_enter (&begun))
    {
      for (guint i = 0; i < G_N_ELEMENTS (lanes); i++)
        lanes[i].pool = g_thread_pool_new (close_one, &lanes[i], 1, FALSE, NULL);
      g_once_init_leave (&begun, 1);
    }
  return &lanes[is_reader ? 1 : 0];
}

/* One more. */
void
stasis_closer_take (gboolean is_reader, int fd_take)
{
  const int kept = errno;
  if (fd_take < 0)
    return;
  Lane *lane = get_lane (is_reader);
  g_atomic_int_inc (&lane->n_waiting);
  g_thread_pool_push (lane->pool, GINT_TO_POINTER (fd_take + 1), NULL);
  errno = kept;
}

guint
stasis_closer_waiting (gboolean is_reader)
{
  return (guint) g_atomic_int_get (&lanes[is_reader ? 1 : 0].n_waiting);
}

gboolean
stasis_closer_is_full (gboolean is_reader)
{
  return stasis_closer_waiting (is_reader) >= WAITING_MAX;
}

/* Once it is shut down nothing more comes into it. */
void
stasis_closer_hang_up (gboolean is_reader, int *socket)
{
  int left = 0;
  if (*socket < 0)
    return;
  shutdown (*socket, SHUT_RDWR);
  if (ioctl (*socket, FIONREAD, &left) == 0 && left == 0)
    stasis_fd_clear (socket);
  else
    stasis_closer_take (is_reader, stasis_fd_steal (socket));
}
