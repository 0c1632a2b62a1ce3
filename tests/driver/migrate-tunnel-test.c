/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-tunnel-test.c: the way to a destination's socket on another host
 */

#include "config.h"

#include "driver/migrate-tunnel.h"

#include <fcntl.h>
#include <stasis/error.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "driver/migrate-channel.h"
#include "util/fd.h"

#define TOKEN "0123456789abcdef0123456789abcdef"
#define PEER  "qemu+ssh://user@host/system?keyfile=/k"

static int there = -1; /* the end of the tunnel at the other host */

static char *
explain (gpointer reason)
{
  return g_strdup ("no such socket there");
}

static void
free_reason (gpointer reason)
{
  g_assert_cmpstr (reason, ==, "reason");
}

static gboolean is_given_up;

static void
give_up (gpointer reason)
{
  g_assert_cmpstr (reason, ==, "reason");
  is_given_up = TRUE;
}

static gboolean
open_pair (const char *uri, const char *path, StasisTunnel *out_tunnel, GCancellable *cancellable,
           GError **error)
{
  int fds[2];
  g_assert_cmpstr (uri, ==, PEER);
  g_assert_cmpstr (path, ==, "/run/s");
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
  there = fds[1];
  *out_tunnel = (StasisTunnel){ fds[0], explain, free_reason, give_up, (gpointer) "reason" };
  return TRUE;
}

/* One that waits until it is cancelled. */
static gboolean
open_never (const char *uri, const char *path, StasisTunnel *out_tunnel, GCancellable *cancellable,
            GError **error)
{
  GPollFD fd;
  g_assert_true (g_cancellable_make_pollfd (cancellable, &fd));
  while (g_poll (&fd, 1, -1) < 1)
    continue;
  g_cancellable_release_fd (cancellable);
  return !g_cancellable_set_error_if_cancelled (cancellable, error);
}

static StasisMigrateAddress *
address_there (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *text = stasis_migrate_tunnel_through (PEER, "unix:///run/s", &error);
  g_assert_no_error (error);
  StasisMigrateAddress *address = stasis_migrate_address_parse_own (text, &error);
  g_assert_no_error (error);
  return address;
}

static void
test_through (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisMigrateAddress) address = address_there ();
  g_assert_cmpstr (address->via, ==, PEER);
  g_assert_cmpstr (address->path, ==, "/run/s");
  static const char *const here[]
      = { "qemu+unix:///system?socket=/s", "qemu:///system", "stasis:///system" };
  for (guint i = 0; i < G_N_ELEMENTS (here); i++)
    {
      g_autofree char *text = stasis_migrate_tunnel_through (here[i], "unix:///run/s", &error);
      g_assert_no_error (error);
      g_assert_cmpstr (text, ==, "unix:///run/s");
    }
}

/* The destination chooses the path, and nothing else. */
static void
test_not_through (void)
{
  static const struct
  {
    const char *peer;
    const char *place;
  } wrong[] = {
    { PEER, "tcp:host:1" },
    { NULL, "unix:///run/s" },
    { PEER, "tunnel:qemu%2Bssh%3A%2F%2Felse%2Fsystem/run/s" },
    { PEER, "unix:run" },
    { PEER, "" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      g_autoptr (GError) error = NULL;
      g_assert_null (stasis_migrate_tunnel_through (wrong[i].peer, wrong[i].place, &error));
      g_assert_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT);
    }
}

static void
test_nobody (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisMigrateAddress) address = address_there ();
  stasis_migrate_tunnel_set_opener (NULL);
  g_assert_cmpint (stasis_migrate_connect (address, TOKEN, STASIS_CHANNEL_ASK, 1000, NULL, &error),
                   ==, -1);
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED);
}

static gpointer
serve (gpointer data)
{
  char hello[STASIS_HELLO_SIZE];
  while (g_atomic_int_get (&there) < 0)
    g_thread_yield ();
  const gboolean ok = stasis_fd_read_exact (there, hello, sizeof hello, NULL);
  if (ok && data != NULL)
    g_assert_cmpint (write (there, data, strlen (data)), ==, strlen (data));
  stasis_fd_clear (&there);
  return GINT_TO_POINTER (ok);
}

static void
test_connect (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisMigrateAddress) address = address_there ();
  stasis_migrate_tunnel_set_opener (open_pair);
  GThread *thread = g_thread_new ("there", serve, (gpointer) "ok\n");
  stasis_autofd int fd
      = stasis_migrate_connect (address, TOKEN, STASIS_CHANNEL_DATA, 60000, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (GPOINTER_TO_INT (g_thread_join (thread)));
  g_assert_cmpint (fcntl (fd, F_GETFL) & O_NONBLOCK, ==, 0);
  g_assert_false (is_given_up);
}

/* Why it ended is said. */
static void
test_ended (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisMigrateAddress) address = address_there ();
  stasis_migrate_tunnel_set_opener (open_pair);
  GThread *thread = g_thread_new ("there", serve, NULL);
  g_assert_cmpint (
      stasis_migrate_connect (address, TOKEN, STASIS_CHANNEL_DATA, 60000, NULL, &error), ==, -1);
  g_thread_join (thread);
  g_assert_nonnull (strstr (error->message, "tunnel to '/run/s': no such socket there"));
}

/* Then nobody wants to know, and nothing goes on. */
static void
test_cancelled (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisMigrateAddress) address = address_there ();
  g_autoptr (GCancellable) cancelled = g_cancellable_new ();
  stasis_migrate_tunnel_set_opener (open_pair);
  g_cancellable_cancel (cancelled);
  g_assert_cmpint (
      stasis_migrate_connect (address, TOKEN, STASIS_CHANNEL_DATA, 60000, cancelled, &error), ==,
      -1);
  stasis_fd_clear (&there);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_null (strstr (error->message, "no such socket there"));
  g_assert_true (is_given_up);
}

static void
test_limit (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisMigrateAddress) address = address_there ();
  g_auto (StasisTunnel) tunnel = { .fd = -1 };
  g_autoptr (GCancellable) cancelled = g_cancellable_new ();
  stasis_migrate_tunnel_set_opener (open_never);
  g_assert_false (stasis_migrate_tunnel_connect (address, g_get_monotonic_time () + 1000, &tunnel,
                                                 NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_clear_error (&error);
  g_cancellable_cancel (cancelled);
  g_assert_false (stasis_migrate_tunnel_connect (address, g_get_monotonic_time () + 60000000,
                                                 &tunnel, cancelled, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/driver/migrate-tunnel/through", test_through);
  g_test_add_func ("/driver/migrate-tunnel/not-through", test_not_through);
  g_test_add_func ("/driver/migrate-tunnel/nobody", test_nobody);
  g_test_add_func ("/driver/migrate-tunnel/connect", test_connect);
  g_test_add_func ("/driver/migrate-tunnel/ended", test_ended);
  g_test_add_func ("/driver/migrate-tunnel/cancelled", test_cancelled);
  g_test_add_func ("/driver/migrate-tunnel/limit", test_limit);
  return g_test_run ();
}
