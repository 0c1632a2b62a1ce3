/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ready-set.c: many descriptors, asked at once whether any of them is ready to be read
 *
 * That none is costs one system call, however many there are.
 */

#include "config.h"

#include "util/ready-set.h"

#include <sys/epoll.h>

#include <glib/gi18n-lib.h>

#include "util/fd.h"

/* Nothing in it yet. */
int
stasis_ready_set_new (GError **error)
{
  const int set = epoll_create1 (EPOLL_CLOEXEC);
  if (set < 0)
    stasis_throw_errno (error, _ ("cannot wait for several descriptors"));
  return set;
}

/* From now on it counts. */
gboolean
stasis_ready_set_add (int set, int fd, StasisReady *ready, GError **error)
{
  struct epoll_event event = { .events = EPOLLIN, .data.ptr = ready };
  if (epoll_ctl (set, EPOLL_CTL_ADD, fd, &event) == 0)
    return TRUE;
  return stasis_throw_errno (error, _ ("cannot wait for a descriptor"));
}

/* It counts no more. */
void
stasis_ready_set_remove (int set, int fd)
{
  epoll_ctl (set, EPOLL_CTL_DEL, fd, NULL);
}

/* One at a time: a function may remove others that are ready, too. */
gboolean
stasis_ready_set_take (int set)
{
  struct epoll_event event;
  gboolean was_ready = FALSE;
  while (epoll_wait (set, &event, 1, 0) > 0)
    {
      const StasisReady *ready = event.data.ptr;
      was_ready = TRUE;
      ready->func (ready->data);
    }
  return was_ready;
}
