/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remote-uri-fuzz.c: any octets as the URI of a server.  What is accepted is within what others may
 * be given.
 */

#include "config.h"

#include "remote/uri.h"

#include <string.h>

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

static gboolean
is_path (const char *path)
{
  return path == NULL || g_path_is_absolute (path);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autofree char *text = g_strndup (size > 0 ? (const char *) data : "", size);
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisRemoteUri) uri = stasis_remote_uri_parse (text, &error);
  g_assert_true ((uri == NULL) == (error != NULL));
  if (uri == NULL)
    return 0;
  g_assert_true (is_path (uri->socket) && is_path (uri->keyfile) && is_path (uri->known_hosts));
  g_assert_true ((uri->transport == STASIS_REMOTE_UNIX) == (uri->host == NULL));
  g_assert_true (uri->host == NULL || (*uri->host != '\0' && *uri->host != '-'));
  g_assert_true (uri->host == NULL || strpbrk (uri->host, " \n/'\"$`;") == NULL);
  g_assert_true (uri->user == NULL || (*uri->user != '\0' && *uri->user != '-'));
  g_assert_cmpuint (uri->port, <=, 65535);
  return 0;
}
