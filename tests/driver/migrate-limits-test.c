/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-limits-test.c: tests of src/driver/migrate-limits.c
 */

#include "config.h"

#include "driver/migrate-limits.h"

#include <sys/stat.h>

#include "scratch.h"

#define MIB (G_GUINT64_CONSTANT (1024) * 1024)

typedef struct
{
  char *folder;
  StasisPaths *paths;
  StasisDriver *driver;
  char *run; /* of a domain "web", which is taken for one that runs */
  StasisMigrateRequest *request;
  StasisJson *parameters;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  f->folder = scratch_new ();
  f->paths = scratch_paths (f->folder);
  f->driver = stasis_driver_open ("stasis:///session", NULL, &error);
  g_assert_no_error (error);
  f->run = stasis_paths_domain (f->paths, "web", NULL);
  g_assert_cmpint (g_mkdir_with_parents (f->run, 0700), ==, 0);
  f->request = stasis_migrate_request_new ();
  f->parameters = stasis_json_new_object ();
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  stasis_json_unref (f->parameters);
  stasis_migrate_request_free (f->request);
  g_free (f->run);
  g_clear_object (&f->driver);
  stasis_paths_free (f->paths);
  scratch_remove (f->folder);
}

static void
keep (const Fixture *f, const char *file, const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_build_filename (f->run, file, NULL);
  g_file_set_contents (path, text, -1, &error);
  g_assert_no_error (error);
}

static void
apply (Fixture *f, StasisMigrateFlags flags)
{
  stasis_json_unref (f->parameters);
  f->parameters = stasis_json_new_object ();
  stasis_migrate_limits_apply (f->driver, "web", flags, f->request, f->parameters);
}

static void
assert_told (const Fixture *f, const char *parameter, guint64 value)
{
  const StasisJson *told = stasis_json_get (f->parameters, parameter);
  g_assert_nonnull (told);
  g_assert_cmpuint (stasis_json_uint (told, G_MAXUINT64), ==, value);
}

/* What was kept is told, and nothing else. */
static void
test_kept (Fixture *f, gconstpointer data)
{
  apply (f, STASIS_MIGRATE_LIVE);
  g_assert_cmpuint (stasis_json_object_size (f->parameters), ==, 0);
  keep (f, "migrate-speed", "7\n");
  keep (f, "migrate-downtime", "1234\n");
  keep (f, "migrate-postcopy-speed", "8\n");
  keep (f, "migrate-cache", "65536\n");
  apply (f, STASIS_MIGRATE_LIVE);
  g_assert_cmpuint (stasis_json_object_size (f->parameters), ==, 2);
  assert_told (f, "max-bandwidth", 7 * MIB);
  assert_told (f, "downtime-limit", 1234);
  apply (f, STASIS_MIGRATE_LIVE | STASIS_MIGRATE_POSTCOPY | STASIS_MIGRATE_COMPRESSED);
  assert_told (f, "max-postcopy-bandwidth", 8 * MIB);
  assert_told (f, "xbzrle-cache-size", 65536);
}

/* A migration's own choice counts. */
static void
test_chosen (Fixture *f, gconstpointer data)
{
  keep (f, "migrate-speed", "7\n");
  keep (f, "migrate-downtime", "1234\n");
  f->request->bandwidth = 9;
  apply (f, STASIS_MIGRATE_LIVE);
  g_assert_null (stasis_json_get (f->parameters, "max-bandwidth"));
  assert_told (f, "downtime-limit", 1234);
}

/* A file that says nothing of sense is none. */
static void
test_nonsense (Fixture *f, gconstpointer data)
{
  static const char *const texts[] = { "",
                                       "\n",
                                       "x\n",
                                       "-1\n",
                                       "1.5\n",
                                       "8796093022208\n",
                                       "18446744073709551616\n",
                                       "0000000000000000000000000000000000000000000000001\n" };
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      keep (f, "migrate-speed", texts[i]);
      apply (f, STASIS_MIGRATE_LIVE);
      g_assert_cmpuint (stasis_json_object_size (f->parameters), ==, 0);
    }
  keep (f, "migrate-cache", "4097\n");
  apply (f, STASIS_MIGRATE_COMPRESSED);
  g_assert_cmpuint (stasis_json_object_size (f->parameters), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, function) \
  g_test_add ("/driver/migrate-limits/" name, Fixture, NULL, set_up, function, tear_down)
  ADD ("kept", test_kept);
  ADD ("chosen", test_chosen);
  ADD ("nonsense", test_nonsense);
  return g_test_run ();
}
