/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ssh-session.h: a connection to an ssh server: what all steps to a stream have in common
 */

#pragma once

#include <libssh2.h>

#include "transport/ssh.h"

G_BEGIN_DECLS

/* libssh2 does not return as long as there is something to read: so much is read in one go. */
#define STASIS_SSH_BUDGET (1024u * 1024) /* octets */

typedef struct
{
  const StasisSshTarget *target; /* (borrowed) until the stream is open */
  GCancellable *cancellable;     /* (borrowed) (nullable) likewise */
  char *name;                    /* (owned) of the host, for messages */
  int fd;                        /* (owned) */
  LIBSSH2_SESSION *session;      /* (owned) */
  gint64 deadline;               /* of the step in hand; monotonic time */
  gint64 heard;                  /* when octets last came from the host; monotonic time */
  gsize budget;                  /* octets that libssh2 may read until it has to return */
  char *farewell;                /* (owned) (nullable) what the host said as it hung up */
  gboolean is_unanswered;        /* who was asked for a secret gave none */
} StasisSshSession;

/* Connect to the target and shake hands; the host's key is yet to be checked. */
StasisSshSession *stasis_ssh_session_open (const StasisSshTarget *target, GCancellable *cancellable,
                                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
void stasis_ssh_session_free (StasisSshSession *self);

/* A step begins, and may take so long. */
void stasis_ssh_session_step (StasisSshSession *self, guint seconds);

/* Wait until libssh2 can go on with what returned LIBSSH2_ERROR_EAGAIN, and is to be called again;
 * @step is for messages. */
gboolean stasis_ssh_session_wait (StasisSshSession *self, const char *step, GError **error);

/* Wait for another descriptor in the same way. */
gboolean stasis_ssh_session_wait_fd (StasisSshSession *self, int fd, short events, const char *step,
                                     GError **error);

/* The host has hung up: there is no use in asking anybody for what it wants to know. */
gboolean stasis_ssh_session_is_over (const StasisSshSession *self);

/* (transfer full): what libssh2 or the host says is wrong. */
char *stasis_ssh_session_words (StasisSshSession *self);

/* Set @error: the host's name, @what, and the words above. */
void stasis_ssh_session_throw (StasisSshSession *self, StasisSshError code, const char *what,
                               GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisSshSession, stasis_ssh_session_free)

G_END_DECLS
