/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sample-plain.h: a small plain stream as QEMU writes it, octet by octet
 */

#pragma once

#include <gio/gio.h>

#include "util/stream.h"

G_BEGIN_DECLS

#define SAMPLE_PLAIN_N_BLOCKS  2u
#define SAMPLE_PLAIN_N_DEVICES 3u
#define SAMPLE_PLAIN_N_STORED  20u /* page records with octets, ... */
#define SAMPLE_PLAIN_N_ZERO    63u /* ... without */

/* Octets whose change a reader of the structure cannot notice. */
typedef struct
{
  gsize start;
  gsize end;
} SampleRange;

/* Where things stand. */
typedef struct
{
  gsize list;     /* of blocks */
  gsize list_end; /* EOS of the section with the list */
  gsize pages;    /* first page's head */
  gsize command;
  gsize end; /* the last RAM section */
  gsize devices;
  gsize description; /* the octets 00 06 */
} SamplePlaces;

/* A live save of two blocks, "pc.ram" (64 pages) and "pc.rom" (16 pages), in which page 1 of the
 * first one became data, page 5 zero and page 10 changed after they had been sent; three devices.
 * @content (nullable): of SampleRange.  @places is nullable. */
GByteArray *sample_plain (GArray *content, SamplePlaces *places);

extern const char *const sample_plain_names[SAMPLE_PLAIN_N_BLOCKS];
extern const guint sample_plain_pages[SAMPLE_PLAIN_N_BLOCKS];

/* What a page has in the end: FALSE: zeros. */
gboolean sample_plain_page (guint block, guint page, guint8 octets[4096]);

/* The octets as a stream, which gives out at most @step at a time (0: no limit). */
StasisStreamIn *sample_plain_in (const GByteArray *octets, gsize step);

G_END_DECLS
