/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * json-path.c: file names in JSON
 */

#include "config.h"

#include "util/json-path.h"

#include <string.h>

/* Any octets but NUL. */
void
stasis_json_set_path (StasisJson *object, const char *key, const char *path)
{
  if (path == NULL)
    return;
  g_autofree char *text = g_uri_escape_bytes ((const guint8 *) path, strlen (path), "/");
  stasis_json_set_string (object, key, text);
}

/* As it was set. */
char *
stasis_json_dup_path (const StasisJson *object, const char *key)
{
  const char *text = stasis_json_string (stasis_json_get (object, key), NULL);
  g_autoptr (GBytes) octets = text != NULL ? g_uri_unescape_bytes (text, -1, NULL, NULL) : NULL;
  if (octets == NULL)
    return NULL;
  gsize size = 0;
  const char *data = g_bytes_get_data (octets, &size);
  return g_strndup (data, size);
}

/* What a reader of JSON takes: it takes nothing else than UTF-8. */
void
stasis_json_set_text (StasisJson *object, const char *key, const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  stasis_json_set_string (object, key, valid);
}
