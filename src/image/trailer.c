/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * trailer.c: the form of 2007: QEMU's plain stream, and a UUID behind it
 *
 * The domain's definition is elsewhere; the UUID tells which it is.  Nothing in front says how long
 * the stream is, so whoever reads from a pipe keeps the last 33 octets back until the end has come:
 * they are the trailer then.
 */

#include "config.h"

#include "image/trailer.h"

#include <string.h>
#include <sys/stat.h>

#include <glib/gi18n-lib.h>

#include "image/error.h"
#include "image/plain-stream.h"
#include "util/fd.h"

#define PIECE (256u * 1024)

static const char magic[] = "LibvirtQemudUUID"; /* its NUL belongs to it */

G_STATIC_ASSERT (sizeof magic + STASIS_UUID_SIZE == STASIS_TRAILER_SIZE);

/* TRUE where these are the octets of a trailer. */
gboolean
stasis_trailer_decode (const guint8 octets[STASIS_TRAILER_SIZE], guint8 out_uuid[STASIS_UUID_SIZE])
{
  if (memcmp (octets, magic, sizeof magic) != 0)
    return FALSE;
  memcpy (out_uuid, octets + sizeof magic, STASIS_UUID_SIZE);
  return TRUE;
}

static gboolean
throw_no_trailer (const char *what, GError **error)
{
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
               _ ("%1$sno UUID stands at the end: it is cut, or a bare stream of QEMU"), what);
  return FALSE;
}

/* The UUID at the end of a file. */
gboolean
stasis_trailer_read_file (int fd, const char *name, guint8 out_uuid[STASIS_UUID_SIZE],
                          guint64 *out_body_end, GError **error)
{
  guint8 head[4], octets[STASIS_TRAILER_SIZE], uuid[STASIS_UUID_SIZE];
  struct stat st;
  if (fstat (fd, &st) < 0)
    return stasis_throw_errno (error, _ ("cannot look at '%s'"), name);
  const guint64 size = (guint64) st.st_size;
  const gboolean has_head = S_ISREG (st.st_mode) && size >= sizeof head;
  if (has_head && !stasis_fd_pread_exact (fd, head, sizeof head, 0, error))
    return FALSE;
  if (!has_head || memcmp (head, "QEVM", sizeof head) != 0)
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_NOT_AN_IMAGE,
                   _ ("'%1$s' is not a stream of QEMU"), name);
      return FALSE;
    }

  g_autofree char *prefix = g_strdup_printf ("'%s': ", name);
  if (size <= sizeof octets)
    return throw_no_trailer (prefix, error);
  if (!stasis_fd_pread_exact (fd, octets, sizeof octets, size - sizeof octets, error))
    return FALSE;
  if (!stasis_trailer_decode (octets, uuid))
    return throw_no_trailer (prefix, error);
  memcpy (out_uuid, uuid, sizeof uuid);
  *out_body_end = size - sizeof octets;
  return TRUE;
}

typedef struct
{
  StasisStreamIn base;
  StasisStreamIn *plain; /* (owned) the Held below, and a look at its first octets */
  StasisStreamIn *held;  /* (borrowed) */
} Body;

typedef struct
{
  StasisStreamIn base;
  StasisStreamIn *in; /* (borrowed) */
  guint8 *octets;     /* (owned) */
  gsize start, end;   /* what of them was not given out */
  guint8 uuid[STASIS_UUID_SIZE];
} Held;

/* More octets, behind those that are held back. */
static gssize
fill (Held *self, GCancellable *cancellable, GError **error)
{
  memmove (self->octets, self->octets + self->start, self->end - self->start);
  self->end -= self->start;
  self->start = 0;
  const gssize n
      = stasis_stream_in_read (self->in, self->octets + self->end,
                               PIECE + STASIS_TRAILER_SIZE - self->end, cancellable, error);
  if (n > 0)
    self->end += (gsize) n;
  return n;
}

static gssize
held_read (StasisStreamIn *base, void *octets, gsize size, GCancellable *cancellable,
           GError **error)
{
  Held *self = (Held *) base;
  while (self->end - self->start <= STASIS_TRAILER_SIZE)
    {
      const gssize n = fill (self, cancellable, error);
      if (n < 0)
        return -1;
      if (n > 0)
        continue;
      if (self->end - self->start == STASIS_TRAILER_SIZE
          && stasis_trailer_decode (self->octets + self->start, self->uuid))
        return 0;
      throw_no_trailer ("", error);
      return -1;
    }

  const gsize n = MIN (size, self->end - self->start - STASIS_TRAILER_SIZE);
  memcpy (octets, self->octets + self->start, n);
  self->start += n;
  return (gssize) n;
}

static void
held_free (StasisStreamIn *base)
{
  Held *self = (Held *) base;
  g_free (self->octets);
  g_free (self);
}

static gssize
body_read (StasisStreamIn *base, void *octets, gsize size, GCancellable *cancellable,
           GError **error)
{
  const Body *self = (const Body *) base;
  return stasis_stream_in_read (self->plain, octets, size, cancellable, error);
}

static void
body_free (StasisStreamIn *base)
{
  stasis_stream_in_free (((Body *) base)->plain);
  g_free (base);
}

/* QEMU's plain stream, without the trailer. */
StasisStreamIn *
stasis_trailer_body_new (StasisStreamIn *in, const char *name)
{
  Held *held = g_new0 (Held, 1);
  held->base.read = held_read;
  held->base.free = held_free;
  held->in = in;
  held->octets = g_malloc (PIECE + STASIS_TRAILER_SIZE);

  Body *self = g_new0 (Body, 1);
  self->base.read = body_read;
  self->base.free = body_free;
  self->held = &held->base;
  self->plain = stasis_plain_stream_new (&held->base, NULL, name);
  return &self->base;
}

/* The UUID behind a stream, once its end was reached. */
const guint8 *
stasis_trailer_body_uuid (StasisStreamIn *body)
{
  const Held *held = (const Held *) ((const Body *) body)->held;
  return body->is_over ? held->uuid : NULL;
}

/* Write a trailer, behind QEMU's stream. */
gboolean
stasis_trailer_write (StasisStreamOut *out, const guint8 uuid[STASIS_UUID_SIZE],
                      GCancellable *cancellable, GError **error)
{
  return stasis_stream_out_write (out, magic, sizeof magic, cancellable, error)
         && stasis_stream_out_write (out, uuid, STASIS_UUID_SIZE, cancellable, error);
}
