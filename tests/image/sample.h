/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sample.h: small save images for tests, good ones and broken ones
 */

#pragma once

#include <gio/gio.h>

#include "image/reader.h"
#include "image/record.h"
#include "image/writer.h"

G_BEGIN_DECLS

#define SAMPLE_XML "<domain type='kvm'><name>web</name></domain>"

/* An empty file without a name. */
int sample_file (void);

/* A copy, hole for hole. */
int sample_copy (int fd);
void sample_copy_to (int fd, int out);

/* What QEMU writes with mapped-ram for three small blocks: pc.ram (3 MiB), vga.vram (256 KiB),
 * /rom@etc/table (128 KiB), about a third of their pages with data. */
void sample_write_mapped_ram (int fd, guint64 offset);

/* Something that begins like a plain stream. */
void sample_write_stream (int fd, guint64 offset);

/* Facts and disks that a writer accepts. */
StasisJson *sample_facts (void);
StasisJson *sample_disks (void);

/* A writer that has begun on @fd. */
StasisImageWriter *sample_begin (int fd, StasisImageBodyKind kind);

/* A complete image.  CHUNKS: not by our writer, so that it can be small and have every encoding;
 * its stream is sample_stream(). */
int sample_image (StasisImageBodyKind kind);

/* A CHUNKS image by our writer, of a stream that can be compressed somewhat. */
int sample_written (int level, gsize stream_size);
GBytes *sample_long_stream (gsize size);

/* The stream of a CHUNKS sample, in three pieces: stored, compressed, stored. */
GBytes *sample_stream (void);

/* The body of a CHUNK record. */
GBytes *sample_chunk (guint32 encoding, guint64 position, const void *octets, gsize size);

/* Open it (by a duplicate). */
StasisImage *sample_open (int fd, GError **error);

/* Whether it opens and verifies, deep. */
gboolean sample_verify (int fd, GError **error);

/* A record to be written. */
typedef struct
{
  guint32 type;
  guint32 flags; /* reserved, so 0 in good ones */
  GBytes *body;  /* (owned, nullable) NULL: an END that fits */
} SampleRecord;

SampleRecord *sample_record (guint32 type, const void *octets, gsize size);

/* The records of a good image of that kind, changed by @edit, and sealed again: checksums and
 * layout are right.  CHUNK records stand at the beginning of @tail. */
typedef void (*SampleEdit) (GPtrArray *front, GPtrArray *tail);
int sample_edited (StasisImageBodyKind kind, SampleEdit edit);

/* All octets of a file. */
GBytes *sample_octets (int fd);

/* An edit that sets a reserved flag in the framing of a record. */
void sample_edit_flags (GPtrArray *front, GPtrArray *tail);

/* Change header fields of a file and give it a right checksum again. */
void sample_patch_header (int fd, gsize at, const void *octets, gsize size);

G_END_DECLS
