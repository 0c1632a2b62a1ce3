/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * uri.c: where a server is, and how to get there
 *
 * Strict: what is not understood is refused, for a URI that is misspelt must not lead elsewhere.
 * GLib's own parser mends what it finds; here only what stands between the separators is decoded.
 */

#include "config.h"

#include "remote/uri.h"

#include <string.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#define LENGTH_MAX    4096u
#define PORT_MAX      65535u
#define KEEPALIVE_MAX 3600u

static gboolean G_GNUC_PRINTF (2, 3) throw (GError * *error, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *message = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT, message);
  return FALSE;
}

/* NULL is fine. */
void
stasis_remote_uri_free (StasisRemoteUri *self)
{
  if (self == NULL)
    return;
  g_free (self->user);
  g_free (self->host);
  g_free (self->socket);
  g_free (self->keyfile);
  g_free (self->known_hosts);
  g_free (self);
}

/* (transfer full) (nullable): each "%XX" as its octet; no NUL, no control characters. */
static char *
decode (const char *text, gsize length, const char *what, GError **error)
{
  g_autoptr (GString) out = g_string_new (NULL);
  for (gsize i = 0; i < length; i++)
    {
      int octet = (guchar) text[i];
      if (text[i] == '%')
        {
          const int high = i + 2 < length ? g_ascii_xdigit_value (text[i + 1]) : -1;
          const int low = high >= 0 ? g_ascii_xdigit_value (text[i + 2]) : -1;
          if (low < 0)
            {
              throw (error, _ ("%s: '%%' is not followed by two hexadecimal digits"), what);
              return NULL;
            }
          octet = high * 16 + low;
          i += 2;
        }
      if (octet < ' ' || octet == 127)
        {
          throw (error, _ ("%s has a control character"), what);
          return NULL;
        }
      g_string_append_c (out, (char) octet);
    }
  return g_string_free (g_steal_pointer (&out), FALSE);
}

static gboolean
parse_scheme (StasisRemoteUri *self, const char *scheme, GError **error)
{
  static const struct
  {
    const char *name;
    StasisRemoteTransport transport;
  } transports[] = {
    { "unix", STASIS_REMOTE_UNIX },
    { "ssh", STASIS_REMOTE_SSH },
    { "libssh2", STASIS_REMOTE_SSH },
    { "tcp", STASIS_REMOTE_TCP },
  };
  const char *plus = strchr (scheme, '+');
  /* Without a transport libvirt's is a socket of this host; ours is in this process. */
  if (g_str_equal (scheme, "qemu"))
    return TRUE;
  g_autofree char *driver = plus != NULL ? g_strndup (scheme, (gsize) (plus - scheme)) : NULL;
  if (g_strcmp0 (driver, "stasis") != 0 && g_strcmp0 (driver, "qemu") != 0)
    return throw (error,
                  _ ("no driver for the scheme '%s': it is 'stasis' or 'qemu', with '+unix' "
                     "or '+ssh' behind it"),
                  scheme);
  for (guint i = 0; i < G_N_ELEMENTS (transports); i++)
    if (g_str_equal (plus + 1, transports[i].name))
      {
        self->transport = transports[i].transport;
        return TRUE;
      }
  return throw (error, _ ("no transport '%s': it is 'unix', 'ssh' or 'tcp'"), plus + 1);
}

static gboolean
parse_port (StasisRemoteUri *self, const char *text, GError **error)
{
  guint64 port;
  if (!g_ascii_string_to_unsigned (text, 10, 1, PORT_MAX, &port, NULL))
    return throw (error, _ ("'%s' is no port"), text);
  self->port = (guint) port;
  return TRUE;
}

/* A name or a number; it ends up in the command lines of others. */
static gboolean
check_host (const char *host, GError **error)
{
  if (*host == '\0')
    return throw (error, _ ("the host is missing"));
  if (*host == '-')
    return throw (error, _ ("'%s' is no host"), host);
  for (const char *c = host; *c != '\0'; c++)
    if (!g_ascii_isalnum (*c) && strchr (".-_", *c) == NULL)
      return throw (error, _ ("'%s' is no host"), host);
  return TRUE;
}

/* Behind the brackets; a zone may follow the address. */
static gboolean
check_ipv6 (const char *host, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (host, "%", 2);
  g_autoptr (GInetAddress) address = g_inet_address_new_from_string (parts[0]);
  const gboolean is_ipv6
      = address != NULL && g_inet_address_get_family (address) == G_SOCKET_FAMILY_IPV6;
  if (!is_ipv6 || (parts[1] != NULL && !check_host (parts[1], NULL)))
    return throw (error, _ ("'[%s]' is no IPv6 address"), host);
  return TRUE;
}

/* HOST, HOST:PORT, [IPV6], [IPV6]:PORT */
static gboolean
parse_host (StasisRemoteUri *self, const char *text, GError **error)
{
  const gboolean is_bracketed = *text == '[';
  const char *end = is_bracketed ? strchr (text, ']') : text + strcspn (text, ":");
  if (end == NULL)
    return throw (error, _ ("']' is missing behind '%s'"), text);
  const char *begin = is_bracketed ? text + 1 : text;
  const char *rest = is_bracketed ? end + 1 : end;
  self->host = decode (begin, (gsize) (end - begin), _ ("the host"), error);
  if (self->host == NULL
      || !(is_bracketed ? check_ipv6 (self->host, error) : check_host (self->host, error)))
    return FALSE;
  if (*rest == '\0')
    return TRUE;
  if (*rest != ':')
    return throw (error, _ ("'%s' behind the host"), rest);
  return parse_port (self, rest + 1, error);
}

/* [USER@]HOST[:PORT] */
static gboolean
parse_authority (StasisRemoteUri *self, const char *text, GError **error)
{
  if (self->transport == STASIS_REMOTE_UNIX)
    return *text == '\0'
           || throw (error, _ ("a unix socket has no host: three slashes, 'unix:///system'"));
  const char *at = strrchr (text, '@');
  if (at == NULL)
    return parse_host (self, text, error);
  if (memchr (text, ':', (gsize) (at - text)) != NULL)
    return throw (error, _ ("a password has no place in a URI"));
  if (self->transport == STASIS_REMOTE_TCP)
    return throw (error, _ ("'tcp' knows no users"));
  self->user = decode (text, (gsize) (at - text), _ ("the user"), error);
  if (self->user == NULL)
    return FALSE;
  if (*self->user == '\0' || *self->user == '-')
    return throw (error, _ ("'%s' is no user"), self->user);
  return parse_host (self, at + 1, error);
}

static gboolean
parse_path (StasisRemoteUri *self, const char *path, GError **error)
{
  self->is_session = g_str_equal (path, "/session");
  return self->is_session || g_str_equal (path, "/system")
         || throw (error, _ ("'%s': the path is '/system' or '/session'"), path);
}

static gboolean
take_path (char **member, const char *key, char *value_take, GError **error)
{
  g_autofree char *value = value_take;
  if (*member != NULL)
    return throw (error, _ ("parameter '%s' is there twice"), key);
  if (!g_path_is_absolute (value))
    return throw (error, _ ("parameter '%1$s': '%2$s' is not an absolute path"), key, value);
  *member = g_steal_pointer (&value);
  return TRUE;
}

static gboolean
take_no_verify (StasisRemoteUri *self, const char *value, GError **error)
{
  if (!g_str_equal (value, "0") && !g_str_equal (value, "1"))
    return throw (error, _ ("parameter 'no_verify' is 0 or 1, not '%s'"), value);
  self->no_verify = g_str_equal (value, "1");
  return TRUE;
}

static gboolean
take_keepalive (StasisRemoteUri *self, const char *value, GError **error)
{
  guint64 seconds;
  if (!g_ascii_string_to_unsigned (value, 10, 0, KEEPALIVE_MAX, &seconds, NULL))
    return throw (error, _ ("parameter 'keepalive': '%1$s' is not a number from 0 to %2$u"), value,
                  KEEPALIVE_MAX);
  self->keepalive_s = (guint) seconds;
  return TRUE;
}

static gboolean
take_parameter (StasisRemoteUri *self, const char *key, char *value_take, GError **error)
{
  g_autofree char *value = value_take;
  const gboolean is_ssh = self->transport == STASIS_REMOTE_SSH;
  if (g_str_equal (key, "socket") && self->transport != STASIS_REMOTE_TCP)
    return take_path (&self->socket, key, g_steal_pointer (&value), error);
  if (g_str_equal (key, "keyfile") && is_ssh)
    return take_path (&self->keyfile, key, g_steal_pointer (&value), error);
  if (g_str_equal (key, "known_hosts") && is_ssh)
    return take_path (&self->known_hosts, key, g_steal_pointer (&value), error);
  if (g_str_equal (key, "no_verify") && is_ssh)
    return take_no_verify (self, value, error);
  if (g_str_equal (key, "keepalive"))
    return take_keepalive (self, value, error);
  return throw (error, _ ("parameter '%s' is not known with this transport"), key);
}

static gboolean
parse_query (StasisRemoteUri *self, const char *query, GError **error)
{
  g_auto (GStrv) pairs = g_strsplit (query, "&", -1);
  for (guint i = 0; pairs[i] != NULL; i++)
    {
      const char *equals = strchr (pairs[i], '=');
      const gsize length = equals != NULL ? (gsize) (equals - pairs[i]) : strlen (pairs[i]);
      g_autofree char *key = decode (pairs[i], length, _ ("a parameter"), error);
      /* virsh's users write "no_verify" alone, too. */
      const char *text = equals != NULL ? equals + 1 : "1";
      char *value = key != NULL ? decode (text, strlen (text), key, error) : NULL;
      if (value == NULL || !take_parameter (self, key, value, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
parse (StasisRemoteUri *self, const char *text, GError **error)
{
  const char *colon = strchr (text, ':');
  if (strlen (text) > LENGTH_MAX)
    return throw (error, _ ("it is longer than %u octets"), LENGTH_MAX);
  if (colon == NULL || !g_str_has_prefix (colon, "://"))
    return throw (error, _ ("it is no 'SCHEME+TRANSPORT://...'"));
  if (strchr (text, '#') != NULL)
    return throw (error, _ ("a fragment ('#') has no place in it"));
  g_autofree char *scheme = g_strndup (text, (gsize) (colon - text));
  const char *begin = colon + 3;
  const char *path = begin + strcspn (begin, "/?");
  const char *question = path + strcspn (path, "?");
  g_autofree char *authority = g_strndup (begin, (gsize) (path - begin));
  g_autofree char *folder = g_strndup (path, (gsize) (question - path));
  return parse_scheme (self, scheme, error) && parse_authority (self, authority, error)
         && parse_path (self, folder, error)
         && (*question == '\0' || parse_query (self, question + 1, error));
}

/* It is refused, and not repeated where everybody may read it. */
static gboolean
has_password (const char *text)
{
  const char *begin = strstr (text, "://");
  const char *at = begin != NULL ? strchr (begin, '@') : NULL;
  const char *colon = begin != NULL ? strchr (begin + 3, ':') : NULL;
  return at != NULL && colon != NULL && colon < at;
}

/* Parse it. */
StasisRemoteUri *
stasis_remote_uri_parse (const char *text, GError **error)
{
  g_autoptr (StasisRemoteUri) self = g_new0 (StasisRemoteUri, 1);
  self->keepalive_s = STASIS_REMOTE_KEEPALIVE_S;
  if (parse (self, text, error))
    return g_steal_pointer (&self);
  if (!has_password (text))
    g_prefix_error (error, _ ("'%s': "), text);
  return NULL;
}
