/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sample-edits.h: images whose records are not as they should be, well sealed
 */

#pragma once

#include "sample.h"

G_BEGIN_DECLS

#define SAMPLE_DAMAGED -2 /* opens, and does not verify */

typedef struct
{
  const char *name;
  StasisImageBodyKind kind;
  SampleEdit edit; /* for sample_edited() */
  int code; /* a StasisImageError when it is opened; -1: opens and verifies; or SAMPLE_DAMAGED */
  const char *message; /* part of it */
} SampleCase;

extern const SampleCase sample_cases[];
extern const gsize sample_n_cases;

/* The same of PACKED_RAM images: sample-packed-edits.c. */
extern const SampleCase sample_packed_cases[];
extern const gsize sample_n_packed_cases;

/* Take away a record that is there, or turn some bits of its octet @at over. */
void sample_drop_record (GPtrArray *records, guint32 type);
void sample_patch_record (GPtrArray *records, guint32 type, gsize at, guint8 bits);

G_END_DECLS
