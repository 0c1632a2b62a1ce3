/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * plain-stream.c: a stream that has to be one of QEMU's
 *
 * The formats of others say with one number what their body is.  Where that number is wrong the
 * first octets tell, before a guest is loaded from them.
 */

#include "config.h"

#include "image/plain-stream.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "image/error.h"
#include "image/octets.h"

#define QEMU_MAGIC   0x5145564du /* "QEVM" */
#define QEMU_VERSION 3u

typedef struct
{
  StasisStreamIn base;
  StasisStreamIn *in;    /* (owned) */
  StasisStreamIn *below; /* (owned, nullable) */
  char *name;            /* (owned) */
  guint8 head[8];
  gsize n_given; /* of the head */
  gboolean is_checked;
} Plain;

static gboolean
read_head (Plain *self, GCancellable *cancellable, GError **error)
{
  const gssize n
      = stasis_stream_in_read_full (self->in, self->head, sizeof self->head, cancellable, error);
  if (n < 0)
    return FALSE;
  if (n < (gssize) sizeof self->head || stasis_get_be32 (self->head) != QEMU_MAGIC)
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
                   _ ("the body is not a stream of QEMU"));
      return FALSE;
    }
  if (stasis_get_be32 (self->head + 4) != QEMU_VERSION)
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_UNSUPPORTED,
                   _ ("the body is a QEMU stream of version %1$u, known is %2$u"),
                   stasis_get_be32 (self->head + 4), QEMU_VERSION);
      return FALSE;
    }
  self->is_checked = TRUE;
  return TRUE;
}

static gssize
plain_read (StasisStreamIn *base, void *octets, gsize size, GCancellable *cancellable,
            GError **error)
{
  Plain *self = (Plain *) base;
  gssize n = -1;
  if (self->is_checked || read_head (self, cancellable, error))
    {
      n = (gssize) MIN (size, sizeof self->head - self->n_given);
      if (n == 0)
        n = stasis_stream_in_read (self->in, octets, size, cancellable, error);
      else
        {
          memcpy (octets, self->head + self->n_given, (gsize) n);
          self->n_given += (gsize) n;
        }
    }
  if (n < 0)
    g_prefix_error (error, "'%s': ", self->name);
  return n;
}

static void
plain_free (StasisStreamIn *base)
{
  Plain *self = (Plain *) base;
  stasis_stream_in_free (self->in);
  stasis_stream_in_free (self->below);
  g_free (self->name);
  g_free (self);
}

/* The octets of @in_take, which must begin as QEMU's streams do. */
StasisStreamIn *
stasis_plain_stream_new (StasisStreamIn *in_take, StasisStreamIn *below_take, const char *name)
{
  Plain *self = g_new0 (Plain, 1);
  self->base.read = plain_read;
  self->base.free = plain_free;
  self->in = in_take;
  self->below = below_take;
  self->name = g_strdup (name);
  return &self->base;
}
