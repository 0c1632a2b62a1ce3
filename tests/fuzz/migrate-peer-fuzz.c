/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-peer-fuzz.c: any octets as what comes to a destination's port: hello, question, address
 */

#include "config.h"

#include <string.h>
#include <sys/socket.h>

#include "driver/migrate-channel.h"
#include "driver/migrate-door.h"
#include "driver/migrate-token.h"
#include "util/fd.h"

#define TOKEN  "00112233445566778899aabbccddeeff"
#define SECRET TOKEN TOKEN

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

/* What is taken is what we would have written. */
static void
check_hello (const char *octets, const char *token)
{
  StasisChannelPurpose purpose = STASIS_CHANNEL_N_PURPOSES;
  char own[STASIS_MIGRATE_TOKEN_SIZE + 1];
  char again[STASIS_HELLO_SIZE];
  if (!stasis_migrate_hello_read (octets, token, &purpose, own))
    return;
  g_assert_true (stasis_migrate_token_is_valid (own));
  g_assert_true (token == NULL || g_str_equal (own, token));
  stasis_migrate_hello_write (own, purpose, again);
  g_assert_cmpmem (again, sizeof again, octets, STASIS_HELLO_SIZE);
}

static gboolean
answer (const char *token, StasisDoorQuestion question, gpointer data, StasisDoorAnswer *out_answer,
        GError **error)
{
  gint *called = data;
  g_assert_cmpint (question, <, STASIS_DOOR_N_QUESTIONS);
  *called += 1;
  *out_answer = STASIS_DOOR_WAITING;
  return TRUE;
}

/* Nothing is decided for who has not the secret, and what is read is as it was written. */
static gboolean
is_proved (const guint8 *data, gint called)
{
  StasisDoorAsked asked;
  g_assert_true (stasis_door_question_read ((const char *) data, &asked));
  static const char *const questions[] = { "status", "revoke", "settled" };
  const char *word = questions[asked.question];
  const char *const words[] = { "ask", TOKEN, asked.nonce, word, NULL };
  g_autofree char *again = g_strdup_printf ("%-7s %s %s\n", word, asked.nonce, asked.proof);
  g_assert_cmpmem (again, strlen (again), data, STASIS_DOOR_QUESTION_SIZE);
  g_autofree char *proof = stasis_migrate_secret_prove (SECRET, words);
  return g_str_equal (proof, asked.proof) == (called == 1);
}

static void
check_question (const guint8 *data, gsize size)
{
  int ends[2];
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
  stasis_autofd int here = ends[0];
  stasis_autofd int there = ends[1];
  send (there, data, MIN (size, 4096), MSG_DONTWAIT);
  shutdown (there, SHUT_WR);
  g_autoptr (GError) error = NULL;
  gint called = 0;
  StasisDoorAnswer said = STASIS_DOOR_N_ANSWERS;
  char octets[STASIS_DOOR_ANSWER_SIZE];
  char proof[STASIS_MIGRATE_PROOF_SIZE + 1];
  if (stasis_migrate_door_serve (here, TOKEN, SECRET, answer, &called, 1000, NULL, &error))
    {
      g_assert_no_error (error);
      g_assert_cmpint (recv (there, octets, sizeof octets, MSG_DONTWAIT), ==, sizeof octets);
      g_assert_true (stasis_door_answer_read (octets, &said, proof));
      g_assert_true (is_proved (data, called));
      g_assert_cmpint (said, ==, called > 0 ? STASIS_DOOR_WAITING : STASIS_DOOR_UNKNOWN);
    }
  else
    g_assert_nonnull (error);
}

static void
check_address (const char *text)
{
  g_autoptr (StasisMigrateAddress) address = stasis_migrate_address_parse_own (text, NULL);
  if (address == NULL)
    return;
  g_autoptr (GError) error = NULL;
  g_autofree char *shown = stasis_migrate_address_to_string (address);
  g_autoptr (StasisMigrateAddress) again = stasis_migrate_address_parse_own (shown, &error);
  g_assert_no_error (error);
  g_autofree char *second = stasis_migrate_address_to_string (again);
  g_assert_cmpstr (shown, ==, second);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  StasisDoorAnswer said = STASIS_DOOR_UNKNOWN;
  char proof[STASIS_MIGRATE_PROOF_SIZE + 1];
  if (size >= STASIS_HELLO_SIZE)
    {
      check_hello ((const char *) data, NULL);
      check_hello ((const char *) data, TOKEN);
      data += STASIS_HELLO_SIZE;
      size -= STASIS_HELLO_SIZE;
    }
  if (size >= STASIS_DOOR_ANSWER_SIZE
      && stasis_door_answer_read ((const char *) data, &said, proof))
    g_assert_cmpint (said, <, STASIS_DOOR_N_ANSWERS);
  check_question (data, size);
  g_autofree char *text = size > 0 ? g_strndup ((const char *) data, size) : g_strdup ("");
  check_address (text);
  return 0;
}
