/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-address.c: where a destination listens for its source
 */

#include "config.h"

#include "driver/migrate-address.h"

#include <string.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#define ADDRESS_MAX 1024u /* octets */
#define TUNNEL      "tunnel:"
#define TUNNEL_MAX  16384u /* octets */

void
stasis_migrate_address_free (StasisMigrateAddress *address)
{
  if (address == NULL)
    return;
  g_free (address->path);
  g_free (address->host);
  g_free (address->via);
  g_free (address);
}

static StasisMigrateAddress *
throw_bad (const char *text, const char *fault, GError **error)
{
  g_autofree char *shown = g_strescape (text, NULL);
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
               _ ("'%1$.200s' is no address for a migration: %2$s"), shown, fault);
  return NULL;
}

static gboolean
is_host (const char *host)
{
  for (const char *p = host; *p != '\0'; p++)
    if (!g_ascii_isalnum (*p) && strchr (".-_:%", *p) == NULL)
      return FALSE;
  return *host != '\0' && strlen (host) <= 255;
}

/* Without the brackets of a number of IPv6; NULL where they do not pair. */
static char *
take_host (const char *text, const char **out_rest)
{
  if (*text == '[')
    {
      const char *end = strchr (text, ']');
      *out_rest = end != NULL ? end + 1 : NULL;
      return end != NULL ? g_strndup (text + 1, (gsize) (end - text - 1)) : NULL;
    }
  const gsize n = strcspn (text, ":/");
  *out_rest = text + n;
  return g_strndup (text, n);
}

static StasisMigrateAddress *
parse_tcp (const char *text, const char *rest, GError **error)
{
  const gboolean is_uri = g_str_has_prefix (rest, "//");
  g_autofree char *host = take_host (is_uri ? rest + 2 : rest, &rest);
  if (host == NULL || !is_host (host))
    return throw_bad (text, _ ("it names no host"), error);

  /* A URI may end with a '/'. */
  g_autofree char *port_text = g_strdup (rest);
  if (is_uri && g_str_has_suffix (port_text, "/"))
    port_text[strlen (port_text) - 1] = '\0';
  guint64 port = 0;
  if (*port_text != ':' && *port_text != '\0')
    return throw_bad (text, _ ("there is something behind the host"), error);
  if (*port_text == ':'
      && !g_ascii_string_to_unsigned (port_text + 1, 10, 0, G_MAXUINT16, &port, NULL))
    return throw_bad (text, _ ("a port is a number up to 65535"), error);
  StasisMigrateAddress *address = g_new0 (StasisMigrateAddress, 1);
  address->host = g_steal_pointer (&host);
  address->port = (guint16) port;
  return address;
}

StasisMigrateAddress *
stasis_migrate_address_parse (const char *text, GError **error)
{
  if (strlen (text) > ADDRESS_MAX)
    return throw_bad (text, _ ("it is too long"), error);
  if (g_str_has_prefix (text, "tcp:"))
    return parse_tcp (text, text + strlen ("tcp:"), error);
  if (!g_str_has_prefix (text, "unix:"))
    return throw_bad (text, _ ("it begins with neither 'tcp:' nor 'unix:'"), error);

  const char *path = text + strlen ("unix:");
  if (g_str_has_prefix (path, "//"))
    path += 2;
  if (*path != '/')
    return throw_bad (text, _ ("its path is not absolute"), error);
  StasisMigrateAddress *address = g_new0 (StasisMigrateAddress, 1);
  address->path = g_strdup (path);
  return address;
}

StasisMigrateAddress *
stasis_migrate_address_copy (const StasisMigrateAddress *address)
{
  StasisMigrateAddress *copy = g_new0 (StasisMigrateAddress, 1);
  copy->path = g_strdup (address->path);
  copy->via = g_strdup (address->via);
  copy->host = g_strdup (address->host);
  copy->port = address->port;
  return copy;
}

StasisMigrateAddress *
stasis_migrate_address_parse_own (const char *text, GError **error)
{
  if (!g_str_has_prefix (text, TUNNEL))
    return stasis_migrate_address_parse (text, error);
  const char *uri = text + strlen (TUNNEL);
  const char *path = strchr (uri, '/');
  if (strlen (text) > TUNNEL_MAX)
    return throw_bad (text, _ ("it is too long"), error);
  g_autofree char *via = g_uri_unescape_segment (uri, path, NULL);
  if (path == NULL || via == NULL || *via == '\0')
    return throw_bad (text, _ ("it names no URI and path"), error);
  StasisMigrateAddress *address = g_new0 (StasisMigrateAddress, 1);
  address->path = g_strdup (path);
  address->via = g_steal_pointer (&via);
  return address;
}

char *
stasis_migrate_address_to_string (const StasisMigrateAddress *address)
{
  if (address->via != NULL)
    {
      g_autofree char *uri = g_uri_escape_string (address->via, NULL, FALSE);
      return g_strconcat (TUNNEL, uri, address->path, NULL);
    }
  if (address->path != NULL)
    return g_strconcat ("unix://", address->path, NULL);
  const char *host = address->host != NULL ? address->host : "";
  return strchr (host, ':') != NULL ? g_strdup_printf ("tcp:[%s]:%u", host, address->port)
                                    : g_strdup_printf ("tcp:%s:%u", host, address->port);
}
