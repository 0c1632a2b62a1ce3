/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * message.c: a packet of libvirt's wire protocol: its length, its header
 */

#include "config.h"

#include "remote/message.h"

#include <string.h>

#include "remote/xdr.h"

/* The length word. */
guint32
stasis_message_parse_size (const guint8 *octets)
{
  guint32 size;
  memcpy (&size, octets, sizeof size);
  size = GUINT32_FROM_BE (size);
  return size >= STASIS_MESSAGE_SIZE_MIN && size <= STASIS_MESSAGE_SIZE_MAX ? size : 0;
}

/* The header. */
void
stasis_message_parse_header (const guint8 *octets, StasisMessageHeader *out_header)
{
  StasisXdrReader in;
  stasis_xdr_reader_init (&in, octets, STASIS_MESSAGE_HEADER_SIZE);
  out_header->program = stasis_xdr_get_u32 (&in);
  out_header->version = stasis_xdr_get_u32 (&in);
  out_header->procedure = stasis_xdr_get_i32 (&in);
  out_header->type = stasis_xdr_get_u32 (&in);
  out_header->serial = stasis_xdr_get_u32 (&in);
  out_header->status = stasis_xdr_get_u32 (&in);
}

/* The word behind the header. */
gboolean
stasis_message_parse_fds (const guint8 *payload, gsize length, guint *out_count)
{
  StasisXdrReader in;
  stasis_xdr_reader_init (&in, payload, length);
  const guint32 count = stasis_xdr_get_u32 (&in);
  if (length < STASIS_MESSAGE_FDS_SIZE || count > STASIS_MESSAGE_FDS_MAX)
    return FALSE;
  *out_count = count;
  return TRUE;
}

/* Room for the length, and the header. */
GByteArray *
stasis_message_begin (const StasisMessageHeader *header)
{
  GByteArray *message = g_byte_array_new ();
  stasis_xdr_put_u32 (message, 0);
  stasis_xdr_put_u32 (message, header->program);
  stasis_xdr_put_u32 (message, header->version);
  stasis_xdr_put_i32 (message, header->procedure);
  stasis_xdr_put_u32 (message, header->type);
  stasis_xdr_put_u32 (message, header->serial);
  stasis_xdr_put_u32 (message, header->status);
  return message;
}

/* The length. */
gboolean
stasis_message_end (GByteArray *message)
{
  const guint32 word = GUINT32_TO_BE (message->len);
  memcpy (message->data, &word, sizeof word);
  return message->len <= STASIS_MESSAGE_SIZE_MAX;
}
