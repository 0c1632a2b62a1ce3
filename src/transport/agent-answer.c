/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * agent-answer.c: what an ssh agent answers
 */

#include "config.h"

#include "transport/agent-answer.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "transport/known-hosts.h"
#include "transport/rest.h"

#define KEYS_MAX 1024u

/* Certificates and keys of tokens sign in ways that not all versions of libssh2 know. */
static gboolean
is_usable (GBytes *key)
{
  g_autofree char *kind = stasis_known_hosts_kind (key);
  return kind != NULL
         && (g_str_equal (kind, "ssh-ed25519") || g_str_equal (kind, "ssh-rsa")
             || (g_str_has_prefix (kind, "ecdsa-sha2-") && strstr (kind, "-cert-") == NULL));
}

/* How many there are, and of each the key and a comment. */
GPtrArray *
stasis_ssh_agent_parse_keys (const guint8 *octets, gsize size, GError **error)
{
  g_autoptr (GPtrArray) keys = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  StasisSshRest rest = { octets, size };
  guint32 count = 0;
  gboolean is_whole = stasis_ssh_take_word (&rest, &count) && count <= KEYS_MAX;
  for (guint32 i = 0; is_whole && i < count; i++)
    {
      StasisSshRest key, comment;
      is_whole = stasis_ssh_take_string (&rest, &key) && stasis_ssh_take_string (&rest, &comment);
      if (!is_whole)
        break;
      g_autoptr (GBytes) one = g_bytes_new (key.at, key.left);
      if (is_usable (one))
        g_ptr_array_add (keys, g_steal_pointer (&one));
    }
  if (is_whole)
    return g_steal_pointer (&keys);
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
               _ ("the ssh agent's list of keys is cut short"));
  return NULL;
}

/* A string of two: its name and itself. */
gboolean
stasis_ssh_agent_parse_signature (const guint8 *octets, gsize size, const guint8 **out_signature,
                                  gsize *out_size)
{
  StasisSshRest rest = { octets, size }, whole, name, signature;
  if (!stasis_ssh_take_string (&rest, &whole) || !stasis_ssh_take_string (&whole, &name)
      || !stasis_ssh_take_string (&whole, &signature) || signature.left == 0)
    return FALSE;
  *out_signature = signature.at;
  *out_size = signature.left;
  return TRUE;
}
