/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream-join.c: octets that were read already, and then the rest
 *
 * What a pipe begins with can be looked at once only; whoever looked puts it back this way.
 */

#include "config.h"

#include "image/stream-join.h"

#include <string.h>

typedef struct
{
  StasisStreamIn base;
  GBytes *first;        /* (owned, nullable) */
  gsize offset;         /* of what is still to come of it */
  StasisStreamIn *rest; /* (borrowed) */
} Joined;

static gssize
joined_read (StasisStreamIn *base, void *octets, gsize size, GCancellable *cancellable,
             GError **error)
{
  Joined *self = (Joined *) base;
  gsize total = 0;
  const guint8 *data = self->first == NULL ? NULL : g_bytes_get_data (self->first, &total);
  const gsize n = MIN (size, total - self->offset);
  if (n == 0)
    return stasis_stream_in_read (self->rest, octets, size, cancellable, error);

  memcpy (octets, data + self->offset, n);
  self->offset += n;
  return (gssize) n;
}

static void
joined_free (StasisStreamIn *base)
{
  Joined *self = (Joined *) base;
  g_clear_pointer (&self->first, g_bytes_unref);
  g_free (self);
}

/* First the octets of @first, then those of @rest. */
StasisStreamIn *
stasis_stream_in_new_joined (GBytes *first, StasisStreamIn *rest)
{
  Joined *self = g_new0 (Joined, 1);
  self->base.read = joined_read;
  self->base.free = joined_free;
  self->first = first == NULL ? NULL : g_bytes_ref (first);
  self->rest = rest;
  return &self->base;
}
