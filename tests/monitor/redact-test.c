/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * redact-test.c: tests of src/monitor/redact.c
 */

#include "config.h"

#include "monitor/redact.h"

#include <string.h>

typedef struct
{
  const char *name;
  const char *text; /* the secret in it is SESAME */
  const char *rest; /* must stay */
} Case;

static const Case cases[] = {
  { "set-password",
    "{\"execute\":\"set_password\",\"arguments\":{\"protocol\":\"vnc\",\"password\":\"SESAME\"}}",
    "\"protocol\":\"vnc\"" },
  { "capitals", "{\"Password\":\"SESAME\"}", "(redacted)" },
  { "object", "{\"passphrase\":{\"a\":[\"SESAME\"]}}", "(redacted)" },
  { "nested", "{\"a\":[{\"b\":{\"tls-secret\":\"SESAME\",\"c\":1}}]}", "\"c\":1" },
  { "secret-object", "{\"arguments\":{\"qom-type\":\"secret\",\"id\":\"s0\",\"data\":\"SESAME\"}}",
    "\"s0\"" },
  { "keyring", "{\"qom-type\":\"secret_keyring\",\"data\":\"SESAME\"}", "secret_keyring" },
  { "human", "{\"arguments\":{\"command-line\":\"set_password vnc SESAME\"}}", "(redacted)" },
};

static void
test_secret (gconstpointer data)
{
  const Case *c = data;
  g_autoptr (StasisJson) message = stasis_json_parse (c->text, -1, NULL);
  g_autofree char *before = stasis_json_to_string (message);
  g_autofree char *text = stasis_monitor_redact (message);
  g_autofree char *after = stasis_json_to_string (message);
  g_assert_null (strstr (text, "SESAME"));
  g_assert_nonnull (strstr (text, c->rest));
  g_assert_cmpstr (before, ==, after);
}

static void
test_harmless (void)
{
  const char *text = "{\"event\":\"X\",\"data\":{\"data\":[1,true,null,\"y\"]}}";
  g_autoptr (StasisJson) message = stasis_json_parse (text, -1, NULL);
  g_autofree char *shown = stasis_monitor_redact (message);
  g_assert_cmpstr (shown, ==, text);
}

/* Every length around the limit, with characters of two octets. */
static void
test_long (void)
{
  for (gsize n = 500; n < 1100; n++)
    {
      g_autoptr (GString) text = g_string_new (n % 2 == 0 ? "" : "x");
      for (gsize i = 0; i < n; i++)
        g_string_append (text, "\303\244");
      g_autoptr (StasisJson) message = stasis_json_new_string (text->str);
      g_autofree char *shown = stasis_monitor_redact (message);
      g_assert_true (g_utf8_validate (shown, -1, NULL));
      g_assert_cmpuint (strlen (shown), <=, 2048);
      g_assert_cmpint (g_str_has_suffix (shown, "..."), ==, text->len + 2 > 2048);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strdup_printf ("/monitor/redact/secret/%s", cases[i].name);
      g_test_add_data_func (path, &cases[i], test_secret);
    }
  g_test_add_func ("/monitor/redact/harmless", test_harmless);
  g_test_add_func ("/monitor/redact/long", test_long);
  return g_test_run ();
}
