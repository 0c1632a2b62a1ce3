/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * streams.h: streams from and to memory, for tests of filters and formats
 */

#pragma once

#include "util/stream.h"

G_BEGIN_DECLS

/* The octets in pieces of at most @piece. */
StasisStreamIn *streams_dribble (GBytes *bytes, gsize piece);

/* A sink that appends to @into (borrowed). */
StasisStreamOut *streams_collect (GByteArray *into);

/* (transfer full) All that comes; NULL and @error on failure. */
GBytes *streams_drain (StasisStreamIn *in, GCancellable *cancellable, GError **error);

/* (transfer full) Something that can be compressed, but not too well, and is not the same anywhere.
 */
GBytes *streams_octets (gsize size);

/* (transfer full) The first @size octets; @size octets followed by @more; one bit of octet @at
 * turned. */
GBytes *streams_cut (GBytes *bytes, gsize size);
GBytes *streams_append (GBytes *bytes, const void *more, gsize size);
GBytes *streams_flip (GBytes *bytes, gsize at, guint bit);

/* Put octets into an unnamed file. */
int streams_file (GBytes *bytes);

/* (transfer full) All of a file. */
GBytes *streams_read_file (int fd);

G_END_DECLS
