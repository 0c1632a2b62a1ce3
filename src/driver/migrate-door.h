/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-door.h: a source asks its destination what became of a migration
 */

#pragma once

#include "driver/migrate-address.h"
#include "driver/migrate-verdict.h"

G_BEGIN_DECLS

typedef enum
{
  STASIS_DOOR_STATUS, /* how does it stand? */
  STASIS_DOOR_REVOKE, /* the guest is to go on here: decide so, unless you have it */
  STASIS_DOOR_N_QUESTIONS,
} StasisDoorQuestion;

typedef enum
{
  STASIS_DOOR_UNKNOWN, /* never heard of; after REVOKE: it could not be written down */
  STASIS_DOOR_WAITING, /* prepared, and not decided */
  STASIS_DOOR_BEGUN,   /* the guest is the destination's */
  STASIS_DOOR_REVOKED, /* it never will be */
  STASIS_DOOR_N_ANSWERS,
} StasisDoorAnswer;

/* "unknown", "waiting", "begun", "revoked" */
const char *stasis_door_answer_to_string (StasisDoorAnswer answer);

/* What the destination says.  BEGUN and REVOKED have to be a verdict that is kept; before REVOKED
 * the QEMU that waits for the guest has ended, or is going to without ever letting it run.  Where
 * it fails the source gets no answer. */
typedef gboolean (*StasisDoorFunc) (const char *token, StasisDoorQuestion question, gpointer data,
                                    StasisDoorAnswer *out_answer, GError **error);

/* One connection that came in for STASIS_CHANNEL_ASK: one question, one answer.  @fd is borrowed.
 */
gboolean stasis_migrate_door_serve (int fd, const char *token, StasisDoorFunc func, gpointer data,
                                    int timeout_ms, GCancellable *cancellable, GError **error);

/* Most of such a function: by the verdicts in @folder, which REVOKE adds to.
 * @is_prepared: a QEMU waits for that migration here
 * @name, @uuid: (nullable): of its domain */
gboolean stasis_migrate_door_judge (const char *folder, const char *token,
                                    StasisDoorQuestion question, gboolean is_prepared,
                                    const char *name, const char *uuid,
                                    StasisDoorAnswer *out_answer, GError **error);

/* Ask at @address (a StasisMigrateAddress as text). */
gboolean stasis_migrate_door_ask (const char *address, const char *token,
                                  StasisDoorQuestion question, int timeout_ms,
                                  GCancellable *cancellable, StasisDoorAnswer *out_answer,
                                  GError **error);

/* For the fuzz target, and the two above: a word of fixed size.  FALSE where it is none. */
#define STASIS_DOOR_WORD_SIZE 8u /* octets */
gboolean stasis_door_question_read (const char *word, StasisDoorQuestion *out_question);
gboolean stasis_door_answer_read (const char *word, StasisDoorAnswer *out_answer);

G_END_DECLS
