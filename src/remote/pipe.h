/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pipe.h: an image between a client of ours and the call that writes or reads it
 *
 * Theory of operation
 *
 * The driver has one end of a pair of sockets, as it has a pipe where it is embedded; a thread at
 * the other end sends what it writes in packets of the type stream, with the numbers of the call,
 * or writes there what the client sends.  The reply comes behind all of them.  At most
 * STASIS_PIPE_WINDOW octets are under way: who receives tells how many it has taken so far, and who
 * sends waits for that, without holding up anything else of the connection.
 *
 * Of an image that a domain is saved into it counts what the client's own reader has taken: the
 * client is asked for that before the end of the image is sent, and once more behind it, so a
 * client that goes away before has no complete image, and the guest goes on.  Where its reader goes
 * within the end, the kind of the image tells whether that may have enough (save-sink.c).  Of one
 * that was converted it is enough that the client could write all of it.
 */

#pragma once

#include "driver/save-sink.h"
#include "remote/server-private.h"

G_BEGIN_DECLS

#define STASIS_PIPE_WINDOW (2u * 1024 * 1024)

typedef struct _StasisPipe StasisPipe;

/* @is_out: the driver writes.  @cancellable (nullable) ends the call of a client that goes away
 * before all was sent. */
StasisPipe *stasis_pipe_new (StasisSession *session, const StasisMessageHeader *call,
                             gboolean is_out, GCancellable *cancellable, GError **error);
/* The driver's end (owned by the caller from now on). */
int stasis_pipe_steal_fd (StasisPipe *self);
/* The driver has written all of it and closed its end: wait until the client has it where it
 * belongs.  May be cancelled. */
gboolean stasis_pipe_await_end (StasisPipe *self, GError **error);
/* Whom an image that is written is for, and whose domain goes on unless that has it. */
StasisSaveReader stasis_pipe_reader (StasisPipe *self);
/* The call is over. */
void stasis_pipe_free (StasisPipe *self);

/* On the first thread.  FALSE where it is of no pipe. */
gboolean stasis_pipe_take_packet (StasisSession *session, const StasisMessageHeader *header,
                                  const guint8 *payload, gsize length);
/* The client has gone. */
void stasis_pipes_break (StasisSession *session);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisPipe, stasis_pipe_free)

G_END_DECLS
