/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-metadata-test.c: tests of src/conf/domain-metadata.c
 */

#include "config.h"

#include "conf/domain-metadata.h"

#include <string.h>

#include "conf/error.h"

#define BOTH \
  "<metadata xmlns:o='urn:o'><o:os><o:id o:x='1'>debian</o:id></o:os>" \
  "<app:a xmlns:app='urn:app'> <b/> </app:a></metadata>"

/* What is there, without its name space; nothing else. */
static void
test_get (void)
{
  g_autofree char *os = stasis_domain_metadata_get (BOTH, "urn:o");
  g_assert_cmpstr (os, ==, "<os>\n  <id x=\"1\">debian</id>\n</os>");
  g_autofree char *app = stasis_domain_metadata_get (BOTH, "urn:app");
  g_assert_cmpstr (app, ==, "<a>\n  <b/>\n</a>");
  g_assert_null (stasis_domain_metadata_get (BOTH, "urn:none"));
  g_assert_null (stasis_domain_metadata_get (NULL, "urn:o"));
}

/* Of none one is made, it is replaced and removed, and others stay. */
static void
test_set (void)
{
  g_autofree char *metadata = NULL;
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_domain_metadata_set (&metadata, "urn:1", "one", "<a><b/></a>", &error));
  g_assert_no_error (error);
  g_assert_nonnull (strstr (metadata, "<one:a xmlns:one=\"urn:1\">"));
  g_assert_nonnull (strstr (metadata, "<one:b/>"));
  g_assert_true (stasis_domain_metadata_set (&metadata, "urn:2", "two", "<c/>", &error));
  g_assert_true (stasis_domain_metadata_set (&metadata, "urn:1", "x", "<d>text</d>", &error));
  g_autofree char *first = stasis_domain_metadata_get (metadata, "urn:1");
  g_autofree char *second = stasis_domain_metadata_get (metadata, "urn:2");
  g_assert_cmpstr (first, ==, "<d>text</d>");
  g_assert_cmpstr (second, ==, "<c/>");
  g_assert_null (strstr (metadata, "one:"));
  g_assert_true (stasis_domain_metadata_set (&metadata, "urn:1", NULL, NULL, &error));
  g_assert_null (stasis_domain_metadata_get (metadata, "urn:1"));
  g_assert_true (stasis_domain_metadata_set (&metadata, "urn:2", NULL, NULL, &error));
  g_assert_null (metadata);
}

/* What cannot be one changes nothing. */
static void
test_refused (void)
{
  static const struct
  {
    const char *uri;
    const char *key;
    const char *xml;
  } cases[] = {
    { "urn:1", "one", "<a>" },
    { "urn:1", "one", "text" },
    { "urn:1", "one", "" },
    { "urn:1", "a b", "<a/>" },
    { "urn:1", "", "<a/>" },
    { "urn:1", NULL, "<a/>" },
    { "", "one", "<a/>" },
    { NULL, "one", "<a/>" },
    { "urn:1", "o:ne", "<a/>" },
    { "urn:1", "one", "<a xmlns:one='urn:3'/>" },
    { "urn:1", "one", "<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *metadata = g_strdup (BOTH);
      g_autoptr (GError) error = NULL;
      g_assert_false (
          stasis_domain_metadata_set (&metadata, cases[i].uri, cases[i].key, cases[i].xml, &error));
      g_assert_nonnull (error);
      g_assert_true (error->domain == STASIS_CONF_ERROR);
      g_assert_cmpstr (metadata, ==, BOTH);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/conf/domain-metadata/get", test_get);
  g_test_add_func ("/conf/domain-metadata/set", test_set);
  g_test_add_func ("/conf/domain-metadata/refused", test_refused);
  return g_test_run ();
}
