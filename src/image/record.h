/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * record.h: the framing of records
 */

#pragma once

#include <gio/gio.h>

#include "image/record-types.h"
#include "util/hash.h"

G_BEGIN_DECLS

#define STASIS_RECORD_HEADER_SIZE 32u   /* octets before the body */
#define STASIS_RECORDS_MAX        4096u /* in the front, and in the tail */
#define STASIS_RECORD_PADDING_MAX 7u    /* octets behind the body */

typedef struct
{
  guint32 type;
  guint32 flags;  /* reserved */
  guint64 offset; /* of the record in the file */
  guint64 length; /* of the body, without padding */
  StasisHash checksum;
  GBytes *body; /* (owned, nullable) dropped once nobody needs it */
} StasisRecord;

/* The digest that END carries: over the checksums of the records before it, in order. */
typedef struct
{
  StasisHasher *hasher; /* (owned) */
  guint64 n_records;
} StasisRecordDigest;

void stasis_record_digest_init (StasisRecordDigest *digest);
void stasis_record_digest_add (StasisRecordDigest *digest, const StasisHash *checksum);
void stasis_record_digest_clear (StasisRecordDigest *digest);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (StasisRecordDigest, stasis_record_digest_clear)

/* The octets that a record with a body of @length takes in the file. */
guint64 stasis_record_size (guint64 length);

/* STASIS_IMAGE_ERROR_CORRUPT, saying @what is wrong with @record.  Always FALSE. */
gboolean stasis_record_throw (const StasisRecord *record, const char *what, GError **error);

/* What stands before the body of a record; its checksum is returned as well. */
StasisHash stasis_record_head_encode (guint32 type, const void *body, gsize length,
                                      guint8 octets[STASIS_RECORD_HEADER_SIZE]);

/* Of the record at @offset, which may reach up to @end: all but its body, which is NULL.  The
 * length is checked, the checksum is not. */
gboolean stasis_record_head_decode (const guint8 octets[STASIS_RECORD_HEADER_SIZE], guint64 offset,
                                    guint64 end, StasisRecord *out_record, GError **error);

/* TRUE where head and body are those that the record's checksum was taken of. */
gboolean stasis_record_check_sum (const StasisRecord *record,
                                  const guint8 head[STASIS_RECORD_HEADER_SIZE], const void *body,
                                  GError **error);

/* Read the record at *@offset, which with its padding must end at or before @end, check its length
 * and checksum, and move *@offset behind it. */
StasisRecord *stasis_record_read (int fd, guint64 *offset, guint64 end,
                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Append a record to @out, and add its checksum to @digest (nullable: for END).
 * STASIS_IMAGE_ERROR_TOO_LARGE where the body is longer than its type allows. */
gboolean stasis_record_append (GByteArray *out, guint32 type, GBytes *body,
                               StasisRecordDigest *digest, GError **error);

/* Write a record at *@offset, move *@offset behind it, and add its checksum to @digest (nullable:
 * for END). STASIS_IMAGE_ERROR_TOO_LARGE where the body is longer than its type allows. */
gboolean stasis_record_write (int fd, guint64 *offset, guint32 type, GBytes *body,
                              StasisRecordDigest *digest, GError **error);

/* The body of an END record. */
GBytes *stasis_record_end_encode (const guint8 *image_uuid,
                                  const StasisRecordDigest *digest) G_GNUC_WARN_UNUSED_RESULT;

/* TRUE where an END record agrees with UUID and digest. */
gboolean stasis_record_end_check (const StasisRecord *end, const guint8 *image_uuid,
                                  const StasisRecordDigest *digest, GError **error);

/* NULL is fine. */
void stasis_record_free (StasisRecord *record);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisRecord, stasis_record_free)

G_END_DECLS
