/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream.h: octets between a client and a descriptor of this host
 *
 * Theory of operation
 *
 * A call may leave a descriptor; its reply is followed by packets of the type stream, with the
 * call's own numbers, both ways.  The first thread alone has to do with them.  What the client
 * sends is kept until the descriptor takes it; where that is too much the connection is not read
 * any more, and a stream whose descriptor takes nothing for long is ended by us.  The descriptor is
 * not read from while the client does not take what was sent to it, nor beyond what a client of
 * ours allows: it has other use for its connection.  An empty packet says that no more comes from
 * us; the client ends the stream in any case, with or without an error, and is answered.  A stream
 * that has ended is unknown: packets for it may still be under way.
 */

#pragma once

#include "remote/server-private.h"

G_BEGIN_DECLS

/* From any thread: the call has succeeded with a descriptor (consumed), and this is its reply. */
void stasis_stream_open (StasisSession *session, const StasisMessageHeader *call, int fd_take,
                         GByteArray *reply_take);

/* From any thread: of the stream that the call of this serial has opened no more than @count octets
 * are sent in all, until more are allowed.  One that there is not is passed over. */
void stasis_stream_allow (StasisSession *session, guint32 serial, guint64 count);

/* On the first thread, all of these. */
void stasis_stream_take_packet (StasisSession *session, const StasisMessageHeader *header,
                                const guint8 *payload, gsize length);
/* Nothing more is to be read from the client for now. */
gboolean stasis_streams_are_full (const StasisSession *session);
/* The client has taken something. */
void stasis_streams_go_on (StasisSession *session);
/* Once in a second. */
void stasis_streams_tick (StasisSession *session, gint64 now);
GPtrArray *stasis_streams_new (void);

G_END_DECLS
