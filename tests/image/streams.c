/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * streams.c: streams from and to memory, for tests of filters and formats
 */

#include "config.h"

#include "streams.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "util/fd.h"

typedef struct
{
  StasisStreamIn base;
  StasisStreamIn *bytes; /* (owned) */
  gsize piece;
} Dribble;

static gssize
dribble_read (StasisStreamIn *base, void *octets, gsize size, GCancellable *cancellable,
              GError **error)
{
  const Dribble *self = (const Dribble *) base;
  return stasis_stream_in_read (self->bytes, octets, MIN (size, self->piece), cancellable, error);
}

static void
dribble_free (StasisStreamIn *base)
{
  stasis_stream_in_free (((Dribble *) base)->bytes);
  g_free (base);
}

/* The octets in pieces of at most @piece. */
StasisStreamIn *
streams_dribble (GBytes *bytes, gsize piece)
{
  Dribble *self = g_new0 (Dribble, 1);
  self->base.read = dribble_read;
  self->base.free = dribble_free;
  self->bytes = stasis_stream_in_new_bytes (bytes);
  self->piece = piece;
  return &self->base;
}

typedef struct
{
  StasisStreamOut base;
  GByteArray *into; /* (borrowed) */
} Collect;

static gboolean
collect_write (StasisStreamOut *base, const void *octets, gsize size, GCancellable *cancellable,
               GError **error)
{
  g_byte_array_append (((Collect *) base)->into, octets, (guint) size);
  return TRUE;
}

static void
collect_free (StasisStreamOut *base)
{
  g_free (base);
}

/* A sink that appends to @into. */
StasisStreamOut *
streams_collect (GByteArray *into)
{
  Collect *self = g_new0 (Collect, 1);
  self->base.write = collect_write;
  self->base.free = collect_free;
  self->into = into;
  return &self->base;
}

/* All that comes. */
GBytes *
streams_drain (StasisStreamIn *in, GCancellable *cancellable, GError **error)
{
  g_autoptr (GByteArray) all = g_byte_array_new ();
  g_autoptr (StasisStreamOut) out = streams_collect (all);
  if (!stasis_stream_copy (in, out, NULL, NULL, cancellable, error))
    return NULL;
  return g_byte_array_free_to_bytes (g_steal_pointer (&all));
}

/* Something that can be compressed, but not too well, and is not the same anywhere. */
GBytes *
streams_octets (gsize size)
{
  guint8 *octets = g_malloc (size + 1);
  guint32 state = 1;
  for (gsize i = 0; i < size; i++)
    {
      state = state * 1103515245u + 12345u;
      octets[i] = (guint8) (i & 64 ? i >> 7 : state >> 24);
    }
  return g_bytes_new_take (octets, size);
}

/* The first @size octets. */
GBytes *
streams_cut (GBytes *bytes, gsize size)
{
  return g_bytes_new_from_bytes (bytes, 0, size);
}

/* The octets, then some more. */
GBytes *
streams_append (GBytes *bytes, const void *more, gsize size)
{
  GByteArray *array = g_byte_array_new ();
  g_byte_array_append (array, g_bytes_get_data (bytes, NULL), (guint) g_bytes_get_size (bytes));
  g_byte_array_append (array, more, (guint) size);
  return g_byte_array_free_to_bytes (array);
}

/* The octets with one bit turned. */
GBytes *
streams_flip (GBytes *bytes, gsize at, guint bit)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (bytes, &size);
  guint8 *copy = g_memdup2 (data, size);
  copy[at] ^= (guint8) (1u << bit);
  return g_bytes_new_take (copy, size);
}

/* Put octets into an unnamed file. */
int
streams_file (GBytes *bytes)
{
  const int fd = open (g_get_tmp_dir (), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  g_assert_cmpint (fd, >=, 0);
  gsize size;
  const void *data = g_bytes_get_data (bytes, &size);
  g_assert_true (stasis_fd_pwrite_exact (fd, data, size, 0, NULL));
  return fd;
}

/* All of a file. */
GBytes *
streams_read_file (int fd)
{
  struct stat st;
  g_assert_cmpint (fstat (fd, &st), ==, 0);
  guint8 *octets = g_malloc ((gsize) st.st_size + 1);
  g_assert_true (stasis_fd_pread_exact (fd, octets, (gsize) st.st_size, 0, NULL));
  return g_bytes_new_take (octets, (gsize) st.st_size);
}
