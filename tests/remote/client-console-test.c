/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client-console-test.c: tests of src/remote/client-console.c, against a server that floods it
 */

#include "config.h"

#include "remote/client-console.h"

#include <string.h>
#include <unistd.h>

#include "fake-server.h"
#include "util/fd.h"

#define PIECE 65536u
#define MIB   (1024u * 1024)

/* Says @to_say octets once a console is open. */
typedef struct
{
  gsize to_say;
  GMutex lock;
  guint n_aborts;
  guint n_allowed; /* how often it has allowed more */
} Guest;

static void
say (int fd, const StasisMessageHeader *call, gsize count)
{
  g_autofree guint8 *octets = g_malloc0 (PIECE);
  StasisMessageHeader header = *call;
  header.type = STASIS_MESSAGE_STREAM;
  header.status = STASIS_MESSAGE_CONTINUE;
  for (gsize said = 0; said < count; said += PIECE)
    {
      g_autoptr (GByteArray) message = stasis_message_begin (&header);
      g_byte_array_append (message, octets, PIECE);
      stasis_message_end (message);
      stasis_fd_write_exact (fd, message->data, message->len, NULL);
    }
}

static void
take_stream (Guest *guest, int fd, const StasisMessageHeader *header)
{
  StasisMessageHeader answer = *header;
  if (header->status == STASIS_MESSAGE_ERROR)
    guest->n_aborts++;
  answer.status = STASIS_MESSAGE_OK;
  if (header->status != STASIS_MESSAGE_CONTINUE)
    fake_server_send (fd, answer, "", NULL);
}

static gboolean
answer (int fd, const StasisMessageHeader *header, gpointer data)
{
  Guest *guest = data;
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&guest->lock);
  const StasisWireValue text[] = { { .s = (char *) "host" } };
  const StasisProcedure *procedure = stasis_procedure_find (header->program, header->procedure);
  if (header->type == STASIS_MESSAGE_STREAM)
    take_stream (guest, fd, header);
  else if (procedure != NULL && g_str_equal (procedure->name, "connect-get-hostname"))
    fake_server_reply (fd, header, "s", text);
  else if (procedure != NULL && g_str_equal (procedure->name, "domain-open-console"))
    {
      fake_server_reply (fd, header, "", NULL);
      say (fd, header, guest->to_say);
    }
  else if (procedure != NULL && g_str_equal (procedure->name, "stream-allow"))
    guest->n_allowed++;
  return TRUE;
}

static int
open_console (StasisClient *client)
{
  StasisWireDomain domain = { .name = (char *) "vm", .id = 1 };
  const StasisWireValue args[] = { { .domain = &domain }, { .s = NULL }, { .u = 0 } };
  g_autoptr (GError) error = NULL;
  const int fd = stasis_client_console_open (client, args, &error);
  g_assert_no_error (error);
  return fd;
}

static gpointer
ask_host (gpointer data)
{
  StasisClient *client = data;
  StasisWireValue rets[1];
  g_autoptr (GError) error = NULL;
  stasis_client_call (client, STASIS_PROGRAM_REMOTE, "connect-get-hostname", NULL, rets, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (rets[0].s, ==, "host");
  stasis_client_clear (STASIS_PROGRAM_REMOTE, "connect-get-hostname", rets);
  return NULL;
}

/* Until it ends. */
static gsize
read_all (int fd)
{
  static guint8 octets[PIECE];
  gsize count = 0;
  gssize n;
  while ((n = read (fd, octets, sizeof octets)) > 0)
    count += (gsize) n;
  g_assert_cmpint (n, ==, 0);
  return count;
}

/* Somebody else has to get through; then the console is at its end, with what was kept of it. */
static void
test_unread (void)
{
  Guest guest = { .to_say = 32 * MIB };
  FakeServer server;
  StasisClient *client = fake_server_begin (&server, answer, &guest, 5);
  g_test_expect_message ("stasis-driver", G_LOG_LEVEL_WARNING, "*is lost*nobody takes*");
  stasis_autofd int fd = open_console (client);
  ask_host (client);
  const gsize count = read_all (fd);
  g_assert_cmpuint (count, >=, 8 * MIB);
  g_assert_cmpuint (count, <, 16 * MIB);
  g_test_assert_expected_messages ();
  ask_host (client);
  fake_server_end (&server, client);
  g_assert_cmpuint (guest.n_aborts, ==, 1);
}

/* Nobody else wants anything: it is as if it were a pipe. */
static void
test_alone (void)
{
  Guest guest = { .to_say = 32 * MIB };
  FakeServer server;
  StasisClient *client = fake_server_begin (&server, answer, &guest, 5);
  stasis_autofd int fd = open_console (client);
  g_usleep (G_USEC_PER_SEC / 2);
  g_autofree guint8 *octets = g_malloc (guest.to_say);
  g_autoptr (GError) error = NULL;
  stasis_fd_read_exact (fd, octets, guest.to_say, &error);
  g_assert_no_error (error);
  stasis_fd_clear (&fd);
  ask_host (client);
  fake_server_end (&server, client);
  g_assert_cmpuint (guest.n_aborts, ==, 0);
  g_assert_cmpuint (guest.n_allowed, >=, 3); /* a stasisd would have waited for that */
}

static guint
count_in (const char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  guint count = 0;
  while (g_dir_read_name (dir) != NULL)
    count++;
  return count;
}

static gboolean
wait_for_at_most (const char *folder, guint count)
{
  for (guint i = 0; i < 6000 && count_in (folder) > count; i++)
    g_usleep (10 * G_TIME_SPAN_MILLISECOND);
  return count_in (folder) <= count;
}

/* Those that were closed, here or there, leave nothing behind while the connection lives. */
static void
test_closed (void)
{
  Guest guest = { .to_say = PIECE };
  FakeServer server;
  StasisClient *client = fake_server_begin (&server, answer, &guest, 5);
  const guint n_fds = count_in ("/proc/self/fd");
  const guint n_threads = count_in ("/proc/self/task");
  guint8 octet;
  for (guint i = 0; i < 50; i++)
    {
      stasis_autofd int fd = open_console (client);
      if (i % 2 != 0)
        g_assert_cmpint (read (fd, &octet, 1), ==, 1);
      if (i % 7 == 0)
        g_assert_cmpuint (write (fd, "typed", 5), ==, 5);
    }
  g_assert_true (wait_for_at_most ("/proc/self/fd", n_fds));
  g_assert_true (wait_for_at_most ("/proc/self/task", n_threads));
  ask_host (client);
  stasis_autofd int open = open_console (client);
  fake_server_end (&server, client);
  g_assert_cmpuint (read_all (open), <=, PIECE);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/remote/client-console/unread", test_unread);
  g_test_add_func ("/remote/client-console/alone", test_alone);
  g_test_add_func ("/remote/client-console/closed", test_closed);
  return g_test_run ();
}
