/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-door.c: a source asks its destination what became of a migration
 *
 * Theory of operation
 *
 * A connection whose hello says "ask " (migrate-channel.c) carries one question and one answer,
 * each of fixed size:
 *
 *   word " " nonce " " proof "\n"
 *   word " " proof "\n"
 *
 * A word is filled up with blanks to seven octets.  The nonce is new with each question, so nobody
 * can say an old answer again.  Proofs (migrate-secret.c) are of
 *
 *   "ask" token nonce question
 *   "answer" token nonce question answer
 *
 * A port is anybody's once the process that listened there has ended.  So an answer whose proof is
 * not right is none; and somebody who cannot prove that he is the source decides nothing, and is
 * told "unknown", as by a host that has not prepared this migration.  That stands without a proof
 * (64 dashes), and tells nothing.  Only "begun" and "revoked" tell who has the guest; after all
 * else, and every failure, the source asks again.
 *
 * The source asks for nobody's flag but this: a client may say that the migration was cancelled
 * although the destination has let the guest run already.
 */

#include "config.h"

#include "driver/migrate-door.h"

#include <string.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/migrate-channel.h"
#include "driver/migrate-token.h"
#include "driver/migrate-tunnel.h"
#include "util/fd.h"

#define WORD_SIZE 7u
#define DIGITS    "0123456789abcdef"
#define NO_PROOF  "----------------------------------------------------------------"

static const char *const questions[] = { "status", "revoke", "settled", "whole" };
static const char *const answers[] = { "unknown", "waiting", "begun", "revoked" };

G_STATIC_ASSERT (G_N_ELEMENTS (questions) == STASIS_DOOR_N_QUESTIONS);
G_STATIC_ASSERT (G_N_ELEMENTS (answers) == STASIS_DOOR_N_ANSWERS);
G_STATIC_ASSERT (sizeof NO_PROOF - 1 == STASIS_MIGRATE_PROOF_SIZE);
G_STATIC_ASSERT (WORD_SIZE + 1 + STASIS_DOOR_NONCE_SIZE + 1 + STASIS_MIGRATE_PROOF_SIZE + 1
                 == STASIS_DOOR_QUESTION_SIZE);
G_STATIC_ASSERT (WORD_SIZE + 1 + STASIS_MIGRATE_PROOF_SIZE + 1 == STASIS_DOOR_ANSWER_SIZE);

const char *
stasis_door_answer_to_string (StasisDoorAnswer answer)
{
  return answers[answer];
}

/* Which of @words stands at the beginning of @octets, with a blank behind it; -1: none. */
static gint
read_word (const char *octets, const char *const *words, guint n_words)
{
  for (guint i = 0; i < n_words; i++)
    {
      char padded[WORD_SIZE + 2];
      g_snprintf (padded, sizeof padded, "%-*s ", (int) WORD_SIZE, words[i]);
      if (memcmp (octets, padded, WORD_SIZE + 1) == 0)
        return (gint) i;
    }
  return -1;
}

/* @size digits, and @end behind them: to @out, as a string. */
static gboolean
read_digits (const char *octets, gsize size, char end, const char *digits, char *out)
{
  for (gsize i = 0; i < size; i++)
    if (octets[i] == '\0' || strchr (digits, octets[i]) == NULL)
      return FALSE;
  if (octets[size] != end)
    return FALSE;
  memcpy (out, octets, size);
  out[size] = '\0';
  return TRUE;
}

gboolean
stasis_door_question_read (const char *octets, StasisDoorAsked *out_asked)
{
  const gint word = read_word (octets, questions, G_N_ELEMENTS (questions));
  const char *nonce = octets + WORD_SIZE + 1;
  const char *proof = nonce + STASIS_DOOR_NONCE_SIZE + 1;
  if (word < 0 || !read_digits (nonce, STASIS_DOOR_NONCE_SIZE, ' ', DIGITS, out_asked->nonce)
      || !read_digits (proof, STASIS_MIGRATE_PROOF_SIZE, '\n', DIGITS, out_asked->proof))
    return FALSE;
  out_asked->question = (StasisDoorQuestion) word;
  return TRUE;
}

gboolean
stasis_door_answer_read (const char *octets, StasisDoorAnswer *out_answer, char *out_proof)
{
  const gint word = read_word (octets, answers, G_N_ELEMENTS (answers));
  const char *digits = word == STASIS_DOOR_UNKNOWN ? "-" : DIGITS;
  if (word < 0
      || !read_digits (octets + WORD_SIZE + 1, STASIS_MIGRATE_PROOF_SIZE, '\n', digits, out_proof))
    return FALSE;
  *out_answer = (StasisDoorAnswer) word;
  return TRUE;
}

static gboolean
throw_word (GError **error)
{
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_FAILED,
                       _ ("the other side does not speak our language"));
  return FALSE;
}

static gboolean
send_answer (int fd, const char *token, const char *secret, const StasisDoorAsked *asked,
             StasisDoorAnswer answer, gint64 deadline_us, GCancellable *cancellable, GError **error)
{
  const char *const words[]
      = { "answer", token, asked->nonce, questions[asked->question], answers[answer], NULL };
  g_autofree char *proof = answer != STASIS_DOOR_UNKNOWN
                               ? stasis_migrate_secret_prove (secret, words)
                               : g_strdup (NO_PROOF);
  g_autofree char *text = g_strdup_printf ("%-*s %s\n", (int) WORD_SIZE, answers[answer], proof);
  return stasis_channel_send (fd, text, STASIS_DOOR_ANSWER_SIZE, deadline_us, cancellable, error);
}

gboolean
stasis_migrate_door_serve (int fd, const char *token, const char *secret, StasisDoorFunc func,
                           gpointer data, int timeout_ms, GCancellable *cancellable, GError **error)
{
  char octets[STASIS_DOOR_QUESTION_SIZE];
  StasisDoorAsked asked;
  StasisDoorAnswer answer = STASIS_DOOR_UNKNOWN;
  const gint64 begin_us = g_get_monotonic_time ();
  if (!stasis_channel_receive (fd, octets, sizeof octets,
                               begin_us + timeout_ms * G_GINT64_CONSTANT (1000), cancellable,
                               error))
    return FALSE;
  if (!stasis_door_question_read (octets, &asked))
    return throw_word (error);
  const char *const words[] = { "ask", token, asked.nonce, questions[asked.question], NULL };
  if (secret != NULL && stasis_migrate_secret_check (secret, words, asked.proof)
      && !func (token, asked.question, data, &answer, error))
    return FALSE;
  /* What was decided took its time, and is to be heard. */
  const gint64 now_us = g_get_monotonic_time ();
  return send_answer (fd, token, secret, &asked, answer,
                      now_us + timeout_ms * G_GINT64_CONSTANT (1000), cancellable, error);
}

static StasisDoorAnswer
answer_of (StasisVerdict verdict)
{
  if (verdict == STASIS_VERDICT_BEGUN)
    return STASIS_DOOR_BEGUN;
  return verdict == STASIS_VERDICT_REVOKED ? STASIS_DOOR_REVOKED : STASIS_DOOR_WAITING;
}

gboolean
stasis_migrate_door_judge (const char *folder, const char *token, StasisDoorQuestion question,
                           const char *name, const char *uuid, StasisDoorAnswer *out_answer,
                           GError **error)
{
  StasisVerdict verdict = STASIS_VERDICT_OPEN;
  const gboolean is_decided = question == STASIS_DOOR_REVOKE || question == STASIS_DOOR_SETTLED;
  const gboolean ok = is_decided ? stasis_migrate_verdict_decide (
                          folder, token, STASIS_VERDICT_REVOKED, name, uuid, &verdict, error)
                                 : stasis_migrate_verdict_get (folder, token, &verdict, error);
  if (ok)
    *out_answer = answer_of (verdict);
  return ok;
}

static gboolean
hear (int fd, const char *token, const char *secret, const char *nonce, StasisDoorQuestion question,
      gint64 deadline_us, GCancellable *cancellable, StasisDoorAnswer *out_answer, GError **error)
{
  char octets[STASIS_DOOR_ANSWER_SIZE];
  char proof[STASIS_MIGRATE_PROOF_SIZE + 1];
  StasisDoorAnswer answer = STASIS_DOOR_UNKNOWN;
  if (!stasis_channel_receive (fd, octets, sizeof octets, deadline_us, cancellable, error))
    return FALSE;
  if (!stasis_door_answer_read (octets, &answer, proof))
    return throw_word (error);
  const char *const words[]
      = { "answer", token, nonce, questions[question], answers[answer], NULL };
  if (answer == STASIS_DOOR_UNKNOWN || stasis_migrate_secret_check (secret, words, proof))
    {
      *out_answer = answer;
      return TRUE;
    }
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_FAILED,
               _ ("who listens there says '%s', and is not the destination that has prepared it"),
               answers[answer]);
  return FALSE;
}

static gboolean
ask (int fd, const char *token, const char *secret, StasisDoorQuestion question, gint64 deadline_us,
     GCancellable *cancellable, StasisDoorAnswer *out_answer, GError **error)
{
  g_autofree char *nonce = stasis_migrate_random (STASIS_DOOR_NONCE_SIZE / 2, error);
  if (nonce == NULL)
    return FALSE;
  const char *const words[] = { "ask", token, nonce, questions[question], NULL };
  g_autofree char *proof = stasis_migrate_secret_prove (secret, words);
  g_autofree char *text
      = g_strdup_printf ("%-*s %s %s\n", (int) WORD_SIZE, questions[question], nonce, proof);
  return stasis_channel_send (fd, text, STASIS_DOOR_QUESTION_SIZE, deadline_us, cancellable, error)
         && hear (fd, token, secret, nonce, question, deadline_us, cancellable, out_answer, error);
}

gboolean
stasis_migrate_door_ask (const char *address, const char *token, const char *secret,
                         StasisDoorQuestion question, int timeout_ms, GCancellable *cancellable,
                         StasisDoorAnswer *out_answer, GError **error)
{
  if (secret == NULL)
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_FAILED,
                           _ ("nothing is known by which the destination could prove an answer"));
      return FALSE;
    }
  g_autoptr (StasisMigrateAddress) parsed = stasis_migrate_address_parse_own (address, error);
  if (parsed == NULL)
    return FALSE;
  timeout_ms = stasis_migrate_tunnel_patience (parsed, timeout_ms);
  const gint64 deadline_us = g_get_monotonic_time () + timeout_ms * G_GINT64_CONSTANT (1000);
  stasis_autofd int fd
      = stasis_migrate_connect (parsed, token, STASIS_CHANNEL_ASK, timeout_ms, cancellable, error);
  if (fd < 0)
    return FALSE;
  if (ask (fd, token, secret, question, deadline_us, cancellable, out_answer, error))
    return TRUE;
  g_prefix_error (error, _ ("asking '%s' about the migration: "), address);
  return FALSE;
}
