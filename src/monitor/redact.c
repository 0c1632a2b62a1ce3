/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * redact.c: QMP messages for the debug log, without their secrets
 *
 * The one place that decides what is a secret: the value of a key that sounds like one, the data
 * of a secret object, and a line for the human monitor that speaks of passwords.
 */

#include "config.h"

#include "monitor/redact.h"

#include <string.h>

#define TEXT_MAX 2048u
#define REDACTED "(redacted)"

static const char *const secret_words[] = { "password", "passwd", "passphrase", "secret" };

static gboolean
sounds_secret (const char *text)
{
  g_autofree char *lower = g_ascii_strdown (text, -1);
  for (gsize i = 0; i < G_N_ELEMENTS (secret_words); i++)
    if (strstr (lower, secret_words[i]) != NULL)
      return TRUE;
  return FALSE;
}

static gboolean
is_secret (const StasisJson *object, const char *key)
{
  if (sounds_secret (key))
    return TRUE;
  if (g_str_equal (key, "data"))
    return g_str_has_prefix (stasis_json_string (stasis_json_get (object, "qom-type"), ""),
                             "secret");
  if (g_str_equal (key, "command-line"))
    return sounds_secret (stasis_json_string (stasis_json_get (object, key), ""));
  return FALSE;
}

/* Recurses as deep as the value, which the parser limits to STASIS_JSON_DEPTH_MAX. */
static StasisJson *
copy_without_secrets (const StasisJson *json)
{
  const StasisJsonKind kind = stasis_json_kind (json);
  if (kind == STASIS_JSON_ARRAY)
    {
      StasisJson *array = stasis_json_new_array ();
      for (guint i = 0; i < stasis_json_array_length (json); i++)
        stasis_json_array_append (array, copy_without_secrets (stasis_json_array_get (json, i)));
      return array;
    }
  if (kind != STASIS_JSON_OBJECT)
    return stasis_json_ref ((StasisJson *) json);

  StasisJson *object = stasis_json_new_object ();
  for (guint i = 0; i < stasis_json_object_size (json); i++)
    {
      const char *key = stasis_json_object_key (json, i);
      stasis_json_set (object, key,
                       is_secret (json, key)
                           ? stasis_json_new_string (REDACTED)
                           : copy_without_secrets (stasis_json_object_value (json, i)));
    }
  return object;
}

/* The message for the log. */
char *
stasis_monitor_redact (const StasisJson *message)
{
  g_autoptr (StasisJson) copy = copy_without_secrets (message);
  char *text = stasis_json_to_string (copy);
  if (strlen (text) > TEXT_MAX)
    {
      char *cut = g_utf8_find_prev_char (text, text + TEXT_MAX - strlen ("..."));
      memcpy (cut, "...", sizeof "...");
    }
  return text;
}
