/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lookup-test.c: tests of src/driver/registry.c, define.c, facts.c and lookup.c; no guest runs
 *
 * Each with a driver that reads all, and with one that has a picture (picture.c).
 * Definitions are canonical only where QEMU can be asked for its machines, hence suite 'qemu'.
 */

#include "config.h"

#include "driver/registry.h"

#include <stasis/error.h>
#include <stdio.h>
#include <unistd.h>

#include "driver/picture.h"
#include "scratch.h"

#define UUID_1 "d0010203-0405-4607-8809-0a0b0c0d0e01"
#define UUID_2 "d0010203-0405-4607-8809-0a0b0c0d0e02"

typedef struct
{
  char *folder;
  StasisDriver *driver;
  StasisPicture *picture; /* (nullable) */
} Fixture;

static void
ignore_news (const StasisDomainNews *news, gpointer data)
{
}

static void
set_up (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  f->folder = scratch_new ();
  g_setenv ("STASIS_STATE_DIR", f->folder, TRUE);
  f->driver = stasis_driver_open ("stasis:///session", NULL, &error);
  g_assert_no_error (error);
  if (data == NULL)
    return;
  f->picture = stasis_picture_new (f->driver, NULL, ignore_news, NULL, &error);
  g_assert_no_error (error);
  stasis_picture_serve (f->picture, f->driver);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  stasis_picture_serve (NULL, f->driver);
  stasis_picture_free (f->picture);
  g_object_unref (f->driver);
  scratch_remove (f->folder);
}

static StasisDomain *
define (Fixture *f, const char *name, const char *uuid, GError **error)
{
  g_autofree char *xml
      = g_strdup_printf ("<domain type='qemu'><name>%s</name><uuid>%s</uuid><memory>65536</memory>"
                         "<os><type arch='x86_64' machine='pc'>hvm</type></os></domain>",
                         name, uuid);
  return stasis_driver_define (f->driver, xml, "test.xml", error);
}

static void
define_well (Fixture *f, const char *name, const char *uuid)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisDomain) domain = define (f, name, uuid, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (stasis_domain_get_name (domain), ==, name);
  g_assert_cmpstr (stasis_domain_get_uuid (domain), ==, uuid);
}

static void
assert_found (Fixture *f, const char *key, const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisDomain) domain = stasis_driver_lookup (f->driver, key, &error);
  if (name == NULL)
    {
      g_assert_null (domain);
      g_assert_error (error, STASIS_ERROR, STASIS_ERROR_NO_DOMAIN);
      g_assert_nonnull (strstr (error->message, key));
      return;
    }
  g_assert_no_error (error);
  g_assert_cmpstr (stasis_domain_get_name (domain), ==, name);
}

static void
assert_listed (Fixture *f, StasisListFlags flags, const char *expected)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) domains = stasis_driver_list (f->driver, flags, &error);
  g_assert_no_error (error);
  g_autoptr (GString) names = g_string_new (NULL);
  for (guint i = 0; i < domains->len; i++)
    g_string_append_printf (names, "%s ", stasis_domain_get_name (g_ptr_array_index (domains, i)));
  g_assert_cmpstr (names->str, ==, expected);
}

static void
test_define (Fixture *f, gconstpointer data)
{
  assert_listed (f, 0, "");
  define_well (f, "web", UUID_1);
  assert_found (f, "web", "web");
  assert_found (f, UUID_1, "web");
  assert_found (f, "D0010203-0405-4607-8809-0A0B0C0D0E01", "web");
  assert_found (f, UUID_2, NULL);
  assert_found (f, "we", NULL);
  assert_found (f, "1", NULL);
  assert_found (f, "../domains/web", NULL);

  g_autoptr (GError) error = NULL;
  g_autoptr (StasisDomainDef) def = stasis_registry_load (f->driver, "web", &error);
  g_assert_no_error (error);
  g_assert_cmpstr (def->uuid, ==, UUID_1);
  g_assert_null (stasis_registry_load (f->driver, "mail", &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_NO_DOMAIN);

  /* Again, and another one. */
  define_well (f, "web", UUID_1);
  define_well (f, "mail", UUID_2);
  assert_listed (f, 0, "mail web ");
}

/* A name or a UUID is one domain's, whatever the other is. */
static void
test_unique (Fixture *f, gconstpointer data)
{
  define_well (f, "web", UUID_1);
  g_autoptr (GError) error = NULL;
  g_assert_null (define (f, "web", UUID_2, &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_EXISTS);
  g_assert_nonnull (strstr (error->message, UUID_1));
  g_clear_error (&error);
  g_assert_null (define (f, "mail", UUID_1, &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_EXISTS);
  g_assert_nonnull (strstr (error->message, "'web'"));
  assert_listed (f, 0, "web ");
  assert_found (f, UUID_1, "web");
}

static void
test_odd_names (Fixture *f, gconstpointer data)
{
  define_well (f, "hidden", UUID_1);
  assert_found (f, "hidden", "hidden");
  assert_listed (f, 0, "hidden ");
  define_well (f, "a.xml", UUID_2);
  assert_found (f, UUID_2, "a.xml");
  assert_listed (f, 0, "a.xml hidden ");

  g_autoptr (GError) error = NULL;
  g_assert_null (define (f, "a/b", "d0010203-0405-4607-8809-0a0b0c0d0e03", &error));
  g_assert_nonnull (error);
}

static void
test_undefine (Fixture *f, gconstpointer data)
{
  define_well (f, "web", UUID_1);
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisDomain) domain = stasis_driver_lookup (f->driver, "web", &error);
  g_assert_true (stasis_domain_set_autostart (domain, TRUE, &error));
  g_assert_no_error (error);
  g_assert_true (stasis_domain_set_autostart_once (domain, TRUE, &error));
  g_assert_no_error (error);
  assert_listed (f, STASIS_LIST_AUTOSTART, "web ");
  assert_listed (f, STASIS_LIST_NO_AUTOSTART, "");
  assert_listed (f, STASIS_LIST_ACTIVE, "");
  assert_listed (f, STASIS_LIST_INACTIVE | STASIS_LIST_PERSISTENT, "web ");
  assert_listed (f, STASIS_LIST_MANAGED_SAVE, "");

  g_assert_true (stasis_domain_undefine (domain, 0, &error));
  g_assert_no_error (error);
  assert_listed (f, 0, "");
  assert_found (f, "web", NULL);
  assert_found (f, UUID_1, NULL);

  /* Nothing of it is left to mislead the next one of that name. */
  define_well (f, "web", UUID_2);
  g_autoptr (StasisDomain) next = stasis_driver_lookup (f->driver, "web", &error);
  gboolean autostart = TRUE;
  g_assert_true (stasis_domain_get_autostart (next, &autostart, &error));
  g_assert_false (autostart);
  g_assert_true (stasis_domain_get_autostart_once (next, &autostart, &error));
  g_assert_false (autostart);
  assert_found (f, UUID_1, NULL);
}

/* A crash may leave a link to a definition that is gone, or that is another domain's now. */
static void
test_stale_link (Fixture *f, gconstpointer data)
{
  define_well (f, "web", UUID_2);
  g_autofree char *stale = stasis_paths_by_uuid (f->driver->paths, UUID_1);
  g_assert_cmpint (symlink ("../domains/gone.xml", stale), ==, 0);
  assert_found (f, UUID_1, NULL);
  define_well (f, "mail", UUID_1);
  assert_found (f, UUID_1, "mail");

  g_assert_cmpint (unlink (stale), ==, 0);
  g_autofree char *mail = stasis_paths_definition (f->driver->paths, "mail");
  g_assert_cmpint (unlink (mail), ==, 0);
  g_assert_cmpint (symlink ("../domains/web.xml", stale), ==, 0);
  assert_found (f, UUID_1, NULL);
  define_well (f, "mail", UUID_1);
  assert_found (f, UUID_1, "mail");
  assert_found (f, UUID_2, "web");
}

static void
test_ids (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_assert_cmpint (stasis_registry_next_id (f->driver, &error), ==, 1);
  g_assert_cmpint (stasis_registry_next_id (f->driver, &error), ==, 2);
  g_free (scratch_text (f->driver->paths->run, "last-id", "nonsense"));
  g_assert_cmpint (stasis_registry_next_id (f->driver, &error), ==, 1);
  g_free (scratch_text (f->driver->paths->run, "last-id", "99999999999999999999"));
  g_assert_cmpint (stasis_registry_next_id (f->driver, &error), ==, G_MAXINT32);
  g_assert_no_error (error);
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *test;
    void (*function) (Fixture *, gconstpointer);
  } tests[] = {
    { "define", test_define },         { "unique", test_unique },
    { "odd-names", test_odd_names },   { "undefine", test_undefine },
    { "stale-link", test_stale_link }, { "ids", test_ids },
  };
  g_test_init (&argc, &argv, NULL);
  g_autofree char *qemu = g_find_program_in_path ("/usr/bin/qemu-system-x86_64");
  for (gsize i = 0; i < G_N_ELEMENTS (tests) && qemu != NULL; i++)
    {
      g_autofree char *test = g_strconcat ("/driver/lookup/", tests[i].test, NULL);
      g_autofree char *pictured = g_strconcat (test, "/picture", NULL);
      g_test_add (test, Fixture, NULL, set_up, tests[i].function, tear_down);
      g_test_add (pictured, Fixture, "picture", set_up, tests[i].function, tear_down);
    }
  if (qemu == NULL)
    {
      puts ("1..0 # SKIP no QEMU here");
      return 0;
    }
  return g_test_run ();
}
