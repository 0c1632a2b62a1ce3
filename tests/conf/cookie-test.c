/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cookie-test.c: the CPU of libvirt's cookie takes the place of the definition's
 */

#include "config.h"

#include "conf/cookie.h"

#include <string.h>

#include "conf/error.h"

#define COOKIE \
  "<cookie><cpu mode='custom' match='exact' check='full'><model fallback='forbid'>qemu64</model>" \
  "<feature policy='require' name='hypervisor'/></cpu><slirpHelper/></cookie>"

static char *
apply (const char *xml, const char *cookie, GError **error)
{
  return stasis_cookie_apply (xml, strlen (xml), cookie, strlen (cookie), "image", error);
}

static void
test_replace (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *text
      = apply ("<domain><name>a</name><cpu mode='host-model'/><devices/></domain>", COOKIE, &error);
  g_assert_no_error (error);
  g_assert_null (strstr (text, "host-model"));
  g_assert_nonnull (strstr (text, "<feature policy=\"require\" name=\"hypervisor\"/>"));
  g_assert_nonnull (strstr (text, "</cpu><devices/>"));
  g_assert_null (strstr (text, "slirpHelper"));
}

static void
test_add (void)
{
  g_autofree char *text = apply ("<domain><name>a</name></domain>", COOKIE, NULL);
  g_assert_nonnull (strstr (text, "<model fallback=\"forbid\">qemu64</model>"));
}

static void
test_none (void)
{
  const char *xml = "<domain><cpu mode='host-model'/></domain>";
  g_autofree char *text = apply (xml, "<cookie><slirpHelper/></cookie>", NULL);
  g_assert_cmpstr (text, ==, xml);
}

static void
test_broken (void)
{
  static const char *const cookies[]
      = { "", "<cookie>", "no XML", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>" };
  for (gsize i = 0; i < G_N_ELEMENTS (cookies); i++)
    {
      g_autoptr (GError) error = NULL;
      g_assert_null (apply ("<domain/>", cookies[i], &error));
      g_assert_true (error != NULL && error->domain == STASIS_CONF_ERROR);
      g_assert_nonnull (strstr (error->message, "cookie"));
    }
  g_autoptr (GError) error = NULL;
  g_assert_null (apply ("<domain>", COOKIE, &error));
  g_assert_error (error, STASIS_CONF_ERROR, STASIS_CONF_ERROR_SYNTAX);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/conf/cookie/replace", test_replace);
  g_test_add_func ("/conf/cookie/add", test_add);
  g_test_add_func ("/conf/cookie/none", test_none);
  g_test_add_func ("/conf/cookie/broken", test_broken);
  return g_test_run ();
}
