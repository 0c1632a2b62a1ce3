/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peer.c: the other end of a monitor's socket, saying what no QEMU would say
 *
 * This is an attacker, not a stand-in for QEMU: the tests of what QEMU does run a real one.
 */

#include "config.h"

#include "peer.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/fd.h"

static gpointer
run_peer (gpointer data)
{
  Peer *peer = data;
  peer->run (peer->socket, peer->data);
  stasis_fd_clear (&peer->socket);
  return NULL;
}

Peer *
peer_start (void (*run) (int socket, gconstpointer data), gconstpointer data)
{
  int ends[2];
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
  Peer *peer = g_new0 (Peer, 1);
  peer->socket = ends[0];
  peer->monitor_end = ends[1];
  peer->run = run;
  peer->data = data;
  peer->thread = g_thread_new ("peer", run_peer, peer);
  return peer;
}

void
peer_end (Peer *peer)
{
  stasis_fd_clear (&peer->monitor_end);
  g_thread_join (peer->thread);
  g_free (peer);
}

/* Looks before it takes, so that what follows the line stays. */
char *
peer_read_line (int socket)
{
  g_autoptr (GString) line = g_string_new (NULL);
  char buffer[65536];
  for (;;)
    {
      gssize n = recv (socket, buffer, sizeof buffer, MSG_PEEK);
      if (n <= 0)
        return NULL;
      const char *end = memchr (buffer, '\n', (gsize) n);
      if (end != NULL)
        n = end - buffer + 1;
      g_assert_cmpint (recv (socket, buffer, (gsize) n, MSG_WAITALL), ==, n);
      g_string_append_len (line, buffer, end != NULL ? n - 1 : n);
      if (end != NULL)
        return g_string_free (g_steal_pointer (&line), FALSE);
    }
}

void
peer_say (int socket, const char *text)
{
  gsize left = strlen (text);
  while (left > 0)
    {
      const gssize n = send (socket, text, left, MSG_NOSIGNAL);
      if (n <= 0)
        return;
      text += n;
      left -= (gsize) n;
    }
}

void
peer_negotiate (int socket)
{
  peer_say (socket, PEER_GREETING);
  g_free (peer_read_line (socket));
  peer_say (socket, "{\"return\": {}, \"id\": \"stasis-1\"}\r\n");
}

void
peer_wait_hangup (int socket)
{
  char buffer[4096];
  while (read (socket, buffer, sizeof buffer) > 0)
    ;
}

StasisMonitor *
peer_open (Peer *peer, const char *log_path)
{
  g_autoptr (GError) error = NULL;
  StasisMonitor *monitor = stasis_monitor_open (stasis_fd_steal (&peer->monitor_end), log_path, 0,
                                                10000, NULL, &error);
  g_assert_no_error (error);
  return monitor;
}
