/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-note-test.c: tests of src/driver/migrate-note.c and migrate-source.c
 */

#include "config.h"

#include "driver/migrate-note.h"

#include <string.h>
#include <sys/stat.h>

#include <stasis/error.h>
#include <stasis/migrate.h>

#include "driver/migrate-source.h"
#include "scratch.h"

#define TOKEN "00112233445566778899aabbccddeeff"
#define UUID  "0f0e0d0c-0b0a-4908-8706-050403020100"

typedef struct
{
  char *root;
  StasisPaths *paths;
  char *note;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  f->root = scratch_new ();
  f->paths = scratch_paths (f->root);
  f->note = stasis_migrate_note_path (f->paths, UUID);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  g_free (f->note);
  stasis_paths_free (f->paths);
  scratch_remove (f->root);
}

static void
write_note (const Fixture *f)
{
  g_autoptr (StasisMigrateJournal) migration = stasis_migrate_journal_new (TOKEN);
  g_autoptr (GError) error = NULL;
  migration->peer = g_strdup ("qemu+ssh://wéb/system");
  migration->note = g_strdup (f->note);
  migration->flags = STASIS_MIGRATE_LIVE;
  g_assert_true (stasis_migrate_note_write (f->note, migration, "web", &error));
  g_assert_no_error (error);
}

static void
test_round (Fixture *f, gconstpointer data)
{
  g_autoptr (StasisMigrateJournal) read = NULL;
  g_autoptr (GError) error = NULL;
  struct stat st;
  g_assert_true (stasis_migrate_note_read (f->note, &read, &error));
  g_assert_null (read);
  stasis_migrate_note_remove (f->note);
  stasis_migrate_note_remove (NULL);

  write_note (f);
  g_assert_cmpint (stat (f->note, &st), ==, 0);
  g_assert_cmpuint (st.st_mode & 0777, ==, 0600);
  g_assert_true (stasis_migrate_note_read (f->note, &read, &error));
  g_assert_cmpstr (read->token, ==, TOKEN);
  g_assert_cmpstr (read->peer, ==, "qemu+ssh://wéb/system");
  g_assert_cmpstr (read->note, ==, f->note);
  g_assert_cmpuint (read->flags, ==, STASIS_MIGRATE_LIVE);

  write_note (f); /* of a later migration */
  stasis_migrate_note_remove (f->note);
  g_assert_false (g_file_test (f->note, G_FILE_TEST_EXISTS));
}

/* Nothing starts beside one, nor beside what may have been one. */
static void
test_check (Fixture *f, gconstpointer data)
{
  static const char *const damaged[]
      = { "", "{", "[]", "{}", "{\"migration\": {\"token\": \"x\"}}" };
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_migrate_note_check (f->paths, "web", UUID, NULL, &error));
  write_note (f);
  g_assert_false (stasis_migrate_note_check (f->paths, "web", UUID, NULL, &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE);
  g_assert_nonnull (strstr (error->message, "migrate-resolve"));
  for (guint i = 0; i < G_N_ELEMENTS (damaged); i++)
    {
      g_clear_error (&error);
      g_assert_true (g_file_set_contents (f->note, damaged[i], -1, NULL));
      g_assert_false (stasis_migrate_note_check (f->paths, "web", UUID, NULL, &error));
      g_assert_nonnull (error);
      g_assert_nonnull (strstr (error->message, f->note));
    }
  stasis_migrate_note_remove (f->note);
  g_clear_error (&error);
  g_assert_true (stasis_migrate_note_check (f->paths, "web", UUID, NULL, &error));
}

static void
test_undefine (Fixture *f, gconstpointer data)
{
  g_autoptr (StasisStatus) status = stasis_status_new ();
  g_autoptr (StasisMigrateJournal) migration = stasis_migrate_journal_new (TOKEN);
  g_autofree char *link = stasis_paths_by_uuid (f->paths, UUID);
  g_autofree char *links = g_path_get_dirname (link);
  g_autofree char *domains = NULL;
  status->name = g_strdup ("web");
  status->uuid = g_strdup (UUID);
  status->definition = stasis_paths_definition (f->paths, "web");
  domains = g_path_get_dirname (status->definition);
  g_assert_cmpint (g_mkdir_with_parents (domains, 0700), ==, 0);
  g_assert_cmpint (g_mkdir_with_parents (links, 0700), ==, 0);
  g_assert_true (g_file_set_contents (status->definition, "<domain/>", -1, NULL));
  g_assert_true (g_file_set_contents (link, "", -1, NULL));

  stasis_migrate_source_undefine (status, migration);
  g_assert_true (g_file_test (status->definition, G_FILE_TEST_EXISTS));
  g_assert_false (status->is_transient);
  migration->flags = STASIS_MIGRATE_UNDEFINE_SOURCE;
  for (guint i = 0; i < 2; i++)
    {
      stasis_migrate_source_undefine (status, migration);
      g_assert_false (g_file_test (status->definition, G_FILE_TEST_EXISTS));
      g_assert_false (g_file_test (link, G_FILE_TEST_EXISTS));
      g_assert_true (status->is_transient);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, func) \
  g_test_add ("/driver/migrate-note/" name, Fixture, NULL, set_up, func, tear_down)
  ADD ("round", test_round);
  ADD ("check", test_check);
  ADD ("undefine", test_undefine);
  return g_test_run ();
}
