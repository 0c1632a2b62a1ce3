/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reader-private.h: what an open image is made of, for the rest of src/image
 */

#pragma once

#include "image/header.h"
#include "image/packed-ram.h"
#include "image/reader.h"
#include "image/record.h"

G_BEGIN_DECLS

struct _StasisImage
{
  int fd;     /* (owned) */
  char *name; /* (owned) */
  StasisImageHeader header;
  GPtrArray *records;      /* (owned) of StasisRecord, in the order of the file, without bodies */
  guint seen;              /* one bit for each known type */
  guint n_unknown;         /* optional records */
  GBytes *xml;             /* (owned) */
  StasisJson *qemu_facts;  /* (owned) */
  StasisJson *disks;       /* (owned) */
  StasisJson *origin;      /* (owned, nullable) */
  StasisJson *parent;      /* (owned, nullable) of an incremental one */
  StasisImageRamMap *map;  /* (owned, nullable) of a PACKED_RAM body without places */
  StasisPackedRam *packed; /* (owned, nullable) of a PACKED_RAM body */
  GBytes *hashes;          /* (owned, nullable) CHUNK_HASHES, checked against the body */
  GArray *chunks;          /* (owned, nullable) of StasisImageChunk: CHUNKS in a file */
  guint64 stream_length;   /* what is in them */
};

/* A CHUNK record. */
typedef struct
{
  guint64 offset;   /* of the record in the file */
  guint64 position; /* of its first octet in the stream */
  guint32 stored;   /* octets of the record's body */
  guint32 length;   /* octets of the stream */
  StasisHash checksum;
} StasisImageChunk;

/* An image of which nothing is known yet.  @fd_take -1: it comes out of a pipe. */
StasisImage *stasis_image_new (int fd_take, const char *name) G_GNUC_WARN_UNUSED_RESULT;

/* What the header tells about whether and how to go on. */
gboolean stasis_image_check_kind (const StasisImage *image, GError **error);

/* Take in the next record of front or tail: that it may stand there, what is in it, and for END
 * that it seals those before it.  Keeps what it needs of it. */
gboolean stasis_image_add_record (StasisImage *image, StasisRecordPlace place,
                                  StasisRecord *record_take, StasisRecordDigest *digest,
                                  GError **error);

/* TRUE where no record is missing. */
gboolean stasis_image_check_all_there (const StasisImage *image, GError **error);

/* Go over the CHUNK records of a file, from the body's offset on: where each lies, and with that
 * where the tail begins.  The data is not looked at. */
gboolean stasis_image_scan_chunks (StasisImage *image, guint64 file_size,
                                   StasisRecordDigest *digest, GError **error);

G_END_DECLS
