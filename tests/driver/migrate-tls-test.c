/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-tls-test.c: where certificates are, and whom they have to name
 */

#include "config.h"

#include "driver/migrate-tls.h"

#include <stasis/error.h>

static void
test_folder (void)
{
  StasisHostConfig config = { .tls_folder = (char *) "/keys" };
  g_autofree char *chosen = stasis_migrate_tls_folder (&config);
  g_assert_cmpstr (chosen, ==, "/keys");
  config.tls_folder = NULL;
  g_autofree char *usual = stasis_migrate_tls_folder (&config);
  const gboolean has_own = g_file_test ("/etc/pki/libvirt-migrate", G_FILE_TEST_IS_DIR);
  g_assert_cmpstr (usual, ==, has_own ? "/etc/pki/libvirt-migrate" : "/etc/pki/qemu");
}

static const struct
{
  const char *chosen;
  const char *place;
  const char *name; /* NULL: an error */
} names[] = {
  { NULL, "tcp:there.example:49152", "there.example" },
  { NULL, "tcp:[2001:db8::1]:49152", "2001:db8::1" },
  { "other.example", "tcp:there.example:49152", "other.example" },
  { "other.example", "unix:///run/s", "other.example" },
  { NULL, "unix:///run/s", NULL },
  { NULL, "no address", NULL },
};

static void
test_name (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (StasisJson) parameters = stasis_json_new_object ();
      if (names[i].chosen != NULL)
        stasis_json_set_string (parameters, "tls-hostname", names[i].chosen);
      const gboolean ok = stasis_migrate_tls_name (parameters, names[i].place, &error);
      g_assert_true (ok == (names[i].name != NULL));
      if (ok)
        g_assert_cmpstr (stasis_json_string (stasis_json_get (parameters, "tls-hostname"), NULL),
                         ==, names[i].name);
      else
        g_assert_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/driver/migrate-tls/folder", test_folder);
  g_test_add_func ("/driver/migrate-tls/name", test_name);
  return g_test_run ();
}
