/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * closer-test.c: tests of src/remote/closer.c
 */

#include "config.h"

#include "remote/closer.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/fd.h"

/* More than anybody waits here. */
#define LINGER_S 100

/* Users who may only read. */
#define ANN ((StasisCloserOwner) 1000)
#define BOB ((StasisCloserOwner) 1001)

#define HELD_MAX   32u
#define FDS_NEEDED 5000u

static GMutex lock;
static GCond changed;
static int held[HELD_MAX]; /* or 0; (guarded by lock) */

/* With the lock held. */
static gboolean
is_held (int fd)
{
  for (guint i = 0; i < HELD_MAX; i++)
    if (held[i] == fd)
      return TRUE;
  return FALSE;
}

/* Instead of the library's: some wait here, as for a file whose file system does not answer. */
int
close (int fd)
{
  if (fd > 0)
    {
      g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&lock);
      while (is_held (fd))
        g_cond_wait (&changed, &lock);
    }
  return (int) syscall (SYS_close, fd);
}

static int
make_fd (void)
{
  return stasis_fd_open ("/dev/null", O_RDONLY, 0, NULL);
}

/* One whose close waits for let_go(). */
static int
make_held_fd (void)
{
  const int fd = make_fd ();
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&lock);
  for (guint i = 0; i < HELD_MAX; i++)
    if (held[i] == 0)
      {
        held[i] = fd;
        return fd;
      }
  g_assert_not_reached ();
}

static void
let_go (int fd)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&lock);
  for (guint i = 0; i < HELD_MAX; i++)
    if (held[i] == fd)
      held[i] = 0;
  g_cond_broadcast (&changed);
}

static void
await_waiting (StasisCloserOwner owner, guint count)
{
  const gint64 end = g_get_monotonic_time () + 60 * G_USEC_PER_SEC;
  while (stasis_closer_waiting (owner) != count && g_get_monotonic_time () < end)
    g_usleep (1000);
  g_assert_cmpuint (stasis_closer_waiting (owner), ==, count);
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
  for (guint i = 0; i < 2; i++)
    {
      const int fd = make_fd ();
      stasis_closer_take (i == 0 ? STASIS_CLOSER_OTHERS : ANN, fd);
      await_closed (fd);
    }
  stasis_closer_take (ANN, -1);
  await_waiting (ANN, 0);
  await_waiting (STASIS_CLOSER_OTHERS, 0);
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
  stasis_closer_hang_up (STASIS_CLOSER_OTHERS, &ends[1]);
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
  const char *preloaded = g_getenv ("LD_PRELOAD");
  if (preloaded != NULL && strstr (preloaded, "vgpreload") != NULL)
    {
      g_test_skip ("no other thread goes on in valgrind while one waits in close()");
      return;
    }
  int reader_peer, peer;
  const int of_reader = make_lingering (&reader_peer);
  const int lingering = make_lingering (&peer);
  stasis_closer_take (ANN, of_reader);
  await_closed (of_reader);
  stasis_closer_take (STASIS_CLOSER_OTHERS, lingering);
  const int behind = make_fd ();
  stasis_closer_take (STASIS_CLOSER_OTHERS, behind);
  const int other = make_fd ();
  stasis_closer_take (ANN, other);
  await_closed (other);
  g_assert_cmpint (fcntl (behind, F_GETFD), >=, 0);
  g_assert_cmpuint (stasis_closer_waiting (STASIS_CLOSER_OTHERS), ==, 2);
  while (!stasis_closer_is_full (STASIS_CLOSER_OTHERS))
    stasis_closer_take (STASIS_CLOSER_OTHERS, make_fd ());
  g_assert_cmpuint (stasis_closer_waiting (STASIS_CLOSER_OTHERS), ==, 256);
  g_assert_false (stasis_closer_is_full (ANN));
  close (peer); /* unread octets: a reset, which ends it */
  await_closed (behind);
  await_waiting (STASIS_CLOSER_OTHERS, 0);
  close (reader_peer);
}

/* As one whose other end has left, with octets that nobody has read. */
static void
hang_up_unread (StasisCloserOwner owner)
{
  int ends[2];
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
  g_assert_cmpint (send (ends[0], "y", 1, 0), ==, 1);
  stasis_closer_hang_up (owner, &ends[1]);
  g_assert_cmpint (ends[1], ==, -1);
  close (ends[0]);
}

/* What one of them has sent holds up himself, and no other. */
static void
test_users (void)
{
  const int stuck = make_held_fd ();
  stasis_closer_take (ANN, stuck);
  const int behind = make_fd ();
  stasis_closer_take (ANN, behind);
  while (!stasis_closer_is_full (ANN))
    stasis_closer_take (ANN, make_fd ());
  g_assert_cmpuint (stasis_closer_waiting (ANN), ==, 256);
  hang_up_unread (ANN);
  g_assert_cmpuint (stasis_closer_n_connections (), ==, 1);

  g_assert_false (stasis_closer_is_full (BOB));
  g_assert_false (stasis_closer_is_full (STASIS_CLOSER_OTHERS));
  const int of_bob = make_fd ();
  stasis_closer_take (BOB, of_bob);
  await_closed (of_bob);
  hang_up_unread (BOB);
  await_waiting (BOB, 0);
  const int of_others = make_fd ();
  stasis_closer_take (STASIS_CLOSER_OTHERS, of_others);
  await_closed (of_others);

  /* He has one thread, however much he has to close. */
  g_assert_cmpint (fcntl (behind, F_GETFD), >=, 0);
  g_assert_cmpuint (stasis_closer_waiting (ANN), ==, 257);
  let_go (stuck);
  await_waiting (ANN, 0);
  g_assert_false (stasis_closer_is_full (ANN));
  g_assert_cmpuint (stasis_closer_n_connections (), ==, 0);
}

/* There are so many threads for all of them: the next one waits for one of these; those who may do
 * more do not. */
static void
test_many_users (void)
{
  int stuck[16];
  for (guint i = 0; i < G_N_ELEMENTS (stuck); i++)
    {
      stuck[i] = make_held_fd ();
      stasis_closer_take (i, stuck[i]);
    }
  const int waits = make_fd ();
  stasis_closer_take (ANN, waits);
  stasis_closer_take (BOB, make_fd ());
  const int of_others = make_fd ();
  stasis_closer_take (STASIS_CLOSER_OTHERS, of_others);
  await_closed (of_others);
  g_assert_cmpint (fcntl (waits, F_GETFD), >=, 0);
  g_assert_false (stasis_closer_is_full (ANN));
  let_go (stuck[3]);
  await_closed (waits);
  await_waiting (BOB, 0);
  for (guint i = 0; i < G_N_ELEMENTS (stuck); i++)
    {
      let_go (stuck[i]);
      await_waiting (i, 0);
    }
}

/* Of all of them together no more is taken, whoever sends it. */
static void
test_all_users (void)
{
  int stuck[16];
  struct rlimit limit;
  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  if (limit.rlim_max < FDS_NEEDED)
    {
      g_test_skip ("too few descriptors are allowed here");
      return;
    }
  limit.rlim_cur = MAX (limit.rlim_cur, FDS_NEEDED);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (stuck); i++)
    {
      g_assert_false (stasis_closer_is_full (ANN));
      stuck[i] = make_held_fd ();
      stasis_closer_take (i, stuck[i]);
      while (!stasis_closer_is_full (i))
        stasis_closer_take (i, make_fd ());
    }
  g_assert_true (stasis_closer_is_full (ANN));
  g_assert_false (stasis_closer_is_full (STASIS_CLOSER_OTHERS));
  for (guint i = 0; i < G_N_ELEMENTS (stuck); i++)
    {
      let_go (stuck[i]);
      await_waiting (i, 0);
    }
  g_assert_false (stasis_closer_is_full (ANN));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/remote/closer/both", test_both);
  g_test_add_func ("/remote/closer/hang-up", test_hang_up);
  g_test_add_func ("/remote/closer/lingering", test_lingering);
  g_test_add_func ("/remote/closer/users", test_users);
  g_test_add_func ("/remote/closer/many-users", test_many_users);
  g_test_add_func ("/remote/closer/all-users", test_all_users);
  return g_test_run ();
}
