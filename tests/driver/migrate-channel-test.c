/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-channel-test.c: tests of src/driver/migrate-channel.c, -listener.c, -address.c, -wait.c
 */

#include "config.h"

#include "driver/migrate-channel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stasis/error.h>

#include "driver/migrate-token.h"
#include "scratch.h"
#include "util/fd.h"

#define WAIT_MS 60000
#define TOKEN   "00112233445566778899aabbccddeeff"
#define OTHER   "00112233445566778899aabbccddeefe"

typedef struct
{
  const char *text;
  const char *shown; /* NULL: refused */
} AddressCase;

static const AddressCase addresses[] = {
  { "tcp:host.example:49152", "tcp:host.example:49152" },
  { "tcp:10.0.0.1", "tcp:10.0.0.1:0" },
  { "tcp://host:1", "tcp:host:1" },
  { "tcp://host:1/", "tcp:host:1" },
  { "tcp://host/", "tcp:host:0" },
  { "tcp://host", "tcp:host:0" },
  { "tcp:[::1]:49215", "tcp:[::1]:49215" },
  { "tcp://[fe80::1%eth0]", "tcp:[fe80::1%eth0]:0" },
  { "unix:///run/a b", "unix:///run/a b" },
  { "unix:/run/x", "unix:///run/x" },
  { "", NULL },
  { "host:1", NULL },
  { "rdma://host:1", NULL },
  { "exec:reboot", NULL },
  { "tcp:", NULL },
  { "tcp::1", NULL },
  { "tcp:[::1:1", NULL },
  { "tcp:host:65536", NULL },
  { "tcp:host:-1", NULL },
  { "tcp:host:1x", NULL },
  { "tcp:host:", NULL },
  { "tcp://host/path", NULL },
  { "tcp:ho st:1", NULL },
  { "tcp:host,ipv4=on:1", NULL },
  { "unix:relative", NULL },
  { "unix://host/path", NULL },
  { "tunnel:qemu%2Bssh%3A%2F%2Fh%2Fsystem/path", NULL }, /* nobody else says whom we log in at */
};

static const struct
{
  const char *text;
  const char *via;
  const char *path;
} own_addresses[] = {
  { "tunnel:qemu%2Bssh%3A%2F%2Fh%2Fsystem/run/s", "qemu+ssh://h/system", "/run/s" },
  { "unix:///run/s", NULL, "/run/s" },
  { "tunnel:/run/s", NULL, NULL },
  { "tunnel:qemu", NULL, NULL },
  { "tunnel:%zz/run/s", NULL, NULL },
  { "tunnel:", NULL, NULL },
};

/* What a source makes of its peer's URI and of a path there. */
static void
test_own_addresses (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (own_addresses); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (StasisMigrateAddress) address
          = stasis_migrate_address_parse_own (own_addresses[i].text, &error);
      if (own_addresses[i].path == NULL)
        {
          g_assert_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT);
          continue;
        }
      g_assert_no_error (error);
      g_assert_cmpstr (address->via, ==, own_addresses[i].via);
      g_assert_cmpstr (address->path, ==, own_addresses[i].path);
      g_autofree char *shown = stasis_migrate_address_to_string (address);
      g_assert_cmpstr (shown, ==, own_addresses[i].text);
    }
}

static void
test_addresses (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (addresses); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (StasisMigrateAddress) address
          = stasis_migrate_address_parse (addresses[i].text, &error);
      g_test_message ("'%s': %s", addresses[i].text, error != NULL ? error->message : "good");
      g_assert_true ((address != NULL) == (addresses[i].shown != NULL));
      if (address == NULL)
        {
          g_assert_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT);
          continue;
        }
      g_autofree char *shown = stasis_migrate_address_to_string (address);
      g_assert_cmpstr (shown, ==, addresses[i].shown);
    }
}

static StasisMigrateListener *
listen_at (const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisMigrateAddress) address = stasis_migrate_address_parse (text, &error);
  g_assert_no_error (error);
  StasisMigrateListener *listener = stasis_migrate_listen (address, TOKEN, &error);
  g_assert_no_error (error);
  return listener;
}

typedef struct
{
  const StasisMigrateAddress *address;
  const char *token;
  StasisChannelPurpose purpose;
  GError *error;
} Source;

static gpointer
run_source (gpointer data)
{
  Source *source = data;
  return GINT_TO_POINTER (stasis_migrate_connect (source->address, source->token, source->purpose,
                                                  WAIT_MS, NULL, &source->error));
}

/* Both ends, whatever else is at the port. */
static void
expect_pair (StasisMigrateListener *listener, StasisChannelPurpose purpose, int *out_source,
             int *out_dest)
{
  Source source = { stasis_migrate_listener_get_address (listener), TOKEN, purpose, NULL };
  GThread *thread = g_thread_new ("source", run_source, &source);
  g_autoptr (GError) error = NULL;
  StasisChannelPurpose seen = STASIS_CHANNEL_N_PURPOSES;
  char token[STASIS_MIGRATE_TOKEN_SIZE + 1];
  *out_dest = stasis_migrate_listener_accept (listener, WAIT_MS, &seen, token, NULL, &error);
  g_assert_no_error (error);
  *out_source = GPOINTER_TO_INT (g_thread_join (thread));
  g_assert_no_error (source.error);
  g_assert_cmpint (seen, ==, purpose);
  g_assert_cmpstr (token, ==, TOKEN);
}

/* Not an octet more or less than was written, both ways, as QEMU would. */
static void
expect_path (int a, int b)
{
  char octets[6] = { 0 };
  g_assert_cmpint (fcntl (a, F_GETFL) & O_NONBLOCK, ==, 0);
  g_assert_cmpint (fcntl (b, F_GETFL) & O_NONBLOCK, ==, 0);
  g_assert_cmpint (fcntl (b, F_GETFD) & FD_CLOEXEC, !=, 0);
  g_assert_cmpint (write (a, "QEVM\0\3", 6), ==, 6);
  g_assert_cmpint (read (b, octets, 6), ==, 6);
  g_assert_cmpmem (octets, 6, "QEVM\0\3", 6);
  g_assert_cmpint (write (b, "back", 4), ==, 4);
  g_assert_cmpint (read (a, octets, 6), ==, 4);
  g_assert_cmpmem (octets, 4, "back", 4);
}

static int
get_option (int fd, int level, int option)
{
  int value = -1;
  socklen_t size = sizeof value;
  g_assert_cmpint (getsockopt (fd, level, option, &value, &size), ==, 0);
  return value;
}

static void
expect_tuned (int fd)
{
  g_assert_cmpint (get_option (fd, IPPROTO_TCP, TCP_NODELAY), ==, 1);
  g_assert_cmpint (get_option (fd, SOL_SOCKET, SO_KEEPALIVE), ==, 1);
  g_assert_cmpint (get_option (fd, IPPROTO_TCP, TCP_USER_TIMEOUT), >, 0);
}

static void
test_tcp (gconstpointer data)
{
  stasis_autofd int source = -1;
  stasis_autofd int dest = -1;
  stasis_autofd int probe = socket (AF_INET6, SOCK_STREAM, 0);
  const struct sockaddr_in6 loopback
      = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
  if (strchr (data, '[') != NULL
      && bind (probe, (const struct sockaddr *) &loopback, sizeof loopback) < 0)
    {
      g_test_skip ("no IPv6 here");
      return;
    }
  g_autoptr (StasisMigrateListener) listener = listen_at (data);
  const guint port = stasis_migrate_listener_get_address (listener)->port;
  g_assert_cmpuint (port, >=, STASIS_MIGRATE_PORT_FIRST);
  g_assert_cmpuint (port, <=, STASIS_MIGRATE_PORT_LAST);
  expect_pair (listener, STASIS_CHANNEL_DATA, &source, &dest);
  expect_path (source, dest);
  expect_tuned (source);
  expect_tuned (dest);
}

/* All of this host, by both families. */
static void
test_any (void)
{
  const StasisMigrateAddress any = { 0 };
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisMigrateListener) listener = stasis_migrate_listen (&any, TOKEN, &error);
  g_assert_no_error (error);
  const guint16 port = stasis_migrate_listener_get_address (listener)->port;
  StasisMigrateAddress there = { .host = (char *) "127.0.0.1", .port = port };
  Source source = { &there, TOKEN, STASIS_CHANNEL_ASK, NULL };
  GThread *thread = g_thread_new ("source", run_source, &source);
  StasisChannelPurpose purpose = STASIS_CHANNEL_DATA;
  stasis_autofd int dest
      = stasis_migrate_listener_accept (listener, WAIT_MS, &purpose, NULL, NULL, &error);
  g_assert_no_error (error);
  stasis_autofd int fd = GPOINTER_TO_INT (g_thread_join (thread));
  g_assert_no_error (source.error);
  g_assert_cmpint (purpose, ==, STASIS_CHANNEL_ASK);
  expect_path (fd, dest);
}

static void
test_unix (void)
{
  char *folder = scratch_new ();
  g_autofree char *path = g_build_filename (folder, "migrate.sock", NULL);
  g_autofree char *text = g_strconcat ("unix://", path, NULL);
  StasisMigrateListener *listener = listen_at (text);
  stasis_autofd int source = -1;
  stasis_autofd int dest = -1;
  expect_pair (listener, STASIS_CHANNEL_ASK, &source, &dest);
  expect_path (source, dest);
  stasis_migrate_listener_free (listener);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  scratch_remove (folder);
}

static int
connect_bare (const StasisMigrateListener *listener)
{
  const StasisMigrateAddress *address = stasis_migrate_listener_get_address (listener);
  const struct sockaddr_in there = { .sin_family = AF_INET,
                                     .sin_port = htons (address->port),
                                     .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  const int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_cmpint (connect (fd, (const struct sockaddr *) &there, sizeof there), ==, 0);
  return fd;
}

static void
say (int fd, const char *token, StasisChannelPurpose purpose, gsize size)
{
  char hello[STASIS_HELLO_SIZE];
  stasis_migrate_hello_write (token, purpose, hello);
  g_assert_cmpint (send (fd, hello, size, MSG_NOSIGNAL), ==, (gssize) size);
}

/* Some who say nothing, or half, or something else: the right one gets through at once. */
static void
test_hostile (void)
{
  g_autoptr (StasisMigrateListener) listener = listen_at ("tcp:127.0.0.1");
  stasis_autofd int silent = connect_bare (listener);
  stasis_autofd int slow = connect_bare (listener);
  stasis_autofd int wrong = connect_bare (listener);
  stasis_autofd int garbage = connect_bare (listener);
  stasis_autofd int gone = connect_bare (listener);
  stasis_autofd int source = -1;
  stasis_autofd int dest = -1;
  char octet;
  say (slow, TOKEN, STASIS_CHANNEL_DATA, STASIS_HELLO_SIZE - 1);
  say (wrong, OTHER, STASIS_CHANNEL_DATA, STASIS_HELLO_SIZE);
  g_autofree char *noise = g_strnfill (STASIS_HELLO_SIZE * 100, 'x');
  g_assert_cmpint (send (garbage, noise, strlen (noise), 0), >, 0);
  stasis_fd_clear (&gone);
  expect_pair (listener, STASIS_CHANNEL_DATA, &source, &dest);
  expect_path (source, dest);
  g_assert_cmpint (read (wrong, &octet, 1), ==, 0);
  g_assert_cmpint (read (garbage, &octet, 1), <=, 0);

  /* The slow one has time yet, and was not forgotten. */
  g_assert_cmpint (send (slow, "\n", 1, 0), ==, 1);
  g_autoptr (GError) error = NULL;
  StasisChannelPurpose purpose = STASIS_CHANNEL_ASK;
  stasis_autofd int late
      = stasis_migrate_listener_accept (listener, WAIT_MS, &purpose, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (purpose, ==, STASIS_CHANNEL_DATA);
  char ok[3];
  g_assert_cmpint (read (slow, ok, 3), ==, 3);
  g_assert_cmpmem (ok, 3, "ok\n", 3);
}

/* Who comes with a hello that is not said in time is dropped. */
static void
test_too_slow (void)
{
  g_autoptr (StasisMigrateListener) listener = listen_at ("tcp:127.0.0.1");
  stasis_autofd int slow = connect_bare (listener);
  g_autoptr (GError) error = NULL;
  StasisChannelPurpose purpose = STASIS_CHANNEL_ASK;
  char octet;
  say (slow, TOKEN, STASIS_CHANNEL_DATA, 10);
  g_assert_cmpint (stasis_migrate_listener_accept (listener, 6000, &purpose, NULL, NULL, &error),
                   ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_assert_cmpint (recv (slow, &octet, 1, 0), <=, 0);
}

#define FLOOD 300

/* More than there is room for, who say nothing and stay. */
static void
test_flood (void)
{
  g_autoptr (StasisMigrateListener) listener = listen_at ("tcp:127.0.0.1");
  g_autoptr (GError) error = NULL;
  StasisChannelPurpose purpose = STASIS_CHANNEL_ASK;
  int fds[FLOOD];
  char octet;
  for (guint i = 0; i < FLOOD; i++)
    fds[i] = connect_bare (listener);
  g_assert_cmpint (stasis_migrate_listener_accept (listener, 500, &purpose, NULL, NULL, &error), ==,
                   -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_assert_cmpint (recv (fds[0], &octet, 1, 0), <=, 0); /* the first ones had to go */
  g_assert_cmpint (recv (fds[FLOOD - 1], &octet, 1, MSG_DONTWAIT), ==, -1);
  g_assert_cmpint (errno, ==, EAGAIN);
  stasis_autofd int source = -1;
  stasis_autofd int dest = -1;
  expect_pair (listener, STASIS_CHANNEL_DATA, &source, &dest);
  expect_path (source, dest);
  for (guint i = 0; i < FLOOD; i++)
    close (fds[i]);
}

static gint64
cpu_time_us (void)
{
  struct rusage usage;
  g_assert_cmpint (getrusage (RUSAGE_SELF, &usage), ==, 0);
  return (gint64) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * G_USEC_PER_SEC
         + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

/* Without a descriptor for him he is left waiting, and we wait with him. */
static void
test_no_descriptor (void)
{
  if (scratch_is_in_valgrind ())
    {
      g_test_skip ("valgrind closes what has come where there is no descriptor for it");
      return;
    }
  g_autoptr (StasisMigrateListener) listener = listen_at ("tcp:127.0.0.1");
  g_autoptr (GError) error = NULL;
  StasisChannelPurpose purpose = STASIS_CHANNEL_ASK;
  struct rlimit before;
  stasis_autofd int source = connect_bare (listener);
  char hello[STASIS_HELLO_SIZE];
  stasis_migrate_hello_write (TOKEN, STASIS_CHANNEL_ASK, hello);
  g_assert_cmpint (send (source, hello, sizeof hello, MSG_NOSIGNAL), ==, sizeof hello);
  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &before), ==, 0);
  const int next = dup (source);
  g_assert_cmpint (next, >=, 0);
  close (next);
  const struct rlimit none = { (rlim_t) next, before.rlim_max };
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &none), ==, 0);
  const gint64 begin_us = cpu_time_us ();
  const int fd = stasis_migrate_listener_accept (listener, 1000, &purpose, NULL, NULL, &error);
  const gint64 used_us = cpu_time_us () - begin_us;
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &before), ==, 0);
  g_assert_cmpint (fd, ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_assert_cmpint (used_us, <, 250000);
  g_clear_error (&error);

  stasis_autofd int dest
      = stasis_migrate_listener_accept (listener, WAIT_MS, &purpose, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (dest, >=, 0);
}

static gpointer
cancel_soon (gpointer cancellable)
{
  g_usleep (50000);
  g_cancellable_cancel (cancellable);
  return NULL;
}

static void
test_cancelled (void)
{
  g_autoptr (StasisMigrateListener) listener = listen_at ("tcp:127.0.0.1");
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  StasisChannelPurpose purpose = STASIS_CHANNEL_ASK;
  GThread *thread = g_thread_new ("cancel", cancel_soon, cancellable);
  g_assert_cmpint (
      stasis_migrate_listener_accept (listener, -1, &purpose, NULL, cancellable, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_thread_join (thread);
  g_clear_error (&error);

  /* Nobody accepts: the hello is not answered. */
  g_cancellable_reset (cancellable);
  thread = g_thread_new ("cancel", cancel_soon, cancellable);
  g_assert_cmpint (stasis_migrate_connect (stasis_migrate_listener_get_address (listener), TOKEN,
                                           STASIS_CHANNEL_DATA, WAIT_MS, cancellable, &error),
                   ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_thread_join (thread);
}

static void
expect_no_connection (const char *text, int timeout_ms, int code, const char *fault)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisMigrateAddress) address = stasis_migrate_address_parse (text, &error);
  g_assert_no_error (error);
  g_assert_cmpint (
      stasis_migrate_connect (address, TOKEN, STASIS_CHANNEL_DATA, timeout_ms, NULL, &error), ==,
      -1);
  g_test_message ("%s", error->message);
  g_assert_error (error, G_IO_ERROR, code);
  g_autofree char *shown = stasis_migrate_address_to_string (address);
  g_assert_nonnull (strstr (error->message, shown));
  g_assert_nonnull (strstr (error->message, fault));
}

static void
test_connect_fails (void)
{
  StasisMigrateListener *listener = listen_at ("tcp:127.0.0.1");
  g_autofree char *text
      = stasis_migrate_address_to_string (stasis_migrate_listener_get_address (listener));
  expect_no_connection (text, 100, G_IO_ERROR_TIMED_OUT, "in time"); /* nobody accepts */
  stasis_migrate_listener_free (listener);
  expect_no_connection (text, WAIT_MS, G_IO_ERROR_CONNECTION_REFUSED, "cannot connect");
  expect_no_connection ("unix:///no/such/socket", WAIT_MS, G_IO_ERROR_NOT_FOUND, "");
}

static gpointer
refuse (gpointer listener)
{
  StasisChannelPurpose purpose = STASIS_CHANNEL_ASK;
  return GINT_TO_POINTER (
      stasis_migrate_listener_accept (listener, 1000, &purpose, NULL, NULL, NULL));
}

static void
test_refused (void)
{
  g_autoptr (StasisMigrateListener) listener = listen_at ("tcp:127.0.0.1");
  GThread *thread = g_thread_new ("refuse", refuse, listener);
  g_autoptr (GError) error = NULL;
  g_assert_cmpint (stasis_migrate_connect (stasis_migrate_listener_get_address (listener), OTHER,
                                           STASIS_CHANNEL_DATA, WAIT_MS, NULL, &error),
                   ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED);
  g_assert_nonnull (strstr (error->message, "does not know"));
  g_assert_cmpint (GPOINTER_TO_INT (g_thread_join (thread)), ==, -1);
}

static void
test_port_taken (void)
{
  g_autoptr (StasisMigrateListener) listener = listen_at ("tcp:127.0.0.1");
  g_autoptr (GError) error = NULL;
  g_assert_null (
      stasis_migrate_listen (stasis_migrate_listener_get_address (listener), TOKEN, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE);
  g_assert_nonnull (strstr (error->message, "tcp:127.0.0.1:"));

  /* With none given another one is found. */
  g_autoptr (StasisMigrateListener) other = listen_at ("tcp:127.0.0.1");
  g_assert_cmpint (stasis_migrate_listener_get_address (other)->port, !=,
                   stasis_migrate_listener_get_address (listener)->port);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/driver/migrate-channel/addresses", test_addresses);
  g_test_add_func ("/driver/migrate-channel/addresses/own", test_own_addresses);
  g_test_add_data_func ("/driver/migrate-channel/tcp/number", "tcp:127.0.0.1", test_tcp);
  g_test_add_data_func ("/driver/migrate-channel/tcp/name", "tcp:localhost", test_tcp);
  g_test_add_data_func ("/driver/migrate-channel/tcp/ipv6", "tcp:[::1]", test_tcp);
  g_test_add_func ("/driver/migrate-channel/any", test_any);
  g_test_add_func ("/driver/migrate-channel/unix", test_unix);
  g_test_add_func ("/driver/migrate-channel/hostile", test_hostile);
  g_test_add_func ("/driver/migrate-channel/too-slow", test_too_slow);
  g_test_add_func ("/driver/migrate-channel/flood", test_flood);
  g_test_add_func ("/driver/migrate-channel/no-descriptor", test_no_descriptor);
  g_test_add_func ("/driver/migrate-channel/cancelled", test_cancelled);
  g_test_add_func ("/driver/migrate-channel/connect-fails", test_connect_fails);
  g_test_add_func ("/driver/migrate-channel/refused", test_refused);
  g_test_add_func ("/driver/migrate-channel/port-taken", test_port_taken);
  return g_test_run ();
}
