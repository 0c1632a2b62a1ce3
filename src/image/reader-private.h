/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reader-private.h: what an open image is made of, for the rest of src/image
 */

#pragma once

#include "image/header.h"
#include "image/reader.h"
#include "image/record.h"

G_BEGIN_DECLS

struct _StasisImage
{
  int fd;     /* (owned) */
  char *name; /* (owned) */
  StasisImageHeader header;
  GPtrArray *records;     /* (owned) of StasisRecord, in the order of the file, without bodies */
  guint seen;             /* one bit for each known type */
  guint n_unknown;        /* optional records */
  GBytes *xml;            /* (owned) */
  StasisJson *qemu_facts; /* (owned) */
  StasisJson *disks;      /* (owned) */
  StasisImageRamMap *map; /* (owned, nullable) */
  GBytes *hashes;         /* (owned) CHUNK_HASHES, checked against the body */
};

G_END_DECLS
