/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pipe-test.c: tests of src/remote/pipe.c: when an image may have arrived
 */

#include "config.h"

#include "remote/pipe.h"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/fd.h"

#define IMAGE 1000u
#define END   10u

/* A server that is only what a session and its pipe look at. */
typedef struct
{
  StasisServer server;
  StasisSession *session;
  StasisMessageHeader call;
  StasisPipe *pipe;
  int client; /* the other end of the connection */
  int driver; /* what the image is written into */
} Fixture;

static void
set_up (Fixture *self, gconstpointer data)
{
  int ends[2];
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
  self->server.context = g_main_context_new ();
  self->client = ends[0];
  self->session = stasis_session_new (&self->server, ends[1], FALSE);
  self->call = (StasisMessageHeader){
    .program = STASIS_PROGRAM_OWN, .version = STASIS_PROGRAM_VERSION, .procedure = 46, .serial = 7
  };
  self->pipe = stasis_pipe_new (self->session, &self->call, TRUE, NULL, NULL);
  g_assert_nonnull (self->pipe);
  self->driver = stasis_pipe_steal_fd (self->pipe);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  stasis_fd_clear (&self->driver);
  stasis_fd_clear (&self->client);
  stasis_pipe_free (self->pipe);
  stasis_session_unref (self->session);
  g_main_context_unref (self->server.context);
}

static void
write_image (Fixture *self, gsize size)
{
  g_autofree guint8 *octets = g_malloc0 (size);
  g_assert_true (stasis_fd_write_exact (self->driver, octets, size, NULL));
}

/* Octets of the image in the next packet. */
static gsize
take_packet (Fixture *self)
{
  guint8 octets[STASIS_MESSAGE_SIZE_MIN + IMAGE];
  g_assert_true (stasis_fd_read_exact (self->client, octets, STASIS_MESSAGE_SIZE_MIN, NULL));
  const guint32 size = stasis_message_parse_size (octets);
  g_assert_cmpuint (size, >=, STASIS_MESSAGE_SIZE_MIN);
  g_assert_cmpuint (size, <=, sizeof octets);
  const gsize length = size - STASIS_MESSAGE_SIZE_MIN;
  g_assert_true (stasis_fd_read_exact (self->client, octets, length, NULL));
  return length;
}

static void
answer (Fixture *self, StasisMessageStatus status, guint64 count)
{
  const StasisWireValue values[] = { { .ul = count } };
  g_autoptr (GByteArray) payload = g_byte_array_new ();
  StasisMessageHeader header = self->call;
  header.type = STASIS_MESSAGE_STREAM;
  header.status = status;
  if (status != STASIS_MESSAGE_ERROR)
    stasis_wire_encode (payload, "U", values);
  g_assert_true (stasis_pipe_take_packet (self->session, &header, payload->data, payload->len));
}

static gboolean
look_at (Fixture *self, guint64 octets, gboolean may_lack_some, GError **error)
{
  gboolean is_taken = FALSE;
  const StasisSaveReader reader = stasis_pipe_reader (self->pipe);
  return reader.look (reader.data, octets, may_lack_some, &is_taken, error) && is_taken;
}

static gboolean
look (Fixture *self, guint64 octets, GError **error)
{
  return look_at (self, octets, FALSE, error);
}

/* All but its end has come, and the client's reader has it. */
static void
send_beginning (Fixture *self)
{
  write_image (self, IMAGE);
  for (gsize got = 0; got < IMAGE;)
    got += take_packet (self);
  /* Asked for as soon as the thread knows that it has sent it. */
  guint8 octet;
  do
    g_assert_false (look (self, IMAGE, NULL));
  while (recv (self->client, &octet, 1, MSG_PEEK | MSG_DONTWAIT) < 0);
  g_assert_cmpuint (take_packet (self), ==, 0);
  answer (self, STASIS_MESSAGE_OK, IMAGE);
  g_assert_true (look (self, IMAGE, NULL));
}

static void
test_before_end (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  send_beginning (self);
  stasis_pipes_break (self->session);
  g_assert_false (look (self, IMAGE + END, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE);
}

/* Before it was asked whether its reader has it. */
static void
test_behind_end (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  send_beginning (self);
  write_image (self, END);
  g_assert_cmpuint (take_packet (self), ==, END);
  stasis_pipes_break (self->session);
  g_assert_false (look (self, IMAGE + END, &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_FAILED);
}

static void
test_within_end (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  send_beginning (self);
  write_image (self, 1);
  g_assert_cmpuint (take_packet (self), ==, 1);
  stasis_pipes_break (self->session);
  g_assert_false (look (self, IMAGE + END, &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_FAILED);
}

/* The client knows that its reader has left the end. */
static void
test_unread (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  send_beginning (self);
  write_image (self, END);
  g_assert_cmpuint (take_packet (self), ==, END);
  answer (self, STASIS_MESSAGE_ERROR, 0);
  stasis_pipes_break (self->session);
  g_assert_false (look (self, IMAGE + END, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE);
}

/* The same of a kind whose readers may do without some of it. */
static void
test_unread_long (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  send_beginning (self);
  write_image (self, END);
  g_assert_cmpuint (take_packet (self), ==, END);
  answer (self, STASIS_MESSAGE_ERROR, 0);
  g_assert_false (look_at (self, IMAGE + END, TRUE, &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_FAILED);
}

/* Its reader goes before any of the end was sent. */
static void
test_unread_before (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  send_beginning (self);
  answer (self, STASIS_MESSAGE_ERROR, 0);
  g_assert_false (look_at (self, IMAGE + END, TRUE, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  signal (SIGPIPE, SIG_IGN);
  g_test_add ("/remote/pipe/before-end", Fixture, NULL, set_up, test_before_end, tear_down);
  g_test_add ("/remote/pipe/behind-end", Fixture, NULL, set_up, test_behind_end, tear_down);
  g_test_add ("/remote/pipe/within-end", Fixture, NULL, set_up, test_within_end, tear_down);
  g_test_add ("/remote/pipe/unread", Fixture, NULL, set_up, test_unread, tear_down);
  g_test_add ("/remote/pipe/unread-long", Fixture, NULL, set_up, test_unread_long, tear_down);
  g_test_add ("/remote/pipe/unread-before", Fixture, NULL, set_up, test_unread_before, tear_down);
  return g_test_run ();
}
