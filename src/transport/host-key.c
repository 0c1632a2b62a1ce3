/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host-key.c: whether the host is the one that it is to be
 *
 * A key that is not the known one is never asked about: who is in the middle offers another key,
 * and a question that comes up where nothing should is answered with yes.
 */

#include "config.h"

#include "transport/host-key.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "transport/known-hosts.h"

#define SYSTEM_FILE "/etc/ssh/ssh_known_hosts"

/* Ways to sign by a kind of key, the best first; in the order in which they are asked for where
 * nothing is known.  Keys of DSA are not taken. */
static const struct
{
  const char *kind;
  const char *label; /* for people */
  const char *ways[4];
} kinds[] = {
  { "ssh-ed25519", "ED25519", { "ssh-ed25519" } },
  { "ecdsa-sha2-nistp256", "ECDSA", { "ecdsa-sha2-nistp256" } },
  { "ecdsa-sha2-nistp384", "ECDSA", { "ecdsa-sha2-nistp384" } },
  { "ecdsa-sha2-nistp521", "ECDSA", { "ecdsa-sha2-nistp521" } },
  { "ssh-rsa", "RSA", { "rsa-sha2-512", "rsa-sha2-256", "ssh-rsa" } },
};

static char *
own_file (const StasisSshTarget *target)
{
  return target->known_hosts != NULL
             ? g_strdup (target->known_hosts)
             : g_build_filename (g_get_home_dir (), ".ssh", "known_hosts", NULL);
}

static StasisKnownHosts *
load (const StasisSshTarget *target, GError **error)
{
  g_autofree char *own = own_file (target);
  const char *const paths[] = { own, target->known_hosts == NULL ? SYSTEM_FILE : NULL, NULL };
  return stasis_known_hosts_load (paths, error);
}

static char *
host_name (const StasisSshTarget *target)
{
  return stasis_known_hosts_name (target->host, target->port != 0 ? target->port : 22);
}

/* Those of a kind that libssh2 can, into the list. */
static void
add_ways (GString *list, guint kind, const char *const *can, int n_can)
{
  for (guint i = 0; i < G_N_ELEMENTS (kinds[kind].ways) && kinds[kind].ways[i] != NULL; i++)
    for (int j = 0; j < n_can; j++)
      if (g_str_equal (can[j], kinds[kind].ways[i]))
        g_string_append_printf (list, "%s%s", list->len > 0 ? "," : "", can[j]);
}

/* libssh2 would take what is first in its own list. */
gboolean
stasis_ssh_host_key_prefer (StasisSshSession *session, GError **error)
{
  g_autoptr (GPtrArray) known = NULL;
  if (!session->target->is_no_verify)
    {
      g_autoptr (StasisKnownHosts) hosts = load (session->target, error);
      if (hosts == NULL)
        return FALSE;
      g_autofree char *name = host_name (session->target);
      known = stasis_known_hosts_kinds (hosts, name);
    }
  const char **can = NULL;
  const int n_can = libssh2_session_supported_algs (session->session, LIBSSH2_METHOD_HOSTKEY, &can);
  g_autoptr (GString) list = g_string_new (NULL);
  for (guint turn = 0; turn < 2; turn++)
    for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
      {
        const gboolean is_known
            = known != NULL
              && g_ptr_array_find_with_equal_func (known, kinds[i].kind, g_str_equal, NULL);
        if (is_known == (turn == 0))
          add_ways (list, i, can, n_can);
      }
  if (can != NULL)
    libssh2_free (session->session, can);
  if (list->len == 0
      || libssh2_session_method_pref (session->session, LIBSSH2_METHOD_HOSTKEY, list->str) == 0)
    return TRUE;
  stasis_ssh_session_throw (session, STASIS_SSH_ERROR_CONNECT, _ ("no kinds of keys"), error);
  return FALSE;
}

static const char *
label_of (const char *kind)
{
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (g_str_equal (kinds[i].kind, kind))
      return kinds[i].label;
  return kind;
}

/* Nothing is known of this host: somebody has to say yes. */
static gboolean
ask (StasisSshSession *session, const char *name, GBytes *key, GError **error)
{
  const StasisSshTarget *target = session->target;
  g_autofree char *kind = stasis_known_hosts_kind (key);
  g_autofree char *fingerprint = stasis_known_hosts_fingerprint (key);
  g_autofree char *file = own_file (target);
  if (target->ask.host_key == NULL)
    {
      g_set_error (error, STASIS_SSH_ERROR, STASIS_SSH_ERROR_HOST_KEY,
                   _ ("the key of %1$s is not known (%2$s %3$s), and nobody can be asked: if it is "
                      "the right one, log in once with 'ssh', or add what 'ssh-keyscan -p %4$u "
                      "%5$s' prints to '%6$s'"),
                   session->name, label_of (kind), fingerprint,
                   target->port != 0 ? target->port : 22, target->host, file);
      return FALSE;
    }
  if (!target->ask.host_key (name, label_of (kind), fingerprint, target->ask.data))
    {
      g_set_error (error, STASIS_SSH_ERROR, STASIS_SSH_ERROR_HOST_KEY,
                   _ ("the key of %1$s (%2$s %3$s) was refused"), session->name, label_of (kind),
                   fingerprint);
      return FALSE;
    }
  return stasis_known_hosts_append (file, name, key, error);
}

/* What is known speaks against this key. */
static gboolean
refuse (const StasisSshSession *session, StasisKnownHost known, GBytes *key, const char *path,
        guint line, GError **error)
{
  g_autofree char *kind = stasis_known_hosts_kind (key);
  g_autofree char *fingerprint = stasis_known_hosts_fingerprint (key);
  const char *label = label_of (kind);
  if (known == STASIS_KNOWN_HOST_REVOKED)
    g_set_error (error, STASIS_SSH_ERROR, STASIS_SSH_ERROR_HOST_KEY,
                 _ ("THE KEY OF %1$s (%2$s %3$s) IS REVOKED by line %5$u of '%4$s': somebody else "
                    "may be there"),
                 session->name, label, fingerprint, path, line);
  else if (known == STASIS_KNOWN_HOST_MISMATCH)
    g_set_error (error, STASIS_SSH_ERROR, STASIS_SSH_ERROR_HOST_KEY,
                 _ ("THE KEY OF %1$s HAS CHANGED: it is %2$s %3$s now, and another one in line "
                    "%5$u of '%4$s'. Somebody may be in the middle; if the host was installed "
                    "anew, remove that line"),
                 session->name, label, fingerprint, path, line);
  else
    g_set_error (error, STASIS_SSH_ERROR, STASIS_SSH_ERROR_HOST_KEY,
                 _ ("%1$s HAS A KEY OF ANOTHER KIND than is known of it: %2$s %3$s, see line %5$u "
                    "of '%4$s'. Somebody may be in the middle; if it is the right one, add it "
                    "there"),
                 session->name, label, fingerprint, path, line);
  return FALSE;
}

/* Before anything is said to the host about who we are. */
gboolean
stasis_ssh_host_key_check (StasisSshSession *session, GError **error)
{
  if (session->target->is_no_verify)
    return TRUE;
  size_t size = 0;
  int type;
  const char *octets = libssh2_session_hostkey (session->session, &size, &type);
  g_autoptr (GBytes) key = g_bytes_new (octets, octets != NULL ? size : 0);
  g_autofree char *kind = stasis_known_hosts_kind (key);
  if (kind == NULL)
    {
      g_set_error (error, STASIS_SSH_ERROR, STASIS_SSH_ERROR_HOST_KEY, _ ("%1$s has no key"),
                   session->name);
      return FALSE;
    }
  g_autoptr (StasisKnownHosts) hosts = load (session->target, error);
  if (hosts == NULL)
    return FALSE;
  g_autofree char *name = host_name (session->target);
  const char *path;
  guint line;
  const StasisKnownHost known = stasis_known_hosts_check (hosts, name, key, &path, &line);
  if (known == STASIS_KNOWN_HOST_MATCH)
    return TRUE;
  if (known == STASIS_KNOWN_HOST_UNKNOWN)
    return ask (session, name, key, error);
  return refuse (session, known, key, path, line, error);
}
