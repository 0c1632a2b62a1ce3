/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * descriptors.h: descriptors that go with packets
 *
 * A packet of type 4 or 5 says in the word behind its header how many it has.  Behind the packet,
 * and not in its length, an octet follows for each of them, which carries it (SCM_RIGHTS).
 */

#pragma once

#include <glib.h>

#include <sys/types.h>

#include "remote/closer.h"

G_BEGIN_DECLS

/* (element-type int) (transfer full): those of a packet, closed soon after the array. */
GArray *stasis_descriptors_new (void);

/* What the socket has, which is not waited for: at most one descriptor, whose octet is the last one
 * then; *@out_fd (owned) or -1.  -1 and errno on failure, which more than one with an octet is.
 * @owner: of those that are not given. */
ssize_t stasis_descriptors_receive (int socket, void *buffer, gsize size, StasisCloserOwner owner,
                                    int *out_fd);
/* Octets, and a descriptor with the first of them; likewise. */
ssize_t stasis_descriptors_send (int socket, const void *buffer, gsize size, int fd);

/* (transfer full): those that have come, and that no packet has got yet. */
GArray *stasis_arrivals_new (void);
/* One more; -1: it is not kept.  @position: how many octets had come with its own.  FALSE where
 * there are more than a packet has. */
gboolean stasis_arrivals_add (GArray *self, int fd_take, guint64 position);
/* All are closed soon. */
void stasis_arrivals_clear (GArray *self);
/* A packet ends at @end, and has @count: *@out (transfer full) (nullable).  FALSE where not each of
 * the octets behind it carries one, or one came with another octet. */
gboolean stasis_arrivals_take (GArray *self, guint64 end, guint count, GArray **out);

G_END_DECLS
