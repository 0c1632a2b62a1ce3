/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xdr.c: XDR (RFC 4506) as libvirt's wire protocol uses it
 */

#include "config.h"

#include "remote/xdr.h"

#include <string.h>

#define UNIT 4u /* everything is padded to that */

static gsize
pad_of (gsize length)
{
  return (UNIT - length % UNIT) % UNIT;
}

/* Read from these octets, which outlive the reader. */
void
stasis_xdr_reader_init (StasisXdrReader *self, const guint8 *octets, gsize length)
{
  *self = (StasisXdrReader){ .octets = octets, .length = length };
}

/* What was not read yet. */
gsize
stasis_xdr_left (const StasisXdrReader *self)
{
  return self->length - self->position;
}

/* Whether all that was asked for was there. */
gboolean
stasis_xdr_is_ok (const StasisXdrReader *self)
{
  return !self->is_bad;
}

/* Nothing more is read. */
void
stasis_xdr_spoil (StasisXdrReader *self)
{
  self->is_bad = TRUE;
}

/* The next octets and their padding; NULL where they are not there. */
static const guint8 *
take (StasisXdrReader *self, gsize length)
{
  const gsize left = stasis_xdr_left (self);
  if (self->is_bad || length > left || pad_of (length) > left - length)
    {
      self->is_bad = TRUE;
      return NULL;
    }
  const guint8 *octets = self->octets + self->position;
  self->position += length + pad_of (length);
  return octets;
}

/* An unsigned integer. */
guint32
stasis_xdr_get_u32 (StasisXdrReader *self)
{
  guint32 value = 0;
  const guint8 *octets = take (self, sizeof value);
  if (octets != NULL)
    memcpy (&value, octets, sizeof value);
  return GUINT32_FROM_BE (value);
}

/* An integer. */
gint32
stasis_xdr_get_i32 (StasisXdrReader *self)
{
  return (gint32) stasis_xdr_get_u32 (self);
}

/* An unsigned hyper integer. */
guint64
stasis_xdr_get_u64 (StasisXdrReader *self)
{
  guint64 value = 0;
  const guint8 *octets = take (self, sizeof value);
  if (octets != NULL)
    memcpy (&value, octets, sizeof value);
  return GUINT64_FROM_BE (value);
}

/* A double. */
double
stasis_xdr_get_double (StasisXdrReader *self)
{
  const guint64 bits = stasis_xdr_get_u64 (self);
  double value;
  memcpy (&value, &bits, sizeof value);
  return value;
}

/* Whether an optional member follows. */
gboolean
stasis_xdr_get_flag (StasisXdrReader *self)
{
  return stasis_xdr_get_u32 (self) != 0;
}

/* A number of items. */
guint32
stasis_xdr_get_count (StasisXdrReader *self, guint32 max, gsize size)
{
  const guint32 count = stasis_xdr_get_u32 (self);
  if (count <= max && count * (guint64) size <= stasis_xdr_left (self))
    return count;
  self->is_bad = TRUE;
  return 0;
}

static const guint8 *
take_counted (StasisXdrReader *self, guint32 max, guint32 *out_length)
{
  *out_length = stasis_xdr_get_count (self, max, 1);
  return take (self, *out_length);
}

/* A string. */
char *
stasis_xdr_get_string (StasisXdrReader *self, guint32 max)
{
  guint32 length;
  const guint8 *octets = take_counted (self, max, &length);
  if (octets == NULL)
    return NULL;
  if (length == 0)
    return g_strdup ("");
  if (memchr (octets, '\0', length) == NULL)
    return g_strndup ((const char *) octets, length);
  self->is_bad = TRUE;
  return NULL;
}

/* Opaque data of any length. */
GBytes *
stasis_xdr_get_bytes (StasisXdrReader *self, guint32 max)
{
  guint32 length;
  const guint8 *octets = take_counted (self, max, &length);
  return octets != NULL ? g_bytes_new (octets, length) : NULL;
}

/* Opaque data of a known length; zeros where they are not there. */
void
stasis_xdr_get_fixed (StasisXdrReader *self, guint8 *out, gsize length)
{
  const guint8 *octets = take (self, length);
  if (octets != NULL)
    memcpy (out, octets, length);
  else
    memset (out, 0, length);
}

/* An unsigned integer. */
void
stasis_xdr_put_u32 (GByteArray *out, guint32 value)
{
  const guint32 word = GUINT32_TO_BE (value);
  g_byte_array_append (out, (const guint8 *) &word, sizeof word);
}

/* An integer. */
void
stasis_xdr_put_i32 (GByteArray *out, gint32 value)
{
  stasis_xdr_put_u32 (out, (guint32) value);
}

/* An unsigned hyper integer. */
void
stasis_xdr_put_u64 (GByteArray *out, guint64 value)
{
  const guint64 word = GUINT64_TO_BE (value);
  g_byte_array_append (out, (const guint8 *) &word, sizeof word);
}

/* A double. */
void
stasis_xdr_put_double (GByteArray *out, double value)
{
  guint64 bits;
  memcpy (&bits, &value, sizeof bits);
  stasis_xdr_put_u64 (out, bits);
}

/* Opaque data of a known length. */
void
stasis_xdr_put_fixed (GByteArray *out, gconstpointer octets, gsize length)
{
  static const guint8 zeros[UNIT];
  if (length > 0)
    g_byte_array_append (out, octets, (guint) length);
  g_byte_array_append (out, zeros, (guint) pad_of (length));
}

/* Opaque data of any length. */
void
stasis_xdr_put_bytes (GByteArray *out, gconstpointer octets, gsize length)
{
  stasis_xdr_put_u32 (out, (guint32) length);
  stasis_xdr_put_fixed (out, octets, length);
}

/* A string. */
void
stasis_xdr_put_string (GByteArray *out, const char *text)
{
  stasis_xdr_put_bytes (out, text, strlen (text));
}

/* A string, or none. */
void
stasis_xdr_put_optional_string (GByteArray *out, const char *text)
{
  stasis_xdr_put_u32 (out, text != NULL ? 1 : 0);
  if (text != NULL)
    stasis_xdr_put_string (out, text);
}
