/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * message-test.c: tests of src/remote/message.c
 */

#include "config.h"

#include "remote/message.h"

#include <string.h>

#include "remote/xdr.h"

static const struct
{
  guint32 word;
  guint32 size;
} sizes[] = {
  { 0, 0 },
  { 1, 0 },
  { 3, 0 },
  { 27, 0 },
  { 28, 28 },
  { 29, 29 },
  { 33554436, 33554436 },
  { 33554437, 0 },
  { 0x7fffffff, 0 },
  { 0x80000000, 0 },
  { 0xffffffff, 0 },
};

static void
test_size (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (GByteArray) octets = g_byte_array_new ();
      stasis_xdr_put_u32 (octets, sizes[i].word);
      g_assert_cmpuint (stasis_message_parse_size (octets->data), ==, sizes[i].size);
    }
}

static const StasisMessageHeader sample = {
  .program = 0x20008086,
  .version = 1,
  .procedure = -55,
  .type = STASIS_MESSAGE_REPLY,
  .serial = 0xfffffffe,
  .status = STASIS_MESSAGE_CONTINUE,
};

static void
test_round_trip (void)
{
  g_autoptr (GByteArray) message = stasis_message_begin (&sample);
  stasis_xdr_put_u64 (message, 7);
  g_assert_true (stasis_message_end (message));
  g_assert_cmpuint (stasis_message_parse_size (message->data), ==, STASIS_MESSAGE_SIZE_MIN + 8);
  g_assert_cmpuint (message->len, ==, STASIS_MESSAGE_SIZE_MIN + 8);
  StasisMessageHeader header;
  stasis_message_parse_header (message->data + STASIS_MESSAGE_LENGTH_SIZE, &header);
  g_assert_cmpuint (header.program, ==, sample.program);
  g_assert_cmpuint (header.version, ==, sample.version);
  g_assert_cmpint (header.procedure, ==, sample.procedure);
  g_assert_cmpuint (header.type, ==, sample.type);
  g_assert_cmpuint (header.serial, ==, sample.serial);
  g_assert_cmpuint (header.status, ==, sample.status);
}

/* The word behind the header, and what is no such. */
static void
test_fds (void)
{
  static const struct
  {
    guint32 word;
    gsize length;
    gboolean ok;
  } counts[] = {
    { 0, 4, TRUE },  { 1, 4, TRUE },           { 32, 400, TRUE },        { 33, 4, FALSE },
    { 1, 3, FALSE }, { 0x80000000, 4, FALSE }, { 0xffffffff, 4, FALSE }, { 1, 0, FALSE },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (counts); i++)
    {
      g_autoptr (GByteArray) octets = g_byte_array_new ();
      guint count = 77;
      stasis_xdr_put_u32 (octets, counts[i].word);
      g_byte_array_set_size (octets, 400);
      g_assert_cmpint (stasis_message_parse_fds (octets->data, counts[i].length, &count), ==,
                       counts[i].ok);
      g_assert_cmpuint (count, ==, counts[i].ok ? counts[i].word : 77);
    }
}

/* Nobody could receive what is longer. */
static void
test_too_long (void)
{
  g_autoptr (GByteArray) message = stasis_message_begin (&sample);
  g_byte_array_set_size (message, STASIS_MESSAGE_SIZE_MAX);
  g_assert_true (stasis_message_end (message));
  g_byte_array_set_size (message, STASIS_MESSAGE_SIZE_MAX + 1);
  g_assert_false (stasis_message_end (message));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/remote/message/size", test_size);
  g_test_add_func ("/remote/message/round-trip", test_round_trip);
  g_test_add_func ("/remote/message/fds", test_fds);
  g_test_add_func ("/remote/message/too-long", test_too_long);
  return g_test_run ();
}
