/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * json-fuzz.c: any octets as JSON: parse, write, parse again, and mean the same
 */

#include "config.h"

#include "util/json.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisJson) json = stasis_json_parse ((const char *) data, (gssize) size, &error);
  g_assert_true ((json == NULL) == (error != NULL));
  if (json == NULL)
    return 0;

  g_autofree char *text = stasis_json_to_string (json);
  g_assert_true (g_utf8_validate (text, -1, NULL));
  g_autoptr (StasisJson) again = stasis_json_parse (text, -1, &error);
  g_assert_no_error (error);
  g_autofree char *text_again = stasis_json_to_string (again);
  g_assert_cmpstr (text, ==, text_again);
  return 0;
}
