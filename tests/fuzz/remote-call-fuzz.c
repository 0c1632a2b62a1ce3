/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remote-call-fuzz.c: any octets as the payload of a packet: as arguments and as results of every
 * procedure, and as an error.  What is decoded is encoded, and means the same.
 */

#include "config.h"

#include "remote/message.h"
#include "remote/procedures.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

static void
try_layout (const char *layout, const guint8 *data, gsize size)
{
  StasisWireValue values[STASIS_WIRE_MEMBERS_MAX];
  StasisXdrReader in;
  stasis_xdr_reader_init (&in, data, size);
  if (stasis_wire_decode (&in, layout, values))
    {
      g_assert_cmpuint (stasis_xdr_left (&in), <=, size);
      g_autoptr (GByteArray) first = g_byte_array_new ();
      stasis_wire_encode (first, layout, values);

      StasisWireValue again[STASIS_WIRE_MEMBERS_MAX];
      stasis_xdr_reader_init (&in, first->data, first->len);
      g_assert_true (stasis_wire_decode (&in, layout, again));
      g_assert_cmpuint (stasis_xdr_left (&in), ==, 0);
      g_autoptr (GByteArray) second = g_byte_array_new ();
      stasis_wire_encode (second, layout, again);
      g_assert_cmpmem (first->data, first->len, second->data, second->len);
      stasis_wire_clear (layout, again);
    }
  stasis_wire_clear (layout, values);
}

static void
try_error (const guint8 *data, gsize size)
{
  StasisXdrReader in;
  stasis_xdr_reader_init (&in, data, size);
  g_autoptr (GError) error = stasis_remote_error_get (&in);
  g_assert_nonnull (error);
  g_assert_nonnull (error->message);
  g_autoptr (GByteArray) octets = g_byte_array_new ();
  stasis_remote_error_put (octets, error);
  stasis_xdr_reader_init (&in, octets->data, octets->len);
  g_autoptr (GError) again = stasis_remote_error_get (&in);
  g_assert_cmpstr (again->message, ==, error->message);
}

/* The word in front of the payload of a packet with descriptors. */
static void
try_fds (const guint8 *data, gsize size)
{
  guint count;
  if (!stasis_message_parse_fds (data, size, &count))
    return;
  g_assert_cmpuint (size, >=, STASIS_MESSAGE_FDS_SIZE);
  g_assert_cmpuint (count, <=, STASIS_MESSAGE_FDS_MAX);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  guint count;
  try_fds (data, size);
  const StasisProcedure *procedures = stasis_procedures (&count);
  for (guint i = 0; i < count; i++)
    {
      try_layout (procedures[i].args, data, size);
      try_layout (procedures[i].rets, data, size);
    }
  try_error (data, size);
  return 0;
}
