/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ssh.h: a stream to the socket of a daemon on another host, through ssh
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/**
 * StasisSshError:
 * @STASIS_SSH_ERROR_CONNECT: what answers there does not speak ssh, or not as we do
 * @STASIS_SSH_ERROR_HOST_KEY: the host's key is not known, is not the one that is known, or was
 *   refused
 * @STASIS_SSH_ERROR_AUTH: the host does not let this user in
 * @STASIS_SSH_ERROR_REMOTE: the host let us in, but there is no way to the socket there
 *
 * Why there is no stream.  Where nobody answers it is an error of GIO's (G_IO_ERROR or
 * G_RESOLVER_ERROR); what is wrong with the target is G_IO_ERROR_INVALID_ARGUMENT, what takes too
 * long G_IO_ERROR_TIMED_OUT.
 */
typedef enum
{
  STASIS_SSH_ERROR_CONNECT,
  STASIS_SSH_ERROR_HOST_KEY,
  STASIS_SSH_ERROR_AUTH,
  STASIS_SSH_ERROR_REMOTE,
} StasisSshError;

#define STASIS_SSH_ERROR (stasis_ssh_error_quark ())
GQuark stasis_ssh_error_quark (void);

/* Who can be asked while the connection is made, in the thread that makes it.  What the texts hold
 * of the host's words is one line without control characters.  A slot that is NULL: nobody. */
typedef struct
{
  /* Is this key of @host (as known_hosts names it) the right one?  @type is as in "ED25519",
   * @fingerprint as in "SHA256:...".  TRUE: go on, and remember it. */
  gboolean (*host_key) (const char *host, const char *type, const char *fingerprint, gpointer data);
  /* A passphrase, a password, or what else the host wants to know; what is typed is to be seen
   * where @is_echoed.  (transfer full) (nullable): NULL is a refusal; the caller wipes it. */
  char *(*secret) (const char *prompt, gboolean is_echoed, gpointer data);
  gpointer data;
} StasisSshAsk;

/* How a stream ended; (atomic) counted, because the thread that moves its octets has one too. */
typedef struct _StasisSshReason StasisSshReason;

StasisSshReason *stasis_ssh_reason_new (void);
StasisSshReason *stasis_ssh_reason_ref (StasisSshReason *reason);
void stasis_ssh_reason_unref (StasisSshReason *reason);

/* (transfer full) (nullable): why the stream ended, in one line: what the program on the other host
 * wrote to its standard error, its exit status, what became of the connection.  It is there before
 * the end of the stream can be read.  NULL: nothing is wrong, or it has not ended. */
char *stasis_ssh_reason_get (StasisSshReason *reason);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisSshReason, stasis_ssh_reason_unref)

typedef struct
{
  const char *host;        /* a name or an address, without brackets */
  guint port;              /* 0: 22 */
  const char *user;        /* (nullable): the name of who runs us */
  const char *keyfile;     /* (nullable): only this key; else the agent's and the usual ones */
  const char *known_hosts; /* (nullable): only this file; else ~/.ssh/known_hosts and the host's */
  gboolean is_no_verify;   /* whatever key the host has: only where somebody said so */
  const char *socket_path; /* (nullable): of the daemon there; else the usual places */
  gboolean is_session;     /* without a path: the user's own daemon, not the system's */
  gboolean is_read_only;   /* without a path: the socket for those who may only read */
  guint keepalive_s;       /* ask for signs of life; 0: every 15 s; four without any are the end */
  StasisSshAsk ask;        /* who can be asked */
  StasisSshReason *reason; /* (nullable): how the stream ends */
} StasisSshTarget;

/* Connect, check the host's key, log in, and reach the socket there.  A descriptor of a socket that
 * is a full-duplex stream to it: shutdown(2) of either side arrives at the other, and closing it
 * ends all of it.  Blocks; -1 on failure.  Whether the socket is there shows in the stream: an end
 * without an octet, and @target's reason. */
int stasis_transport_ssh_open (const StasisSshTarget *target, GCancellable *cancellable,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
