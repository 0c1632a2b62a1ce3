/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * agent.c: the keys of an ssh agent
 *
 * libssh2 has a client for agents, which waits for their answers without end, and an agent may well
 * wait for a finger on a key.  So this one speaks with them itself (the agent protocol is a length
 * word, a type and a body), in the same way in which all else here waits: cancellable, and not for
 * ever.
 */

#include "config.h"

#include "transport/agent.h"

#include <errno.h>
#include <glib/gi18n-lib.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "transport/agent-answer.h"
#include "transport/rest.h"
#include "transport/secret-memory.h"
#include "util/fd.h"

#define MESSAGE_MAX (256u * 1024) /* octets, as OpenSSH's own limit */
#define ANSWER_S    120u          /* somebody may have to say yes */

/* Types of messages. */
enum
{
  AGENT_REQUEST_IDENTITIES = 11,
  AGENT_IDENTITIES_ANSWER = 12,
  AGENT_SIGN_REQUEST = 13,
  AGENT_SIGN_RESPONSE = 14,
};

/* How an RSA key is to sign. */
enum
{
  AGENT_RSA_SHA2_256 = 2,
  AGENT_RSA_SHA2_512 = 4,
};

struct _StasisSshAgent
{
  StasisSshSession *session; /* (borrowed: outlives us) */
  int fd;                    /* (owned) */
  GPtrArray *keys;           /* (owned) (nullable) (element-type GBytes) */
  GBytes *chosen;            /* (borrowed) the key that signs */
  GError *error;             /* (owned) (nullable) why it did not */
};

static void
put_word (GByteArray *message, guint32 word)
{
  word = GUINT32_TO_BE (word);
  g_byte_array_append (message, (const guint8 *) &word, 4);
}

static void
put_string (GByteArray *message, const void *octets, gsize size)
{
  put_word (message, (guint32) size);
  g_byte_array_append (message, octets, (guint) size);
}

/* Send or receive all of it, with patience. */
static gboolean
transfer (StasisSshAgent *self, gboolean is_sent, guint8 *octets, gsize count, GError **error)
{
  while (count > 0)
    {
      const ssize_t n = is_sent ? send (self->fd, octets, count, MSG_NOSIGNAL | MSG_DONTWAIT)
                                : recv (self->fd, octets, count, MSG_DONTWAIT);
      if (n > 0)
        {
          octets += n;
          count -= (gsize) n;
        }
      else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        {
          g_set_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED, _ ("the ssh agent has hung up"));
          return FALSE;
        }
      else if (errno == EAGAIN
               && !stasis_ssh_session_wait_fd (self->session, self->fd, is_sent ? POLLOUT : POLLIN,
                                               _ ("an answer of the ssh agent"), error))
        return FALSE;
    }
  return TRUE;
}

/* Ask; the answer without its type, which is @wanted, or NULL. */
static GByteArray *
converse (StasisSshAgent *self, GByteArray *message, guint8 wanted, GError **error)
{
  stasis_ssh_session_step (self->session, ANSWER_S);
  const guint32 sent_length = GUINT32_TO_BE (message->len);
  guint32 length;
  if (!transfer (self, TRUE, (guint8 *) &sent_length, 4, error)
      || !transfer (self, TRUE, message->data, message->len, error)
      || !transfer (self, FALSE, (guint8 *) &length, 4, error))
    return NULL;
  length = GUINT32_FROM_BE (length);
  if (length == 0 || length > MESSAGE_MAX)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   _ ("the ssh agent answers with %1$u octets"), length);
      return NULL;
    }
  g_autoptr (GByteArray) answer = g_byte_array_new ();
  g_byte_array_set_size (answer, length);
  if (!transfer (self, FALSE, answer->data, length, error))
    return NULL;
  if (answer->data[0] != wanted)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED, _ ("the ssh agent refuses"));
      return NULL;
    }
  g_byte_array_remove_range (answer, 0, 1);
  return g_steal_pointer (&answer);
}

static gboolean
ask_keys (StasisSshAgent *self, GError **error)
{
  const guint8 type = AGENT_REQUEST_IDENTITIES;
  g_autoptr (GByteArray) message = g_byte_array_new ();
  g_byte_array_append (message, &type, 1);
  g_autoptr (GByteArray) answer = converse (self, message, AGENT_IDENTITIES_ANSWER, error);
  if (answer == NULL)
    return FALSE;
  self->keys = stasis_ssh_agent_parse_keys (answer->data, answer->len, error);
  return self->keys != NULL;
}

/* Connect and ask. */
StasisSshAgent *
stasis_ssh_agent_open (StasisSshSession *session, GError **error)
{
  const char *path = g_getenv ("SSH_AUTH_SOCK");
  if (path == NULL || *path == '\0')
    return NULL;
  g_autoptr (StasisSshAgent) self = g_new0 (StasisSshAgent, 1);
  self->session = session;
  self->fd = stasis_unix_connect_now (path, error);
  if (self->fd < 0 || !ask_keys (self, error))
    return NULL;
  return g_steal_pointer (&self);
}

/* Close it.  NULL is fine. */
void
stasis_ssh_agent_free (StasisSshAgent *self)
{
  if (self == NULL)
    return;
  stasis_fd_clear (&self->fd);
  g_clear_error (&self->error);
  g_clear_pointer (&self->keys, g_ptr_array_unref);
  g_free (self);
}

/* Those that can be tried. */
GPtrArray *
stasis_ssh_agent_keys (const StasisSshAgent *self)
{
  return self->keys;
}

/* What is to be signed says by which algorithm: session, type, user, service, method, TRUE, it. */
static guint32
sign_flags (const guint8 *octets, gsize size)
{
  StasisSshRest rest = { octets, size }, part, algorithm;
  if (!stasis_ssh_take_string (&rest, &part) || rest.left < 1)
    return 0;
  rest.at++;
  rest.left--;
  if (!stasis_ssh_take_string (&rest, &part) || !stasis_ssh_take_string (&rest, &part)
      || !stasis_ssh_take_string (&rest, &part) || rest.left < 1)
    return 0;
  rest.at++;
  rest.left--;
  if (!stasis_ssh_take_string (&rest, &algorithm) || algorithm.left != strlen ("rsa-sha2-256"))
    return 0;
  if (memcmp (algorithm.at, "rsa-sha2-256", algorithm.left) == 0)
    return AGENT_RSA_SHA2_256;
  return memcmp (algorithm.at, "rsa-sha2-512", algorithm.left) == 0 ? AGENT_RSA_SHA2_512 : 0;
}

/* Called by libssh2 once the host has said that it takes the key.  The signature itself is wanted,
 * without the name in front of it, in memory of libssh2's. */
static int
on_sign (LIBSSH2_SESSION *session, unsigned char **out_signature, size_t *out_size,
         const unsigned char *octets, size_t size, void **abstract)
{
  StasisSshAgent *self = *abstract;
  const guint8 type = AGENT_SIGN_REQUEST;
  g_autoptr (GByteArray) message = g_byte_array_new ();
  g_byte_array_append (message, &type, 1);
  put_string (message, g_bytes_get_data (self->chosen, NULL), g_bytes_get_size (self->chosen));
  put_string (message, octets, size);
  put_word (message, sign_flags (octets, size));
  g_clear_error (&self->error);
  g_autoptr (GByteArray) answer = converse (self, message, AGENT_SIGN_RESPONSE, &self->error);
  if (answer == NULL)
    return -1;
  const guint8 *signature;
  if (!stasis_ssh_agent_parse_signature (answer->data, answer->len, &signature, out_size))
    return -1;
  *out_signature = stasis_secret_alloc (*out_size, NULL);
  if (*out_signature == NULL)
    return -1;
  memcpy (*out_signature, signature, *out_size);
  return 0;
}

/* The agent signs; what it refuses to sign is as a key that the host does not take. */
gboolean
stasis_ssh_agent_log_in (StasisSshAgent *self, const char *user, GBytes *key, gboolean *out_is_in,
                         GError **error)
{
  gsize size;
  const guint8 *octets = g_bytes_get_data (key, &size);
  void *abstract = self;
  int rc;
  self->chosen = key;
  g_clear_error (&self->error);
  while ((rc = libssh2_userauth_publickey (self->session->session, user, octets, size, on_sign,
                                           &abstract))
         == LIBSSH2_ERROR_EAGAIN)
    if (!stasis_ssh_session_wait (self->session, _ ("logging in"), error))
      return FALSE;
  if (g_error_matches (self->error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_propagate_error (error, g_steal_pointer (&self->error));
      return FALSE;
    }
  *out_is_in = rc == 0;
  return TRUE;
}
