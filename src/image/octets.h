/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * octets.h: integers in octets, of either byte order, at any alignment
 */

#pragma once

#include <string.h>

#include <glib.h>

G_BEGIN_DECLS

static inline guint32
stasis_get_le32 (const guint8 *octets)
{
  guint32 value;
  memcpy (&value, octets, sizeof value);
  return GUINT32_FROM_LE (value);
}

static inline guint64
stasis_get_le64 (const guint8 *octets)
{
  guint64 value;
  memcpy (&value, octets, sizeof value);
  return GUINT64_FROM_LE (value);
}

static inline guint32
stasis_get_be32 (const guint8 *octets)
{
  guint32 value;
  memcpy (&value, octets, sizeof value);
  return GUINT32_FROM_BE (value);
}

static inline guint64
stasis_get_be64 (const guint8 *octets)
{
  guint64 value;
  memcpy (&value, octets, sizeof value);
  return GUINT64_FROM_BE (value);
}

static inline guint16
stasis_get_be16 (const guint8 *octets)
{
  guint16 value;
  memcpy (&value, octets, sizeof value);
  return GUINT16_FROM_BE (value);
}

static inline void
stasis_put_le32 (guint8 *octets, guint32 value)
{
  value = GUINT32_TO_LE (value);
  memcpy (octets, &value, sizeof value);
}

static inline void
stasis_put_le64 (guint8 *octets, guint64 value)
{
  value = GUINT64_TO_LE (value);
  memcpy (octets, &value, sizeof value);
}

static inline void
stasis_put_be32 (guint8 *octets, guint32 value)
{
  value = GUINT32_TO_BE (value);
  memcpy (octets, &value, sizeof value);
}

static inline void
stasis_put_be64 (guint8 *octets, guint64 value)
{
  value = GUINT64_TO_BE (value);
  memcpy (octets, &value, sizeof value);
}

/* @value rounded up to a multiple of @unit, a power of two.  The caller knows that it fits. */
static inline guint64
stasis_round_up (guint64 value, guint64 unit)
{
  return (value + unit - 1) & ~(unit - 1);
}

G_END_DECLS
