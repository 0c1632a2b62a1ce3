/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-door.c: a source asks its destination what became of a migration
 *
 * Theory of operation
 *
 * A connection whose hello says "ask " (migrate-channel.c) carries one question and one answer,
 * each a word that is filled up with blanks to seven octets, and a line feed.  Only "begun" and
 * "revoked" tell who has the guest; all else, and every failure, tells nothing, and the source asks
 * again.
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
#include "util/fd.h"

static const char *const questions[] = { "status \n", "revoke \n" };
static const char *const answers[] = { "unknown\n", "waiting\n", "begun  \n", "revoked\n" };
static const char *const answer_words[] = { "unknown", "waiting", "begun", "revoked" };

G_STATIC_ASSERT (G_N_ELEMENTS (questions) == STASIS_DOOR_N_QUESTIONS);
G_STATIC_ASSERT (G_N_ELEMENTS (answers) == STASIS_DOOR_N_ANSWERS);

const char *
stasis_door_answer_to_string (StasisDoorAnswer answer)
{
  return answer_words[answer];
}

gboolean
stasis_door_question_read (const char *word, StasisDoorQuestion *out_question)
{
  for (guint i = 0; i < G_N_ELEMENTS (questions); i++)
    if (memcmp (word, questions[i], STASIS_DOOR_WORD_SIZE) == 0)
      {
        *out_question = (StasisDoorQuestion) i;
        return TRUE;
      }
  return FALSE;
}

gboolean
stasis_door_answer_read (const char *word, StasisDoorAnswer *out_answer)
{
  for (guint i = 0; i < G_N_ELEMENTS (answers); i++)
    if (memcmp (word, answers[i], STASIS_DOOR_WORD_SIZE) == 0)
      {
        *out_answer = (StasisDoorAnswer) i;
        return TRUE;
      }
  return FALSE;
}

static gboolean
throw_word (GError **error)
{
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_FAILED,
                       _ ("the other side does not speak our language"));
  return FALSE;
}

gboolean
stasis_migrate_door_serve (int fd, const char *token, StasisDoorFunc func, gpointer data,
                           int timeout_ms, GCancellable *cancellable, GError **error)
{
  char word[STASIS_DOOR_WORD_SIZE];
  StasisDoorQuestion question = STASIS_DOOR_STATUS;
  StasisDoorAnswer answer = STASIS_DOOR_UNKNOWN;
  const gint64 begin_us = g_get_monotonic_time ();
  if (!stasis_channel_receive (fd, word, sizeof word,
                               begin_us + timeout_ms * G_GINT64_CONSTANT (1000), cancellable,
                               error))
    return FALSE;
  if (!stasis_door_question_read (word, &question))
    return throw_word (error);
  if (!func (token, question, data, &answer, error))
    return FALSE;
  /* What was decided took its time, and is to be heard. */
  const gint64 now_us = g_get_monotonic_time ();
  return stasis_channel_send (fd, answers[answer], STASIS_DOOR_WORD_SIZE,
                              now_us + timeout_ms * G_GINT64_CONSTANT (1000), cancellable, error);
}

static StasisDoorAnswer
answer_of (StasisVerdict verdict, gboolean is_prepared)
{
  if (verdict == STASIS_VERDICT_BEGUN)
    return STASIS_DOOR_BEGUN;
  if (verdict == STASIS_VERDICT_REVOKED)
    return STASIS_DOOR_REVOKED;
  return is_prepared ? STASIS_DOOR_WAITING : STASIS_DOOR_UNKNOWN;
}

gboolean
stasis_migrate_door_judge (const char *folder, const char *token, StasisDoorQuestion question,
                           gboolean is_prepared, const char *name, const char *uuid,
                           StasisDoorAnswer *out_answer, GError **error)
{
  StasisVerdict verdict = STASIS_VERDICT_OPEN;
  const gboolean ok = question == STASIS_DOOR_REVOKE
                          ? stasis_migrate_verdict_decide (folder, token, STASIS_VERDICT_REVOKED,
                                                           name, uuid, &verdict, error)
                          : stasis_migrate_verdict_get (folder, token, &verdict, error);
  if (ok)
    *out_answer = answer_of (verdict, is_prepared);
  return ok;
}

static gboolean
ask (int fd, StasisDoorQuestion question, gint64 deadline_us, GCancellable *cancellable,
     StasisDoorAnswer *out_answer, GError **error)
{
  char word[STASIS_DOOR_WORD_SIZE];
  if (!stasis_channel_send (fd, questions[question], STASIS_DOOR_WORD_SIZE, deadline_us,
                            cancellable, error)
      || !stasis_channel_receive (fd, word, sizeof word, deadline_us, cancellable, error))
    return FALSE;
  return stasis_door_answer_read (word, out_answer) || throw_word (error);
}

gboolean
stasis_migrate_door_ask (const char *address, const char *token, StasisDoorQuestion question,
                         int timeout_ms, GCancellable *cancellable, StasisDoorAnswer *out_answer,
                         GError **error)
{
  const gint64 deadline_us = g_get_monotonic_time () + timeout_ms * G_GINT64_CONSTANT (1000);
  g_autoptr (StasisMigrateAddress) parsed = stasis_migrate_address_parse (address, error);
  if (parsed == NULL)
    return FALSE;
  stasis_autofd int fd
      = stasis_migrate_connect (parsed, token, STASIS_CHANNEL_ASK, timeout_ms, cancellable, error);
  if (fd < 0)
    return FALSE;
  if (ask (fd, question, deadline_us, cancellable, out_answer, error))
    return TRUE;
  g_prefix_error (error, _ ("asking '%s' about the migration: "), address);
  return FALSE;
}
