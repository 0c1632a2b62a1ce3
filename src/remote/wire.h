/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wire.h: what arguments and results consist of, and how they stand in a packet
 *
 * A layout is a string with a letter for each member, in their order; both ends of a connection
 * read and write by it (wire.c):
 *
 *   i u   integer, unsigned        s z  string, optional string     D O  domain, optional domain
 *   l U   hyper, unsigned hyper    b    opaque data (4 MiB)         A    domains (16384)
 *   d     double                   x    UUID                        R    domains with parameters
 *   I     integers (16384)         S    strings (16384)
 *   p P   typed parameters (64; 262144)
 *   m M   32 characters, one in each word; a counted number of them
 *   N     names, each with an unsigned hyper (64)
 *   T V   rows of integers (16384): a tag and an unsigned hyper; a virtual processor's number,
 *         state, time (unsigned hyper) and processor of the host
 *   F     file systems (256): three strings, and disks (256 strings)
 */

#pragma once

#include <glib.h>

#include "remote/xdr.h"
#include "util/uuid.h"

G_BEGIN_DECLS

#define STASIS_WIRE_STRING_MAX      4194304u
#define STASIS_WIRE_DOMAINS_MAX     16384u
#define STASIS_WIRE_MEMBERS_MAX     16u  /* of a layout */
#define STASIS_WIRE_FILESYSTEMS_MAX 256u /* and disks of each */

typedef struct
{
  char *name; /* (owned) */
  guint8 uuid[STASIS_UUID_SIZE];
  gint32 id; /* -1: it does not run */
} StasisWireDomain;

/* The numbers are libvirt's. */
typedef enum
{
  STASIS_WIRE_INT = 1,
  STASIS_WIRE_UINT = 2,
  STASIS_WIRE_LLONG = 3,
  STASIS_WIRE_ULLONG = 4,
  STASIS_WIRE_DOUBLE = 5,
  STASIS_WIRE_BOOLEAN = 6,
  STASIS_WIRE_STRING = 7,
} StasisWireType;

typedef struct
{
  char *name; /* (owned) */
  StasisWireType type;
  union
  {
    gint32 i; /* and the boolean */
    guint32 u;
    gint64 l;
    guint64 ul;
    double d;
    char *s; /* (owned) */
  } value;
} StasisWireParam;

typedef struct
{
  StasisWireDomain *domain; /* (owned) */
  GPtrArray *params;        /* (owned) of StasisWireParam */
} StasisWireRecord;

/* What a guest has mounted. */
typedef struct
{
  char *mountpoint; /* (owned) */
  char *name;       /* (owned) */
  char *type;       /* (owned) */
  GPtrArray *disks; /* (owned) of strings */
} StasisWireFilesystem;

/* A row of the letters T and V. */
typedef struct
{
  gint32 number;
  gint32 state; /* V only */
  guint64 value;
  gint32 cpu; /* V only */
} StasisWireRow;

/* One member; zeros are a value of each kind, where NULL is no string, no octets and no items. */
typedef union
{
  gint32 i;
  guint32 u;
  gint64 l;
  guint64 ul;
  double d;
  char *s;                  /* (owned) (nullable) */
  GBytes *bytes;            /* (owned) (nullable) */
  StasisWireDomain *domain; /* (owned) (nullable) */
  GPtrArray *items;         /* (owned) (nullable) domains, parameters, records ... */
  GArray *numbers;          /* (owned) (nullable) of gint32 */
  GArray *rows;             /* (owned) (nullable) of StasisWireRow */
  guint8 uuid[STASIS_UUID_SIZE];
} StasisWireValue;

StasisWireDomain *stasis_wire_domain_new (const char *name, const guint8 *uuid, gint32 id);
void stasis_wire_domain_free (StasisWireDomain *self);

/* Parameters to an array that stasis_wire_params_new made. */
GPtrArray *stasis_wire_params_new (void);
void stasis_wire_params_add_int (GPtrArray *params, const char *name, gint32 value);
void stasis_wire_params_add_uint (GPtrArray *params, const char *name, guint32 value);
void stasis_wire_params_add_ullong (GPtrArray *params, const char *name, guint64 value);
void stasis_wire_params_add_boolean (GPtrArray *params, const char *name, gboolean value);
void stasis_wire_params_add_string (GPtrArray *params, const char *name, const char *value);
/* (nullable): the first of that name and kind. */
const StasisWireParam *stasis_wire_params_find (const GPtrArray *params, const char *name,
                                                StasisWireType type);

StasisWireRecord *stasis_wire_record_new (StasisWireDomain *domain_take, GPtrArray *params_take);

/* Arrays for the letters A, R and S. */
GPtrArray *stasis_wire_domains_new (void);
GPtrArray *stasis_wire_records_new (void);
GPtrArray *stasis_wire_strings_new (void);

/* An array for the letter F, and one more, with no disks yet. */
GPtrArray *stasis_wire_filesystems_new (void);
StasisWireFilesystem *stasis_wire_filesystems_add (GPtrArray *filesystems, const char *mountpoint,
                                                   const char *name, const char *type);

/* An array for the letters T and V, and a row more. */
GArray *stasis_wire_rows_new (void);
void stasis_wire_rows_add (GArray *rows, gint32 tag, guint64 value);

/* @values: as many as @layout has letters, to be cleared in any case.  FALSE where the octets are
 * not that; more octets than that are left to the caller. */
gboolean stasis_wire_decode (StasisXdrReader *in, const char *layout, StasisWireValue *values);
void stasis_wire_encode (GByteArray *out, const char *layout, const StasisWireValue *values);
void stasis_wire_clear (const char *layout, StasisWireValue *values);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisWireDomain, stasis_wire_domain_free)

G_END_DECLS
