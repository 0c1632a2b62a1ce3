/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peer.h: the other end of a monitor's socket, saying what no QEMU would say
 */

#pragma once

#include "monitor/monitor.h"

#define PEER_GREETING \
  "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 2, \"minor\": 1, \"major\": 9}," \
  " \"package\": \"suffix\"}, \"capabilities\": [\"oob\"]}}\r\n"

typedef struct
{
  int socket;      /* (owned) its end */
  int monitor_end; /* (owned) for stasis_monitor_open */
  GThread *thread; /* (owned) (nullable) */
  void (*run) (int socket, gconstpointer data);
  gconstpointer data;
} Peer;

/* A socket pair, with @run in a thread at the far end; the end is closed when it returns. */
Peer *peer_start (void (*run) (int socket, gconstpointer data), gconstpointer data);
/* Join the thread. */
void peer_end (Peer *peer);

/* For run: take one line, (transfer full), or NULL at the end. */
char *peer_read_line (int socket);
void peer_say (int socket, const char *text);
/* Greet and take the negotiation. */
void peer_negotiate (int socket);
/* Wait for the monitor to hang up. */
void peer_wait_hangup (int socket);

/* A monitor that has negotiated with this peer. */
StasisMonitor *peer_open (Peer *peer, const char *log_path);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Peer, peer_end)
