/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * closer.h: closing what others have sent, off the first thread
 *
 * Theory of operation
 *
 * Closing may take as long as the other side likes: a socket waits for what it has not sent yet
 * (SO_LINGER), a file for whoever serves its file system.  So descriptors that a client has sent
 * are closed by threads that do nothing else: one for those of clients that may only read, of which
 * nothing is used, one for all others', so that the first do not hold up the second.  The kernel
 * closes what is thrown away with a message, too, on the thread that received it or that closed the
 * socket: so there is room for all that a message may have, and a connection whose socket still
 * holds octets is closed here as well.
 *
 * A thread may wait for ever; what may wait for it is limited by who gives it work: where
 * stasis_closer_is_full() nothing more is taken from those clients.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Of a client that may only read, or not.  From any thread; at once, and errno is kept. */
void stasis_closer_take (gboolean is_reader, int fd_take);
/* How many wait, with the one that is being closed; any thread. */
guint stasis_closer_waiting (gboolean is_reader);
gboolean stasis_closer_is_full (gboolean is_reader);
/* A connection is over: its other end knows at once, whatever it has left in its socket. */
void stasis_closer_hang_up (gboolean is_reader, int *socket);

G_END_DECLS
