/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-door.h: a source asks its destination what became of a migration
 */

#pragma once

#include "driver/migrate-address.h"
#include "driver/migrate-secret.h"
#include "driver/migrate-verdict.h"

G_BEGIN_DECLS

typedef enum
{
  STASIS_DOOR_STATUS, /* how does it stand? */
  STASIS_DOOR_REVOKE, /* the guest is to go on here: decide so, unless you have it */
  /* Whose it is has been done here for good, and nobody asks again.  Decides as REVOKE, for who has
   * never heard "begun" has let his guest run. */
  STASIS_DOOR_SETTLED,
  STASIS_DOOR_WHOLE, /* as STATUS, but BEGUN only once the guest there lacks no memory (postcopy) */
  STASIS_DOOR_N_QUESTIONS,
} StasisDoorQuestion;

typedef enum
{
  STASIS_DOOR_UNKNOWN, /* not prepared there, or who asks is not its source: no word about it */
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

/* One connection that came in for STASIS_CHANNEL_ASK: one question, one answer.  Who cannot prove
 * that he has the secret is told UNKNOWN, and @func is not called.
 * @fd: (borrowed)
 * @secret: (nullable): NULL where this host has not prepared it */
gboolean stasis_migrate_door_serve (int fd, const char *token, const char *secret,
                                    StasisDoorFunc func, gpointer data, int timeout_ms,
                                    GCancellable *cancellable, GError **error);

/* Most of such a function: by the verdicts in @folder, which REVOKE adds to.
 * @name, @uuid: (nullable): of its domain */
gboolean stasis_migrate_door_judge (const char *folder, const char *token,
                                    StasisDoorQuestion question, const char *name, const char *uuid,
                                    StasisDoorAnswer *out_answer, GError **error);

/* Ask at @address (a StasisMigrateAddress as text).  An answer that is not proved is none: FALSE.
 * @secret: (nullable): from Prepare's cookie; without it there is nobody to be believed */
gboolean stasis_migrate_door_ask (const char *address, const char *token, const char *secret,
                                  StasisDoorQuestion question, int timeout_ms,
                                  GCancellable *cancellable, StasisDoorAnswer *out_answer,
                                  GError **error);

/* For the fuzz target and tests: what is said has a fixed size. */
#define STASIS_DOOR_NONCE_SIZE    32u  /* lower-case hexadecimal digits */
#define STASIS_DOOR_QUESTION_SIZE 106u /* octets */
#define STASIS_DOOR_ANSWER_SIZE   73u  /* octets */

typedef struct
{
  StasisDoorQuestion question;
  char nonce[STASIS_DOOR_NONCE_SIZE + 1];
  char proof[STASIS_MIGRATE_PROOF_SIZE + 1];
} StasisDoorAsked;

/* FALSE where it is none; nothing is proved by that.
 * @out_proof: STASIS_MIGRATE_PROOF_SIZE + 1 octets */
gboolean stasis_door_question_read (const char *octets, StasisDoorAsked *out_asked);
gboolean stasis_door_answer_read (const char *octets, StasisDoorAnswer *out_answer,
                                  char *out_proof);

G_END_DECLS
