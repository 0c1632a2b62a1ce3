/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * record-types.c: which records there are, where each may stand and how long it may be
 */

#include "config.h"

#include "image/record-types.h"

#include "image/chunk-record.h"

#define MIB         G_GUINT64_CONSTANT (1048576)
#define UNKNOWN_MAX (64 * MIB)

typedef struct
{
  const char *name;
  guint places; /* of StasisRecordPlace; 0: only reserved */
  guint64 max;  /* octets */
} Type;

static const Type types[] = {
  [STASIS_RECORD_END] = { "end", STASIS_RECORD_IN_TAIL, 40 },
  [STASIS_RECORD_DOMAIN_XML]
  = { "domain-xml", STASIS_RECORD_IN_FRONT | STASIS_RECORD_IN_TAIL, 16 * MIB },
  [STASIS_RECORD_QEMU_FACTS] = { "qemu-facts", STASIS_RECORD_IN_FRONT, MIB },
  [STASIS_RECORD_STATIC_END] = { "static-end", STASIS_RECORD_IN_FRONT, 0 },
  [STASIS_RECORD_RAM_MAP] = { "ram-map", STASIS_RECORD_IN_TAIL, 2 * MIB },
  [STASIS_RECORD_DISKS] = { "disks", STASIS_RECORD_IN_TAIL, MIB },
  [STASIS_RECORD_CHUNK_HASHES] = { "chunk-hashes", STASIS_RECORD_IN_TAIL, 64 * MIB + 32 },
  [STASIS_RECORD_EXTERNAL_DEVICE] = { "external-device", 0, UNKNOWN_MAX },
  [STASIS_RECORD_STORE_STATE] = { "store-state", 0, UNKNOWN_MAX },
  [STASIS_RECORD_PARENT] = { "parent", STASIS_RECORD_IN_FRONT, 64 * 1024 },
  [STASIS_RECORD_CHUNK]
  = { "chunk", STASIS_RECORD_IN_BODY, STASIS_CHUNK_HEAD_SIZE + STASIS_CHUNK_MAX },
  [STASIS_RECORD_CHECKPOINT] = { "checkpoint", 0, UNKNOWN_MAX },
  [STASIS_RECORD_PACKED_RAM] = { "packed-ram", STASIS_RECORD_IN_TAIL, 2 * MIB },
};

static const Type origin = { "origin", STASIS_RECORD_IN_FRONT, MIB };
static const Type unknown = { "unknown", 0, UNKNOWN_MAX };

static const Type *
get_type (guint32 type)
{
  if (type == STASIS_RECORD_ORIGIN)
    return &origin;
  return type < G_N_ELEMENTS (types) ? &types[type] : &unknown;
}

/* The name of a type, for messages. */
const char *
stasis_record_type_to_string (guint32 type)
{
  return get_type (type)->name;
}

/* TRUE where this version knows what the type means. */
gboolean
stasis_record_type_is_known (guint32 type)
{
  return type < STASIS_RECORD_N_KNOWN || type == STASIS_RECORD_CHUNK || type == STASIS_RECORD_PARENT
         || type == STASIS_RECORD_PACKED_RAM || type == STASIS_RECORD_ORIGIN;
}

/* Where a record of a known type may stand. */
guint
stasis_record_type_places (guint32 type)
{
  return get_type (type)->places;
}

/* The most octets that its body may have. */
guint64
stasis_record_type_max (guint32 type)
{
  return get_type (type)->max;
}
