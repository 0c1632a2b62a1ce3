/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * flat.c: a guest's memory in place from the first octet of a file on
 *
 * Theory of operation
 *
 * A QEMU before 9.0 maps a file as a guest's memory, but from its beginning only, and writes its
 * state as one stream in which the pages have heads.  A flat file is such an image's memory laid
 * out as that QEMU wants it: zero pages are holes.  Behind the memory, where QEMU does not look,
 * stand the same stream without those pages, which it is fed, the hashes of the memory in chunks of
 * 1 MiB, the caller's note of whose memory it is, and what says how long all that is (flat-end.c).
 *
 * It is one file, so that it is complete or not there, and one lock is for all of it.  It can be
 * made again from the image at any time, so nobody has to be able to read it but who wrote it:
 * another version of it is thrown away.
 */

#include "config.h"

#include "image/flat.h"

#include <inttypes.h>
#include <string.h>

#include <glib/gi18n-lib.h>

#include "image/chunks.h"
#include "image/error.h"
#include "image/flat-end.h"
#include "image/hash-table.h"
#include "util/fd.h"

struct _StasisFlat
{
  int fd; /* (borrowed) */
  StasisFlatEnd end;
  GBytes *stream; /* (owned) */
  GBytes *table;  /* (owned) */
  char *note;     /* (owned) */
};

/* TRUE where it ends as one. */
gboolean
stasis_flat_is (int fd)
{
  StasisFlatEnd end;
  g_autoptr (GError) error = NULL;
  return stasis_flat_end_read (fd, &end, &error)
         || !g_error_matches (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_NOT_AN_IMAGE);
}

/* @size octets that have that hash. */
static GBytes *
read_part (int fd, guint64 offset, guint64 size, const StasisHash *hash, GError **error)
{
  g_autofree guint8 *octets = g_malloc (size + 1);
  octets[size] = '\0';
  if (!stasis_fd_pread_exact (fd, octets, size, offset, error))
    return NULL;
  const StasisHash found = stasis_hash (octets, size);
  if (stasis_hash_equal (&found, hash))
    return g_bytes_new_take (g_steal_pointer (&octets), size);
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
               _ ("flat file: damage in [%1$#" PRIx64 ", %2$#" PRIx64 ")"), offset, offset + size);
  return NULL;
}

static char *
read_note (int fd, const StasisFlatEnd *end, GError **error)
{
  const guint64 offset = end->ram_length + end->stream_length + end->table_length;
  g_autoptr (GBytes) note = read_part (fd, offset, end->note_length, &end->note_hash, error);
  return note != NULL ? g_strndup (g_bytes_get_data (note, NULL), end->note_length) : NULL;
}

/* The note alone. */
char *
stasis_flat_read_note (int fd)
{
  StasisFlatEnd end;
  return stasis_flat_end_read (fd, &end, NULL) ? read_note (fd, &end, NULL) : NULL;
}

static StasisBody
body_of (const StasisFlat *self)
{
  return (StasisBody){ .offset = 0, .end = self->end.ram_length };
}

static gboolean
read_parts (StasisFlat *self, GError **error)
{
  const StasisFlatEnd *end = &self->end;
  const StasisBody body = body_of (self);
  guint64 offset = end->ram_length;
  self->stream = read_part (self->fd, offset, end->stream_length, &end->stream_hash, error);
  if (self->stream == NULL)
    return FALSE;
  offset += end->stream_length;
  self->table = read_part (self->fd, offset, end->table_length, &end->table_hash, error);
  if (self->table == NULL || !stasis_hash_table_check (self->table, &body, error))
    return FALSE;
  self->note = read_note (self->fd, end, error);
  return self->note != NULL;
}

/* All but the pages. */
StasisFlat *
stasis_flat_open (int fd, GError **error)
{
  g_autoptr (StasisFlat) self = g_new0 (StasisFlat, 1);
  self->fd = fd;
  if (!stasis_flat_end_read (fd, &self->end, error) || !read_parts (self, error))
    return NULL;
  return g_steal_pointer (&self);
}

guint64
stasis_flat_length (const StasisFlat *self)
{
  return self->end.ram_length;
}

GBytes *
stasis_flat_stream (const StasisFlat *self)
{
  return self->stream;
}

const char *
stasis_flat_note (const StasisFlat *self)
{
  return self->note;
}

static gboolean
visit (guint64 index, StasisChunkReader *reader, G_GNUC_UNUSED gpointer thread_data, gpointer data,
       GError **error)
{
  const StasisFlat *self = data;
  const StasisBody body = body_of (self);
  guint64 start, end;
  StasisHash found;
  stasis_body_chunk (&body, index, &start, &end);
  if (!stasis_chunk_reader_hash (reader, start, end, NULL, NULL, &found, error))
    return FALSE;
  const StasisHash expected = stasis_hash_table_get (self->table, index);
  if (stasis_hash_equal (&found, &expected))
    return TRUE;
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
               _ ("flat file: damage in the guest's memory [%1$#" PRIx64 ", %2$#" PRIx64 ")"),
               start, end);
  return FALSE;
}

/* All of the pages. */
gboolean
stasis_flat_verify (const StasisFlat *self, guint n_threads, GCancellable *cancellable,
                    GError **error)
{
  const StasisChunkPass pass = {
    .fd = self->fd,
    .body = body_of (self),
    .n_threads = n_threads,
    .visit = visit,
    .data = (gpointer) self,
  };
  return stasis_chunk_pass_run (&pass, cancellable, error);
}

/* NULL is fine. */
void
stasis_flat_free (StasisFlat *self)
{
  if (self == NULL)
    return;
  g_clear_pointer (&self->stream, g_bytes_unref);
  g_clear_pointer (&self->table, g_bytes_unref);
  g_free (self->note);
  g_free (self);
}
