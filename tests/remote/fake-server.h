/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fake-server.h: a server that answers a client as a test wants
 */

#pragma once

#include "remote/client.h"
#include "remote/message.h"

#define FAKE_SERVER_URI "stasis+unix:///system?socket=/test"

/* What is done with a packet; FALSE: that was the last. */
typedef gboolean (*FakeAnswer) (int fd, const StasisMessageHeader *header, gpointer data);

typedef struct
{
  int fd;
  FakeAnswer answer;
  gpointer data;
  GThread *thread;
} FakeServer;

/* A client of one, which what opens a connection is answered as by a stasisd. */
StasisClient *fake_server_begin (FakeServer *server, FakeAnswer answer, gpointer data,
                                 guint keepalive_s);
void fake_server_end (FakeServer *server, StasisClient *client);

/* Of a server: the client may have gone by then. */
void fake_server_send (int fd, StasisMessageHeader header, const char *layout,
                       const StasisWireValue *values);
void fake_server_reply (int fd, const StasisMessageHeader *call, const char *layout,
                        const StasisWireValue *values);
