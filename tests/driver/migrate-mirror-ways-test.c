/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-mirror-ways-test.c: tests of src/driver/migrate-mirror-ways.c on sockets of our own
 */

#include "config.h"

#include "driver/migrate-mirror-ways.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stasis/error.h>

#include "scratch.h"
#include "util/fd.h"

typedef struct
{
  int listener;
  int near; /* connected */
  int far;
  guint16 port;
} Way;

static StasisProcess self;

static int
dial (const Way *way)
{
  const int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_port = htons (way->port),
                                       .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  g_assert_cmpint (connect (fd, (const struct sockaddr *) &address, sizeof address), ==, 0);
  return fd;
}

static Way
open_way (void)
{
  Way way = { socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), -1, -1, 0 };
  struct sockaddr_in address
      = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t size = sizeof address;
  g_assert_cmpint (bind (way.listener, (const struct sockaddr *) &address, size), ==, 0);
  g_assert_cmpint (listen (way.listener, 4), ==, 0);
  g_assert_cmpint (getsockname (way.listener, (struct sockaddr *) &address, &size), ==, 0);
  way.port = ntohs (address.sin_port);
  return way;
}

static void
join (Way *way)
{
  way->near = dial (way);
  way->far = accept (way->listener, NULL, NULL);
  g_assert_cmpint (way->far, >=, 0);
}

static void
close_way (Way *way)
{
  stasis_fd_clear (&way->near);
  stasis_fd_clear (&way->far);
  stasis_fd_clear (&way->listener);
}

static gboolean
is_tuned (int fd)
{
  int keeps = 0;
  int limit = 0;
  socklen_t size = sizeof keeps;
  g_assert_cmpint (getsockopt (fd, SOL_SOCKET, SO_KEEPALIVE, &keeps, &size), ==, 0);
  g_assert_cmpint (getsockopt (fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, &size), ==, 0);
  g_assert_cmpint (keeps != 0, ==, limit != 0);
  return keeps != 0;
}

static gboolean
is_cut (int fd)
{
  char octet;
  return recv (fd, &octet, 1, MSG_DONTWAIT) == 0;
}

/* Those that are new, and lead to that port. */
static void
test_tune (void)
{
  g_autoptr (GError) error = NULL;
  Way way = open_way ();
  Way other = open_way ();
  stasis_autofd int old = dial (&way);
  stasis_autofd int old_far = accept (way.listener, NULL, NULL);
  g_autoptr (GHashTable) before = stasis_mirror_ways_list (&self, &error);
  g_assert_no_error (error);
  g_assert_null (stasis_mirror_ways_tune (&self, before, way.port, &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED);
  g_clear_error (&error);

  join (&way);
  join (&other);
  stasis_autofd int second = dial (&way);
  g_auto (GStrv) peers = stasis_mirror_ways_tune (&self, before, way.port, &error);
  g_assert_no_error (error);
  g_autofree char *wanted = g_strdup_printf ("127.0.0.1:%u", way.port);
  g_assert_cmpuint (g_strv_length (peers), ==, 1);
  g_assert_cmpstr (peers[0], ==, wanted);
  g_assert_true (is_tuned (way.near) && is_tuned (second));
  g_assert_false (is_tuned (old) || is_tuned (way.far) || is_tuned (other.near));
  close_way (&way);
  close_way (&other);
}

static void
test_cut (void)
{
  Way way = open_way ();
  Way other = open_way ();
  join (&way);
  join (&other);
  g_autofree char *peer = g_strdup_printf ("127.0.0.1:%u", way.port);
  const char *const strange[] = { "127.0.0.1", "", "127.0.0.2:1", NULL };
  stasis_mirror_ways_cut (&self, strange);
  g_assert_false (is_cut (way.near) || is_cut (other.near));
  const char *const peers[] = { "192.0.2.1:1", peer, NULL };
  stasis_mirror_ways_cut (&self, peers);
  g_assert_true (is_cut (way.near) && is_cut (way.far));
  g_assert_false (is_cut (other.near) || is_cut (other.far));
  close_way (&way);
  close_way (&other);
}

static StasisStatus *
make_status (const Way *way, StasisStep step)
{
  StasisStatus *status = stasis_status_new ();
  status->name = g_strdup ("web");
  status->uuid = g_strdup ("d0010203-0405-4607-8809-0a0b0c0d0e0f");
  status->id = 1;
  status->qemu = self;
  stasis_journal_begin (&status->journal, step, "migrate-out");
  g_free (status->journal.id);
  status->journal.id = g_strdup ("1");
  status->journal.migration = stasis_migrate_journal_new ("00112233445566778899aabbccddeeff");
  status->journal.migration->copies_to = g_new0 (char *, 2);
  status->journal.migration->copies_to[0] = g_strdup_printf ("127.0.0.1:%u", way->port);
  return status;
}

/* Once it has been handed over the connections are nobody's. */
static void
test_journal (void)
{
  Way way = open_way ();
  join (&way);
  g_autoptr (StasisStatus) handed = make_status (&way, STASIS_STEP_MIGRATE_HANDED);
  stasis_mirror_ways_cut_of (handed);
  g_assert_false (is_cut (way.near));
  g_autoptr (StasisStatus) status = make_status (&way, STASIS_STEP_MIGRATE_SENDING);
  status->qemu.start_time++; /* another process */
  stasis_mirror_ways_cut_of (status);
  g_assert_false (is_cut (way.near));
  status->qemu.start_time--;
  stasis_mirror_ways_cut_of (status);
  g_assert_true (is_cut (way.near));
  close_way (&way);
}

static void
test_job (void)
{
  g_autoptr (GError) error = NULL;
  Way way = open_way ();
  join (&way);
  char *folder = scratch_new ();
  g_autoptr (StasisStatus) status = make_status (&way, STASIS_STEP_MIGRATE_SENDING);
  stasis_mirror_ways_cut_job (folder, "1");
  stasis_status_write (status, folder, &error);
  g_assert_no_error (error);
  stasis_mirror_ways_cut_job (folder, "2");
  stasis_mirror_ways_cut_job (folder, NULL);
  g_assert_false (is_cut (way.near));
  stasis_mirror_ways_cut_job (folder, "1");
  g_assert_true (is_cut (way.near));
  close_way (&way);
  scratch_remove (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  if (scratch_skip_without_pidfds ())
    return 0;
  g_assert_true (stasis_process_lookup (getpid (), &self));
  g_test_add_func ("/driver/migrate-mirror-ways/tune", test_tune);
  g_test_add_func ("/driver/migrate-mirror-ways/cut", test_cut);
  g_test_add_func ("/driver/migrate-mirror-ways/journal", test_journal);
  g_test_add_func ("/driver/migrate-mirror-ways/job", test_job);
  return g_test_run ();
}
