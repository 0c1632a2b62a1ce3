/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * message.h: a packet of libvirt's wire protocol: its length, its header
 *
 * A length word, which counts itself, six words of header, and what follows.  All are big-endian.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define STASIS_MESSAGE_LENGTH_SIZE 4u
#define STASIS_MESSAGE_HEADER_SIZE 24u
#define STASIS_MESSAGE_SIZE_MIN    (STASIS_MESSAGE_LENGTH_SIZE + STASIS_MESSAGE_HEADER_SIZE)
#define STASIS_MESSAGE_SIZE_MAX    33554436u /* with the length word */
#define STASIS_MESSAGE_FDS_SIZE    4u        /* how many descriptors there are */
#define STASIS_MESSAGE_FDS_MAX     32u

typedef enum
{
  STASIS_MESSAGE_CALL,
  STASIS_MESSAGE_REPLY,
  STASIS_MESSAGE_EVENT, /* nobody waits for it */
  STASIS_MESSAGE_STREAM,
  STASIS_MESSAGE_CALL_WITH_FDS,
  STASIS_MESSAGE_REPLY_WITH_FDS,
  STASIS_MESSAGE_STREAM_HOLE,
} StasisMessageType;

typedef enum
{
  STASIS_MESSAGE_OK,
  STASIS_MESSAGE_ERROR,
  STASIS_MESSAGE_CONTINUE, /* of a stream */
} StasisMessageStatus;

typedef struct
{
  guint32 program;
  guint32 version;
  gint32 procedure;
  guint32 type;
  guint32 serial;
  guint32 status;
} StasisMessageHeader;

/* The length word of a packet; 0 where no packet has such a length. */
guint32 stasis_message_parse_size (const guint8 *octets);
/* The header that stands behind it. */
void stasis_message_parse_header (const guint8 *octets, StasisMessageHeader *out_header);

/* How many descriptors a packet with such has, by the word that @payload begins with; FALSE where
 * it has none, or more than are allowed. */
gboolean stasis_message_parse_fds (const guint8 *payload, gsize length, guint *out_count);

/* (transfer full): the beginning of a packet; what belongs into it is appended. */
GByteArray *stasis_message_begin (const StasisMessageHeader *header);
/* Now that the length is known; FALSE where it is too long. */
gboolean stasis_message_end (GByteArray *message);

G_END_DECLS
