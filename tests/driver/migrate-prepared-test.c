/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-prepared-test.c: tests of src/driver/migrate-prepared.c and -secret.c
 */

#include "config.h"

#include "driver/migrate-prepared.h"

#include <string.h>
#include <sys/stat.h>
#include <utime.h>

#include <stasis/error.h>

#include "driver/migrate-secret.h"
#include "scratch.h"

#define TOKEN "00112233445566778899aabbccddeeff"

typedef struct
{
  char *root;
  char *folder;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  f->root = scratch_new ();
  f->folder = g_build_filename (f->root, "migrations", NULL);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  g_free (f->folder);
  scratch_remove (f->root);
}

static StasisMigratePrepared *
make (const char *secret, const char *address)
{
  g_autoptr (GError) error = NULL;
  StasisMigrateAddress *door = stasis_migrate_address_parse (address, &error);
  g_assert_no_error (error);
  StasisMigratePrepared *prepared
      = stasis_migrate_prepared_new (TOKEN, secret, "web", "uuid", door);
  prepared->run = g_strdup ("/run/\xff");
  return prepared;
}

static void
test_secret (void)
{
  g_autoptr (GError) error = NULL;
  const char *const words[] = { "ask", TOKEN, "status", NULL };
  const char *const others[] = { "answer", TOKEN, "status", NULL };
  g_autofree char *secret = stasis_migrate_secret_new (&error);
  g_autofree char *other = stasis_migrate_secret_new (&error);
  g_assert_no_error (error);
  g_assert_true (stasis_migrate_secret_is_valid (secret));
  g_assert_cmpstr (secret, !=, other);
  g_autofree char *proof = stasis_migrate_secret_prove (secret, words);
  g_assert_true (stasis_migrate_secret_check (secret, words, proof));
  g_assert_false (stasis_migrate_secret_check (other, words, proof));
  g_assert_false (stasis_migrate_secret_check (secret, others, proof));

  /* Of another implementation: hmac.new(b"0" * 64, b"ask x", "sha256"). */
  const char *const known[] = { "ask", "x", NULL };
  g_autofree char *zeros = g_strnfill (STASIS_MIGRATE_SECRET_SIZE, '0');
  g_autofree char *said = stasis_migrate_secret_prove (zeros, known);
  g_assert_cmpstr (said, ==, "8ff00b6182738af74b6a17c5e8b2e5f5c8a5c81f157d496063c8a22278f4dc6a");
  g_assert_false (stasis_migrate_secret_is_valid (NULL));
  g_assert_false (stasis_migrate_secret_is_valid (""));
  zeros[3] = 'A';
  g_assert_false (stasis_migrate_secret_is_valid (zeros));
}

static void
test_round_trip (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *secret = stasis_migrate_secret_new (&error);
  g_autoptr (StasisMigratePrepared) prepared = make (secret, data);
  g_autofree char *path = g_build_filename (f->folder, TOKEN ".prepared", NULL);
  struct stat st;
  g_assert_null (stasis_migrate_prepared_read (f->folder, TOKEN, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_assert_true (stasis_migrate_prepared_check_new (f->folder, TOKEN, &error));
  g_assert_true (stasis_migrate_prepared_keep (f->folder, prepared, &error));
  g_assert_no_error (error);
  g_assert_cmpint (stat (path, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 0777, ==, 0600);

  g_autoptr (StasisMigratePrepared) read = stasis_migrate_prepared_read (f->folder, TOKEN, &error);
  g_assert_no_error (error);
  g_autofree char *door = stasis_migrate_address_to_string (read->door);
  g_assert_cmpstr (door, ==, data);
  g_assert_cmpstr (read->token, ==, TOKEN);
  g_assert_cmpstr (read->secret, ==, secret);
  g_assert_cmpstr (read->name, ==, "web");
  g_assert_cmpstr (read->uuid, ==, "uuid");
  g_assert_cmpstr (read->run, ==, "/run/\xff");

  /* Another one of that token is not written over it. */
  g_autoptr (StasisMigratePrepared) other = make (TOKEN TOKEN, data);
  g_assert_false (stasis_migrate_prepared_keep (f->folder, other, &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE);
}

static void
test_any_host (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  StasisMigrateAddress *door = g_new0 (StasisMigrateAddress, 1);
  door->port = 49152;
  g_autoptr (StasisMigratePrepared) prepared
      = stasis_migrate_prepared_new (TOKEN, TOKEN TOKEN, "web", "uuid", door);
  g_assert_true (stasis_migrate_prepared_keep (f->folder, prepared, &error));
  g_autoptr (StasisMigratePrepared) read = stasis_migrate_prepared_read (f->folder, TOKEN, &error);
  g_assert_no_error (error);
  g_assert_null (read->door->host);
  g_assert_cmpuint (read->door->port, ==, 49152);
}

#define BEGIN "{\"format\": 1, \"token\": \"" TOKEN "\", \"name\": \"web\", \"uuid\": \"u\", "

static void
test_damaged (Fixture *f, gconstpointer data)
{
  static const char *const texts[] = {
    "",
    "{",
    "[]",
    BEGIN "\"port\": 1}",
    BEGIN "\"secret\": \"x\", \"port\": 1}",
    BEGIN "\"secret\": \"" TOKEN TOKEN "\"}",
    BEGIN "\"secret\": \"" TOKEN TOKEN "\", \"port\": 65537}",
    "{\"token\": \"ff" TOKEN "\", \"secret\": \"" TOKEN TOKEN "\", \"name\": \"web\", \"uuid\": "
    "\"u\", \"port\": 1}",
  };
  g_assert_cmpint (g_mkdir_with_parents (f->folder, 0700), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr (GError) error = NULL;
      g_free (scratch_text (f->folder, TOKEN ".prepared", texts[i]));
      g_assert_null (stasis_migrate_prepared_read (f->folder, TOKEN, &error));
      g_assert_nonnull (strstr (error->message, TOKEN));
      g_assert_false (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND));
    }
}

static void
set_age (const Fixture *f, const char *name, gint64 age_s)
{
  g_autofree char *path = g_build_filename (f->folder, name, NULL);
  const time_t then = (time_t) (g_get_real_time () / G_USEC_PER_SEC - age_s);
  const struct utimbuf times = { then, then };
  g_assert_cmpint (utime (path, &times), ==, 0);
}

/* A day after it was decided, a month where nobody has. */
static void
test_may_be_asked (Fixture *f, gconstpointer data)
{
  const gint64 day_s = G_GINT64_CONSTANT (24) * 3600;
  g_assert_cmpint (g_mkdir_with_parents (f->folder, 0700), ==, 0);
  g_assert_false (stasis_migrate_prepared_may_be_asked (f->folder, TOKEN));
  g_free (scratch_text (f->folder, TOKEN ".prepared", ""));
  g_assert_true (stasis_migrate_prepared_may_be_asked (f->folder, TOKEN));
  set_age (f, TOKEN ".prepared", 30 * day_s);
  g_assert_true (stasis_migrate_prepared_may_be_asked (f->folder, TOKEN));
  set_age (f, TOKEN ".prepared", 32 * day_s);
  g_assert_false (stasis_migrate_prepared_may_be_asked (f->folder, TOKEN));
  g_free (scratch_text (f->folder, TOKEN, ""));
  g_assert_true (stasis_migrate_prepared_may_be_asked (f->folder, TOKEN));
  set_age (f, TOKEN, day_s - 600);
  g_assert_true (stasis_migrate_prepared_may_be_asked (f->folder, TOKEN));
  stasis_migrate_prepared_forget (f->folder, TOKEN);
  stasis_migrate_prepared_forget (f->folder, TOKEN);
  g_assert_false (stasis_migrate_prepared_may_be_asked (f->folder, TOKEN));
  g_free (scratch_text (f->folder, TOKEN ".prepared", ""));
  g_assert_true (stasis_migrate_prepared_may_be_asked (f->folder, TOKEN));
  set_age (f, TOKEN, day_s + 1);
  g_assert_false (stasis_migrate_prepared_may_be_asked (f->folder, TOKEN));
}

#define ADD(name, data, func) g_test_add (name, Fixture, data, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/driver/migrate-prepared/secret", test_secret);
  ADD ("/driver/migrate-prepared/tcp", "tcp:host:1", test_round_trip);
  ADD ("/driver/migrate-prepared/unix", "unix:///run/a b", test_round_trip);
  ADD ("/driver/migrate-prepared/any-host", NULL, test_any_host);
  ADD ("/driver/migrate-prepared/damaged", NULL, test_damaged);
  ADD ("/driver/migrate-prepared/may-be-asked", NULL, test_may_be_asked);
  return g_test_run ();
}
