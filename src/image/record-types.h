/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * record-types.h: which records there are, where each may stand and how long it may be
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define STASIS_RECORD_OPTIONAL 0x80000000u /* a reader that does not know the type skips it */

/* On-disk numbers: append at the end, never renumber, never reuse. */
typedef enum
{
  STASIS_RECORD_END = 0,
  STASIS_RECORD_DOMAIN_XML = 1,
  STASIS_RECORD_QEMU_FACTS = 2,
  STASIS_RECORD_STATIC_END = 3,
  STASIS_RECORD_RAM_MAP = 4,
  STASIS_RECORD_DISKS = 5,
  STASIS_RECORD_CHUNK_HASHES = 6,
  STASIS_RECORD_N_KNOWN = 7, /* every image has these; from here on only CHUNK and PARENT are */
  STASIS_RECORD_EXTERNAL_DEVICE = 7,
  STASIS_RECORD_STORE_STATE = 8,
  STASIS_RECORD_PARENT = 9,
  STASIS_RECORD_CHUNK = 10,
  STASIS_RECORD_CHECKPOINT = 11,
  STASIS_RECORD_PACKED_RAM = 12,
} StasisRecordType;

#define STASIS_RECORD_ORIGIN (STASIS_RECORD_OPTIONAL | 1u)

typedef enum
{
  STASIS_RECORD_IN_FRONT = 1 << 0,
  STASIS_RECORD_IN_TAIL = 1 << 1,
  STASIS_RECORD_IN_BODY = 1 << 2, /* of a streamed image */
} StasisRecordPlace;

/* The name of a type, or "unknown"; reserved numbers have names, too. */
const char *stasis_record_type_to_string (guint32 type);

/* TRUE where this version knows what the type means. */
gboolean stasis_record_type_is_known (guint32 type);

/* Where a record of a known type may stand. */
guint stasis_record_type_places (guint32 type);

/* The most octets that its body may have. */
guint64 stasis_record_type_max (guint32 type);

G_END_DECLS
