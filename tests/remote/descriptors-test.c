/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * descriptors-test.c: tests of src/remote/descriptors.c
 */

#include "config.h"

#include "remote/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "remote/message.h"
#include "util/fd.h"

static int
make_fd (void)
{
  const int fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  g_assert_cmpint (fd, >=, 0);
  return fd;
}

static gboolean
is_open (int fd)
{
  return fcntl (fd, F_GETFD) >= 0;
}

/* By another thread. */
static void
await_closed (int fd)
{
  const gint64 end = g_get_monotonic_time () + 60 * G_USEC_PER_SEC;
  while (is_open (fd) && g_get_monotonic_time () < end)
    g_usleep (1000);
  g_assert_false (is_open (fd));
}

static void
make_pair (int *out_pair)
{
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out_pair), ==, 0);
}

/* What is read ends where one came in, and it is not left to programs that are started. */
static void
test_one_by_one (void)
{
  int pair[2];
  guint8 buffer[64];
  int got;
  stasis_autofd int fd = make_fd ();
  make_pair (pair);
  g_assert_cmpint (send (pair[0], "abc", 3, 0), ==, 3);
  g_assert_cmpint (stasis_descriptors_send (pair[0], "1", 1, fd), ==, 1);
  g_assert_cmpint (stasis_descriptors_send (pair[0], "2", 1, fd), ==, 1);
  g_assert_cmpint (send (pair[0], "def", 3, 0), ==, 3);
  for (guint i = 0; i < 2; i++)
    {
      g_assert_cmpint (
          stasis_descriptors_receive (pair[1], buffer, sizeof buffer, STASIS_CLOSER_OTHERS, &got),
          ==, i == 0 ? 4 : 1);
      g_assert_cmpint (got, >=, 0);
      g_assert_cmpint (fcntl (got, F_GETFD) & FD_CLOEXEC, !=, 0);
      stasis_fd_clear (&got);
    }
  g_assert_cmpint (
      stasis_descriptors_receive (pair[1], buffer, sizeof buffer, STASIS_CLOSER_OTHERS, &got), ==,
      3);
  g_assert_cmpint (got, ==, -1);
  g_assert_cmpint (
      stasis_descriptors_receive (pair[1], buffer, sizeof buffer, STASIS_CLOSER_OTHERS, &got), ==,
      -1);
  g_assert_cmpint (errno, ==, EAGAIN);
  close (pair[0]);
  g_assert_cmpint (
      stasis_descriptors_receive (pair[1], buffer, sizeof buffer, STASIS_CLOSER_OTHERS, &got), ==,
      0);
  close (pair[1]);
}

/* None of them stays. */
static void
test_several_at_once (void)
{
  int pair[2];
  int got;
  guint8 buffer[64];
  stasis_autofd int fd = make_fd ();
  const int fds[] = { fd, fd, fd };
  make_pair (pair);
  g_assert_true (stasis_fd_send (pair[0], "x", 1, fds, G_N_ELEMENTS (fds), NULL));
  const int next = make_fd ();
  close (next);
  g_assert_cmpint (
      stasis_descriptors_receive (pair[1], buffer, sizeof buffer, STASIS_CLOSER_OTHERS, &got), ==,
      -1);
  g_assert_cmpint (errno, ==, EBADMSG);
  g_assert_cmpint (got, ==, -1);
  for (int one = next; one < next + (int) G_N_ELEMENTS (fds); one++)
    await_closed (one);
  close (pair[0]);
  close (pair[1]);
}

/* Each behind its packet, in their order. */
static void
test_take (void)
{
  g_autoptr (GArray) arrivals = stasis_arrivals_new ();
  GArray *taken;
  const int first = make_fd ();
  const int second = make_fd ();
  g_assert_true (stasis_arrivals_add (arrivals, first, 101));
  g_assert_true (stasis_arrivals_take (arrivals, 60, 0, &taken));
  g_assert_null (taken);
  g_assert_false (stasis_arrivals_take (arrivals, 100, 2, &taken));
  g_assert_true (stasis_arrivals_add (arrivals, second, 102));
  g_assert_false (stasis_arrivals_take (arrivals, 99, 2, &taken));
  g_assert_false (stasis_arrivals_take (arrivals, 101, 1, &taken));
  g_assert_false (stasis_arrivals_take (arrivals, 101, 0, &taken));
  g_assert_true (stasis_arrivals_take (arrivals, 100, 1, &taken));
  g_assert_cmpuint (taken->len, ==, 1);
  g_assert_cmpint (g_array_index (taken, int, 0), ==, first);
  g_array_unref (taken);
  await_closed (first);
  g_assert_true (is_open (second));
  stasis_arrivals_clear (arrivals);
  await_closed (second);
}

/* As many as a packet has; those that are not kept count all the same. */
static void
test_limit (void)
{
  g_autoptr (GArray) arrivals = stasis_arrivals_new ();
  for (guint i = 1; i <= STASIS_MESSAGE_FDS_MAX; i++)
    g_assert_true (stasis_arrivals_add (arrivals, -1, i));
  const int more = make_fd ();
  g_assert_false (stasis_arrivals_add (arrivals, more, STASIS_MESSAGE_FDS_MAX + 1));
  g_clear_pointer (&arrivals, g_array_unref);
  await_closed (more);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/remote/descriptors/one-by-one", test_one_by_one);
  g_test_add_func ("/remote/descriptors/several-at-once", test_several_at_once);
  g_test_add_func ("/remote/descriptors/take", test_take);
  g_test_add_func ("/remote/descriptors/limit", test_limit);
  return g_test_run ();
}
