/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * registry-test.c: tests of src/driver/registry.c
 */

#include "config.h"

#include "driver/registry.h"

#include <fcntl.h>

#include <stasis/error.h>

#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"

#define UUID  "d0010203-0405-4607-8809-0a0b0c0d0e0f" /* of scratch_domain() */
#define OTHER "11111111-2222-4333-8444-555555555555"

typedef struct
{
  char *folder;
  StasisPaths *paths;
  StasisDriver *driver;
  StasisDomainDef *def; /* "web" */
  char *link;           /* where its UUID leads to it */
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  f->folder = scratch_new ();
  f->paths = scratch_paths (f->folder);
  f->driver = stasis_driver_open ("stasis:///session", NULL, &error);
  g_assert_no_error (error);
  f->def = scratch_domain ("pc", "", "", "");
  f->link = stasis_paths_by_uuid (f->paths, UUID);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  g_free (f->link);
  stasis_domain_def_free (f->def);
  g_clear_object (&f->driver);
  stasis_paths_free (f->paths);
  scratch_remove (f->folder);
}

static void
store (Fixture *f)
{
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_registry_store (f->driver, f->def, &error));
  g_assert_no_error (error);
}

static void
assert_name (Fixture *f, const char *uuid, const char *expected)
{
  g_autofree char *name = stasis_registry_name_of_uuid (f->driver, uuid);
  g_assert_cmpstr (name, ==, expected);
}

static void
assert_link (Fixture *f, const char *expected)
{
  g_autofree char *target = g_file_read_link (f->link, NULL);
  g_assert_cmpstr (target, ==, expected);
}

static void
test_store (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  assert_name (f, UUID, NULL);
  store (f);
  assert_link (f, "../domains/web.xml");
  assert_name (f, UUID, "web");
  assert_name (f, OTHER, NULL);
  store (f);
  assert_name (f, UUID, "web");

  /* No temporary name is left beside the link. */
  g_autofree char *links = g_path_get_dirname (f->link);
  g_autoptr (GDir) dir = g_dir_open (links, 0, NULL);
  g_assert_cmpstr (g_dir_read_name (dir), ==, UUID);
  g_assert_null (g_dir_read_name (dir));

  g_assert_true (stasis_registry_remove (f->driver, "web", UUID, &error));
  g_assert_no_error (error);
  assert_name (f, UUID, NULL);
  assert_link (f, NULL);
}

/* A definition that could not be written leaves a link behind that says nothing. */
static void
test_link_alone (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *folder = g_build_filename (f->paths->config, "domains", "web.xml", NULL);
  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  g_assert_false (stasis_registry_store (f->driver, f->def, &error));
  g_assert_nonnull (error);
  g_assert_cmpint (rmdir (folder), ==, 0);
  assert_name (f, UUID, NULL);
  store (f);
  assert_name (f, UUID, "web");
}

typedef void (*Spoil) (Fixture *f);

static void
remove_link (Fixture *f)
{
  g_assert_cmpint (unlink (f->link), ==, 0);
}

static void
link_nowhere (Fixture *f)
{
  remove_link (f);
  g_assert_cmpint (symlink ("../domains/gone.xml", f->link), ==, 0);
}

/* Another domain took the name to which the link leads. */
static void
link_to_other (Fixture *f)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisDomainDef) other = scratch_domain ("pc", "", "", "");
  g_free (other->name);
  other->name = g_strdup ("other");
  g_free (other->uuid);
  other->uuid = g_strdup (OTHER);
  g_assert_true (stasis_registry_store (f->driver, other, &error));
  g_assert_no_error (error);
  remove_link (f);
  g_assert_cmpint (symlink ("../domains/other.xml", f->link), ==, 0);
}

typedef struct
{
  const char *test;
  Spoil spoil;
} SpoilCase;

static const SpoilCase spoil_cases[] = {
  { "missing", remove_link },
  { "nowhere", link_nowhere },
  { "other", link_to_other },
};

/* The definition counts, whatever has become of its link. */
static void
test_spoilt_link (Fixture *f, gconstpointer data)
{
  const SpoilCase *c = data;
  g_autoptr (GError) error = NULL;
  store (f);
  c->spoil (f);
  g_assert_false (stasis_registry_check_unique (f->driver, "new", UUID, &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_EXISTS);
  assert_link (f, "../domains/web.xml");
  c->spoil (f);
  assert_name (f, UUID, "web");
  assert_link (f, "../domains/web.xml");
}

/* Who may not write there looks it up all the same. */
static void
test_no_repair (Fixture *f, gconstpointer data)
{
  store (f);
  remove_link (f);
  g_autofree char *links = g_path_get_dirname (f->link);
  g_assert_cmpint (rmdir (links), ==, 0);
  g_free (scratch_text (f->paths->config, "by-uuid", "in the way"));
  assert_name (f, UUID, "web");
}

/* A definition that nobody can read any more keeps its UUID. */
static void
test_damaged (Fixture *f, gconstpointer data)
{
  store (f);
  g_autofree char *domains = g_build_filename (f->paths->config, "domains", NULL);
  g_free (scratch_text (domains, "web.xml", "<domain><uuid>" UUID "</uuid>"));
  assert_name (f, UUID, "web");
  g_free (scratch_text (domains, "web.xml", "<domain>"));
  assert_name (f, UUID, NULL);
}

/* Who holds the lock and does not go on, a stopped process, is not waited for, but named. */
static void
test_lock_deadline (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisLock) other = stasis_registry_lock (f->driver, 0, &error);
  g_assert_no_error (error);
  g_autofree char *who = g_strdup_printf ("process %d", (int) getpid ());
  g_assert_null (stasis_registry_lock (f->driver, 100, &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_BUSY);
  g_assert_nonnull (strstr (error->message, "registry.lock"));
  g_assert_nonnull (strstr (error->message, who));
}

/* As somebody may spell it who edits the file. */
static void
test_upper_case (Fixture *f, gconstpointer data)
{
  store (f);
  g_autofree char *path = stasis_paths_definition (f->paths, "web");
  g_autofree char *xml = NULL;
  g_autoptr (GError) error = NULL;
  g_assert_true (g_file_get_contents (path, &xml, NULL, &error));
  g_autofree char *upper = g_ascii_strup (UUID, -1);
  memcpy (strstr (xml, UUID), upper, strlen (upper));
  g_assert_true (g_file_set_contents (path, xml, -1, &error));
  assert_name (f, UUID, "web");
  g_assert_cmpint (unlink (f->link), ==, 0);
  assert_name (f, UUID, "web");
  assert_name (f, OTHER, NULL);
}

/* Of a file that has been as it is for a while. */
static void
age (Fixture *f)
{
  g_autofree char *path = stasis_paths_definition (f->paths, "web");
  g_assert_cmpint (utimensat (AT_FDCWD, path, (const struct timespec[]){ { 1, 0 }, { 1, 0 } }, 0),
                   ==, 0);
  g_usleep (3 * G_USEC_PER_SEC); /* when the inode was changed nobody can set */
}

static void
test_uuid_is_kept (Fixture *f, gconstpointer data)
{
  store (f);
  g_autofree char *early = stasis_registry_get_uuid (f->driver, "web");
  g_assert_cmpstr (early, ==, UUID);
  g_assert_false (g_hash_table_contains (f->driver->uuids, "web"));

  age (f);
  g_autofree char *read = stasis_registry_get_uuid (f->driver, "web");
  g_autofree char *known = stasis_registry_get_uuid (f->driver, "web");
  g_assert_cmpstr (read, ==, UUID);
  g_assert_cmpstr (known, ==, UUID);
  g_assert_true (g_hash_table_contains (f->driver->uuids, "web"));

  g_free (f->def->uuid);
  f->def->uuid = g_strdup (OTHER);
  g_autofree char *path = stasis_paths_definition (f->paths, "web");
  g_assert_cmpint (unlink (path), ==, 0);
  g_autofree char *gone = stasis_registry_get_uuid (f->driver, "web");
  g_assert_null (gone);
  store (f);
  g_autofree char *anew = stasis_registry_get_uuid (f->driver, "web");
  g_assert_cmpstr (anew, ==, OTHER);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/driver/registry/store", Fixture, NULL, set_up, test_store, tear_down);
  g_test_add ("/driver/registry/link-alone", Fixture, NULL, set_up, test_link_alone, tear_down);
  for (gsize i = 0; i < G_N_ELEMENTS (spoil_cases); i++)
    {
      g_autofree char *test = g_strconcat ("/driver/registry/link/", spoil_cases[i].test, NULL);
      g_test_add (test, Fixture, &spoil_cases[i], set_up, test_spoilt_link, tear_down);
    }
  g_test_add ("/driver/registry/upper-case", Fixture, NULL, set_up, test_upper_case, tear_down);
  g_test_add ("/driver/registry/no-repair", Fixture, NULL, set_up, test_no_repair, tear_down);
  g_test_add ("/driver/registry/damaged", Fixture, NULL, set_up, test_damaged, tear_down);
  g_test_add ("/driver/registry/uuid-is-kept", Fixture, NULL, set_up, test_uuid_is_kept, tear_down);
  g_test_add ("/driver/registry/lock-deadline", Fixture, NULL, set_up, test_lock_deadline,
              tear_down);
  return g_test_run ();
}
