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

G_END_DECLS
