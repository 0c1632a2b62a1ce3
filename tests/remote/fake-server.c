/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fake-server.c: a server that answers a client as a test wants
 */

#include "config.h"

#include "fake-server.h"

#include <sys/socket.h>
#include <unistd.h>

#include "util/fd.h"

void
fake_server_send (int fd, StasisMessageHeader header, const char *layout,
                  const StasisWireValue *values)
{
  g_autoptr (GByteArray) message = stasis_message_begin (&header);
  stasis_wire_encode (message, layout, values);
  stasis_message_end (message);
  /* The client may have gone by now. */
  stasis_fd_write_exact (fd, message->data, message->len, NULL);
}

void
fake_server_reply (int fd, const StasisMessageHeader *call, const char *layout,
                   const StasisWireValue *values)
{
  StasisMessageHeader header = *call;
  header.type = STASIS_MESSAGE_REPLY;
  fake_server_send (fd, header, layout, values);
}

static gboolean
read_packet (int fd, StasisMessageHeader *out_header)
{
  guint8 head[STASIS_MESSAGE_SIZE_MIN];
  if (!stasis_fd_read_exact (fd, head, sizeof head, NULL))
    return FALSE;
  const guint32 size = stasis_message_parse_size (head);
  stasis_message_parse_header (head + STASIS_MESSAGE_LENGTH_SIZE, out_header);
  g_autofree guint8 *rest = g_malloc (size);
  return size == sizeof head || stasis_fd_read_exact (fd, rest, size - sizeof head, NULL);
}

/* What opens a connection is answered as stasisd does. */
static gboolean
open_as_stasisd (int fd, const StasisMessageHeader *header)
{
  const StasisWireValue one[] = { { .u = 1 } };
  const StasisWireValue none[] = { { 0 } };
  const StasisProcedure *procedure = stasis_procedure_find (header->program, header->procedure);
  if (g_str_equal (procedure->name, "auth-list"))
    fake_server_reply (fd, header, "I", none);
  else if (g_str_equal (procedure->name, "connect-supports-feature")
           || g_str_equal (procedure->name, "get-version"))
    fake_server_reply (fd, header, "u", one);
  else if (g_str_equal (procedure->name, "connect-open")
           || g_str_equal (procedure->name, "connect-close"))
    fake_server_reply (fd, header, "", none);
  else
    return FALSE;
  return TRUE;
}

static gpointer
serve (gpointer data)
{
  FakeServer *server = data;
  StasisMessageHeader header;
  while (read_packet (server->fd, &header))
    if (header.program == STASIS_PROGRAM_KEEPALIVE || !open_as_stasisd (server->fd, &header))
      if (!server->answer (server->fd, &header, server->data))
        break;
  shutdown (server->fd, SHUT_RDWR);
  return NULL;
}

StasisClient *
fake_server_begin (FakeServer *server, FakeAnswer answer, gpointer data, guint keepalive_s)
{
  int pair[2];
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
  *server = (FakeServer){ .fd = pair[0], .answer = answer, .data = data };
  server->thread = g_thread_new ("server", serve, server);
  g_autoptr (GError) error = NULL;
  const StasisClientStream stream = { .fd = pair[1], .keepalive_s = keepalive_s };
  StasisClient *client = stasis_client_open (&stream, FAKE_SERVER_URI, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (stasis_client_is_own (client));
  return client;
}

void
fake_server_end (FakeServer *server, StasisClient *client)
{
  stasis_client_free (client);
  g_thread_join (server->thread);
  close (server->fd);
}
