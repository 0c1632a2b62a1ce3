/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * closer-test.c: tests of src/remote/closer.c
 */

#include "config.h"

#include "remote/closer.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/fd.h"

/* More than anybody waits here. */
#define LINGER_S 100

static int
make_fd (void)
{
  return stasis_fd_open ("/dev/null", O_RDONLY, 0, NULL);
}

static void
await_closed (int fd)
{
  const gint64 end = g_get_monotonic_time () + 60 * G_USEC_PER_SEC;
  while (fcntl (fd, F_GETFD) >= 0 && g_get_monotonic_time () < end)
    g_usleep (1000);
  g_assert_cmpint (fcntl (fd, F_GETFD), ==, -1);
}

static void
test_both (void)
{
  for (guint is_reader = 0; is_reader < 2; is_reader++)
    {
      const int fd = make_fd ();
      stasis_closer_take (is_reader != 0, fd);
      await_closed (fd);
    }
  stasis_closer_take (TRUE, -1);
  g_assert_cmpuint (stasis_closer_waiting (TRUE), <=, 1);
}

/* The other end hears of it at once, and gets what was sent before. */
static void
check_hang_up (gboolean is_read)
{
  int ends[2];
  guint8 octet;
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
  g_assert_cmpint (send (ends[1], "x", 1, 0), ==, 1);
  if (!is_read)
    g_assert_cmpint (send (ends[0], "y", 1, 0), ==, 1);
  const int fd = ends[1];
  stasis_closer_hang_up (FALSE, &ends[1]);
  g_assert_cmpint (ends[1], ==, -1);
  g_assert_cmpint (send (ends[0], "z", 1, MSG_NOSIGNAL), ==, -1);
  await_closed (fd);
  if (is_read)
    g_assert_cmpint (recv (ends[0], &octet, 1, 0), ==, 1);
  close (ends[0]);
}

static void
test_hang_up (void)
{
  check_hang_up (TRUE);
  check_hang_up (FALSE);
}

/* Its close waits for a peer that takes nothing. */
static int
make_lingering (int *out_peer)
{
  struct sockaddr_in address
      = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t size = sizeof address;
  static const guint8 octets[65536];
  const struct linger linger = { 1, LINGER_S };
  stasis_autofd int listener = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_cmpint (bind (listener, (struct sockaddr *) &address, size), ==, 0);
  g_assert_cmpint (listen (listener, 1), ==, 0);
  g_assert_cmpint (getsockname (listener, (struct sockaddr *) &address, &size), ==, 0);
  const int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_cmpint (connect (fd, (struct sockaddr *) &address, size), ==, 0);
  *out_peer = accept (listener, NULL, NULL);
  g_assert_cmpint (*out_peer, >=, 0);
  while (send (fd, octets, sizeof octets, MSG_DONTWAIT) > 0)
    ;
  g_assert_cmpint (setsockopt (fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), ==, 0);
  return fd;
}

/* Nobody who gives it away waits, nor those who may do more than who did. */
static void
test_lingering (void)
{
  int reader_peer, peer;
  const int of_reader = make_lingering (&reader_peer);
  const int lingering = make_lingering (&peer);
  stasis_closer_take (TRUE, of_reader);
  await_closed (of_reader);
  stasis_closer_take (FALSE, lingering);
  const int behind = make_fd ();
  stasis_closer_take (FALSE, behind);
  const int other = make_fd ();
  stasis_closer_take (TRUE, other);
  await_closed (other);
  g_assert_cmpint (fcntl (behind, F_GETFD), >=, 0);
  g_assert_cmpuint (stasis_closer_waiting (FALSE), ==, 2);
  while (!stasis_closer_is_full (FALSE))
    stasis_closer_take (FALSE, make_fd ());
  g_assert_cmpuint (stasis_closer_waiting (FALSE), ==, 256);
  g_assert_false (stasis_closer_is_full (TRUE));
  close (peer); /* unread octets: a reset, which ends it */
  await_closed (behind);
  while (stasis_closer_waiting (FALSE) > 0)
    g_usleep (1000);
  close (reader_peer);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/remote/closer/both", test_both);
  g_test_add_func ("/remote/closer/hang-up", test_hang_up);
  g_test_add_func ("/remote/closer/lingering", test_lingering);
  return g_test_run ();
}
