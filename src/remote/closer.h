/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * closer.h: closing what others have sent, off the first thread
 *
 * Theory of operation
 *
 * Closing may take as long as the other side likes: a socket waits for what it has not sent yet
 * (SO_LINGER), a file for whoever serves its file system, and nobody can end that.  So descriptors
 * that a client has sent are closed by threads that do nothing else.  Those who may do more share
 * one.  Of clients that may only read, of which nothing is used, each user has one of his own while
 * he has something to close; there are few of them in all, and where each of them has a user who
 * waits others' have to wait for a free one.
 *
 * The kernel closes what is thrown away with a message, too, on the thread that received it or that
 * closed the socket: so there is room for all that a message may have, and a connection whose
 * socket still holds octets is closed here as well.
 *
 * A thread may wait for ever; what may wait for it is limited by who gives it work: where
 * stasis_closer_is_full() nothing more is read from the clients of that owner; and a reader's
 * connection that is over keeps its place among all clients until it is closed.
 */

#pragma once

#include <sys/types.h>

#include <glib.h>

G_BEGIN_DECLS

/* Whose it is: a user of whom clients may only read, by his uid; or all who may do more. */
typedef gint64 StasisCloserOwner;
#define STASIS_CLOSER_OTHERS ((StasisCloserOwner) -1)

/* Of a client. */
static inline StasisCloserOwner
stasis_closer_owner (gboolean is_reader, uid_t uid)
{
  return is_reader ? (StasisCloserOwner) uid : STASIS_CLOSER_OTHERS;
}

/* From any thread; at once, and errno is kept. */
void stasis_closer_take (StasisCloserOwner owner, int fd_take);
/* How many of it wait, with the one that is being closed; any thread. */
guint stasis_closer_waiting (StasisCloserOwner owner);
gboolean stasis_closer_is_full (StasisCloserOwner owner);
/* A connection is over: its other end knows at once, whatever it has left in its socket. */
void stasis_closer_hang_up (StasisCloserOwner owner, int *socket);
/* Connections of readers that are over, and not closed yet; any thread. */
guint stasis_closer_n_connections (void);

G_END_DECLS
