/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * status-test.c: tests of src/driver/status.c
 */

#include "config.h"

#include "driver/status.h"

#include <fcntl.h>
#include <stdio.h>
#include <stasis/error.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver/bound-sockets.h"
#include "scratch.h"
#include "util/json.h"

static char *folder;

static StasisMigrateJournal *
make_migration (void)
{
  static const char *const doors[] = { "tcp:[::1]:49152", "unix:///r/a b", NULL };
  StasisMigrateJournal *migration = stasis_migrate_journal_new ("00112233445566778899aabbccddeeff");
  migration->peer = g_strdup ("qemu+ssh://wéb/system");
  g_strfreev (migration->doors);
  migration->doors = g_strdupv ((char **) doors);
  migration->note = g_strdup ("/l/\xff migrating");
  migration->copied = g_strsplit ("vda,vdc", ",", -1);
  migration->copies_to = g_strsplit ("192.0.2.1:49152,[::1]:49153", ",", -1);
  migration->verdicts = g_strdup ("/l/\xff migrations");
  migration->flags = G_MAXUINT64;
  migration->was_running = TRUE;
  migration->is_postcopy = TRUE;
  return migration;
}

static StasisStatus *
make_status (void)
{
  StasisStatus *status = stasis_status_new ();
  status->name = g_strdup ("wéb \"1\"");
  status->uuid = g_strdup ("d0010203-0405-4607-8809-0a0b0c0d0e0f");
  status->id = 17;
  status->is_transient = TRUE;
  status->qemu = (StasisProcess){ 4194303, G_MAXUINT64 - 1 };
  status->emulator = g_strdup ("/usr/bin/qemu-system-x86_64");
  status->reason = g_strdup ("restored");
  status->log = g_strdup ("/l/web.log");
  status->log_start = G_GUINT64_CONSTANT (1) << 40;
  status->last = g_strdup ("/l/last/web.json");
  status->last_job = g_strdup ("/l/last-job/web.json");
  status->lock = g_strdup ("/r/locks/web.lock");
  status->definition = g_strdup ("/c/domains/web.xml");
  status->on_poweroff = g_strdup ("preserve");
  status->on_reboot = g_strdup ("restart");
  status->on_crash = g_strdup ("coredump-restart");
  status->started_us = G_GINT64_CONSTANT (1790000000123456);
  status->uid = G_MAXUINT32 - 1;
  stasis_bound_sockets_add (status->sockets, g_strdup ("/s/\xff a"), G_MAXUINT64, 7);
  status->undecided_migration = make_migration ();
  status->postcopy = make_migration ();
  status->frozen = g_strdup ("/r/\xff a.sock");
  status->memory_image = g_strdup ("/i/\xff a");
  status->memory_flat_of = g_strdup ("/i/\xff b");
  status->memory_image_id = (StasisFileId){ 9, G_MAXUINT64 };
  status->memory_check = STASIS_MEMORY_CHECK_BACKGROUND;
  status->is_damage_accepted = TRUE;
  status->memory_stamp = g_strdup ("/l/marks/verified/\xff");
  status->memory_since_us = G_GINT64_CONSTANT (123456789012345);
  status->clone_of = g_strdup ("wéb");
  status->clone_image = g_strdup ("/i/\xff b");
  status->overlays = g_strdup ("/l/clones/\xff");
  status->tracked = stasis_tracked_new ("/i/\xff c", "d0010203-0405-4607-8809-0a0b0c0d0e0f", "0af");
  status->tracked->state = STASIS_TRACK_LIVE_SAVE;
  const StasisRamBlock ram
      = { .name = (char *) "pc.ram", .host_address = G_MAXUINT64 - 4095, .used_length = 1 << 30 };
  stasis_tracked_add_block (status->tracked, &ram);
  stasis_tracked_add_block (status->tracked, &ram);
  return status;
}

static StasisStatus *
read_back (const StasisStatus *status)
{
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_status_write (status, folder, &error));
  g_assert_no_error (error);
  StasisStatus *again = stasis_status_read (folder, &error);
  g_assert_no_error (error);
  return again;
}

static void
assert_same_migration (const StasisMigrateJournal *a, const StasisMigrateJournal *b)
{
  g_assert_cmpint (a != NULL, ==, b != NULL);
  if (a == NULL)
    return;
  g_assert_cmpstr (a->token, ==, b->token);
  g_assert_cmpstr (a->peer, ==, b->peer);
  g_assert_cmpstrv (a->doors, b->doors);
  g_assert_cmpstr (a->note, ==, b->note);
  g_assert_cmpstr (a->verdicts, ==, b->verdicts);
  g_assert_true (
      a->copied == b->copied
      || g_strv_equal ((const char *const *) a->copied, (const char *const *) b->copied));
  g_assert_cmpstrv (a->copies_to, b->copies_to);
  g_assert_cmpuint (a->flags, ==, b->flags);
  g_assert_cmpint (a->was_running, ==, b->was_running);
  g_assert_cmpint (a->is_postcopy, ==, b->is_postcopy);
}

static void
assert_same_journal (const StasisJournal *a, const StasisJournal *b)
{
  g_assert_true (stasis_process_equal (&a->beside, &b->beside));
  g_assert_cmpint (a->step, ==, b->step);
  g_assert_cmpstr (a->operation, ==, b->operation);
  g_assert_cmpstr (a->id, ==, b->id);
  g_assert_cmpint (a->owner.pid, ==, b->owner.pid);
  g_assert_cmpuint (a->owner.start_time, ==, b->owner.start_time);
  g_assert_cmpint (a->was_running, ==, b->was_running);
  g_assert_cmpstr (a->target, ==, b->target);
  g_assert_cmpstr (a->temp, ==, b->temp);
  g_assert_cmpuint (a->image.device, ==, b->image.device);
  g_assert_cmpuint (a->image.inode, ==, b->image.inode);
  g_assert_cmpuint (a->replaced.device, ==, b->replaced.device);
  g_assert_cmpuint (a->replaced.inode, ==, b->replaced.inode);
  g_assert_cmpint (a->fdset, ==, b->fdset);
  assert_same_migration (a->migration, b->migration);
  g_assert_cmpint (a->parameters != NULL, ==, b->parameters != NULL);
  if (a->parameters == NULL)
    return;
  g_autofree char *x = stasis_json_to_string (a->parameters);
  g_autofree char *y = stasis_json_to_string (b->parameters);
  g_assert_cmpstr (x, ==, y);
}

static void
assert_same_tracked (const StasisTracked *a, const StasisTracked *b)
{
  g_assert_cmpint (a != NULL, ==, b != NULL);
  if (a == NULL)
    return;
  g_assert_cmpint (a->state, ==, b->state);
  g_assert_cmpstr (a->file, ==, b->file);
  g_assert_cmpstr (a->image, ==, b->image);
  g_assert_cmpstr (a->hashes, ==, b->hashes);
  g_assert_cmpuint (a->blocks->len, ==, b->blocks->len);
  for (guint i = 0; i < a->blocks->len; i++)
    {
      const StasisRamBlock *x = g_ptr_array_index (a->blocks, i);
      const StasisRamBlock *y = g_ptr_array_index (b->blocks, i);
      g_assert_cmpstr (x->name, ==, y->name);
      g_assert_cmpuint (x->host_address, ==, y->host_address);
      g_assert_cmpuint (x->used_length, ==, y->used_length);
    }
}

static void
assert_same (const StasisStatus *a, const StasisStatus *b)
{
  g_assert_cmpstr (a->name, ==, b->name);
  g_assert_cmpstr (a->uuid, ==, b->uuid);
  g_assert_cmpint (a->id, ==, b->id);
  g_assert_cmpint (a->is_transient, ==, b->is_transient);
  g_assert_cmpint (a->qemu.pid, ==, b->qemu.pid);
  g_assert_cmpuint (a->qemu.start_time, ==, b->qemu.start_time);
  g_assert_cmpstr (a->emulator, ==, b->emulator);
  g_assert_cmpstr (a->reason, ==, b->reason);
  g_assert_cmpstr (a->log, ==, b->log);
  g_assert_cmpuint (a->log_start, ==, b->log_start);
  g_assert_cmpstr (a->last, ==, b->last);
  g_assert_cmpstr (a->lock, ==, b->lock);
  g_assert_cmpstr (a->definition, ==, b->definition);
  g_assert_cmpstr (a->on_poweroff, ==, b->on_poweroff);
  g_assert_cmpstr (a->on_reboot, ==, b->on_reboot);
  g_assert_cmpstr (a->on_crash, ==, b->on_crash);
  g_assert_cmpint (a->started_us, ==, b->started_us);
  g_assert_cmpuint (a->uid, ==, b->uid);
  g_assert_cmpstr (a->last_job, ==, b->last_job);
  g_assert_cmpuint (a->sockets->len, ==, b->sockets->len);
  for (guint i = 0; i < a->sockets->len; i++)
    {
      const StasisBoundSocket *x = g_ptr_array_index (a->sockets, i);
      const StasisBoundSocket *y = g_ptr_array_index (b->sockets, i);
      g_assert_cmpstr (x->path, ==, y->path);
      g_assert_cmpuint (x->device, ==, y->device);
      g_assert_cmpuint (x->inode, ==, y->inode);
    }
  assert_same_migration (a->undecided_migration, b->undecided_migration);
  assert_same_migration (a->postcopy, b->postcopy);
  g_assert_cmpstr (a->frozen, ==, b->frozen);
  g_assert_cmpstr (a->memory_image, ==, b->memory_image);
  g_assert_cmpstr (a->memory_flat_of, ==, b->memory_flat_of);
  g_assert_cmpuint (a->memory_image_id.device, ==, b->memory_image_id.device);
  g_assert_cmpuint (a->memory_image_id.inode, ==, b->memory_image_id.inode);
  g_assert_cmpint (a->memory_check, ==, b->memory_check);
  g_assert_cmpstr (a->memory_stamp, ==, b->memory_stamp);
  g_assert_cmpint (a->is_damage_accepted, ==, b->is_damage_accepted);
  g_assert_cmpint (a->memory_since_us, ==, b->memory_since_us);
  g_assert_cmpstr (a->clone_of, ==, b->clone_of);
  g_assert_cmpstr (a->clone_image, ==, b->clone_image);
  g_assert_cmpstr (a->overlays, ==, b->overlays);
  assert_same_tracked (a->tracked, b->tracked);
  assert_same_journal (&a->journal, &b->journal);
}

static void
test_every_field (void)
{
  g_autoptr (StasisStatus) status = make_status ();
  g_autoptr (StasisStatus) again = read_back (status);
  assert_same (status, again);
  g_assert_cmpint (again->journal.step, ==, STASIS_STEP_NONE);
  g_assert_cmpint (again->journal.fdset, ==, -1);
}

/* What need not be known stays unknown. */
static void
test_fewest_fields (void)
{
  g_autoptr (StasisStatus) status = stasis_status_new ();
  status->name = g_strdup ("x");
  status->uuid = g_strdup ("");
  g_autoptr (StasisStatus) again = read_back (status);
  assert_same (status, again);
  g_assert_null (again->emulator);
}

typedef struct
{
  const char *test;
  StasisStep step;
} StepCase;

static const StepCase steps[] = {
  { "start", STASIS_STEP_START },
  { "save", STASIS_STEP_SAVE },
  { "commit", STASIS_STEP_COMMIT },
  { "committed", STASIS_STEP_COMMITTED },
  { "restart", STASIS_STEP_RESTART },
  { "migrate-sending", STASIS_STEP_MIGRATE_SENDING },
  { "migrate-handed", STASIS_STEP_MIGRATE_HANDED },
  { "migrate-incoming", STASIS_STEP_MIGRATE_INCOMING },
  { "migrate-begun", STASIS_STEP_MIGRATE_BEGUN },
  { "handover", STASIS_STEP_HANDOVER },
  { "handed-over", STASIS_STEP_HANDED_OVER },
};

static void
test_step (gconstpointer data)
{
  const StepCase *c = data;
  g_autoptr (StasisStatus) status = make_status ();
  stasis_journal_begin (&status->journal, c->step, "managedsave");
  g_assert_cmpint (status->journal.owner.pid, ==, getpid ());
  g_assert_true (stasis_process_is_alive (&status->journal.owner));
  g_assert_cmpint (status->journal.fdset, ==, -1);
  if (stasis_journal_is_migration (&status->journal))
    status->journal.migration = make_migration ();
  g_autoptr (StasisStatus) bare = read_back (status);
  assert_same (status, bare);

  status->journal.id = g_strdup ("0123456789abcdef");
  status->journal.beside = (StasisProcess){ 4242, G_MAXUINT64 };
  status->journal.was_running = TRUE;
  status->journal.target = g_strdup ("/save/w\xff\xe2\x82%41 b.stasis");
  status->journal.temp = g_strdup ("/save/.web.tmp");
  status->journal.image.device = G_MAXUINT64;
  status->journal.image.inode = G_MAXUINT64 - 1;
  status->journal.replaced = (StasisFileId){ G_MAXUINT64 - 2, G_MAXUINT64 - 3 };
  status->journal.fdset = G_MAXINT64;
  status->journal.parameters = stasis_json_parse (
      "{\"max-bandwidth\":18446744073709551615,\"downtime-limit\":300}", -1, NULL);
  g_autoptr (StasisStatus) full = read_back (status);
  assert_same (status, full);

  /* The name in the file is for other versions too. */
  g_autofree char *path = g_build_filename (folder, "status.json", NULL);
  g_autofree char *text = NULL;
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_autofree char *member = g_strdup_printf ("\"step\": \"%s\"", c->test);
  g_assert_nonnull (strstr (text, member));
}

/* A new entry takes nothing over from the old one. */
static void
test_journal_anew (void)
{
  StasisJournal journal = { .fdset = -1 };
  stasis_journal_begin (&journal, STASIS_STEP_COMMIT, "save");
  journal.target = g_strdup ("/t");
  journal.temp = g_strdup ("/u");
  journal.was_running = TRUE;
  journal.image.inode = 4;
  journal.fdset = 7;
  journal.migration = make_migration ();
  stasis_journal_begin (&journal, STASIS_STEP_START, "restore");
  g_assert_cmpint (journal.step, ==, STASIS_STEP_START);
  g_assert_cmpstr (journal.operation, ==, "restore");
  g_assert_null (journal.target);
  g_assert_null (journal.temp);
  g_assert_null (journal.migration);
  g_assert_false (journal.was_running);
  g_assert_cmpuint (journal.image.inode, ==, 0);
  g_assert_cmpint (journal.fdset, ==, -1);

  stasis_journal_clear (&journal);
  g_assert_cmpint (journal.step, ==, STASIS_STEP_NONE);
  g_assert_null (journal.operation);
  g_assert_cmpint (journal.owner.pid, ==, 0);
  stasis_status_free (NULL);
}

#define HEAD "{\"format\": 1, \"name\": \"w\", \"uuid\": \"u\", \"id\": 1"

typedef struct
{
  const char *test;
  const char *text;
  const char *fault; /* in the message */
} BadCase;

static const BadCase bad[] = {
  { "empty", "", "" },
  { "garbage", "\1\2\3", "" },
  { "cut", HEAD, "" },
  { "array", "[]", "format" },
  { "null", "null", "format" },
  { "no-format", "{\"name\": \"w\", \"uuid\": \"u\", \"id\": 1}", "format" },
  { "format-is-text", "{\"format\": \"1\", \"name\": \"w\", \"uuid\": \"u\", \"id\": 1}",
    "format" },
  { "later-format", "{\"format\": 2, \"name\": \"w\", \"uuid\": \"u\", \"id\": 1}", "format 2" },
  { "only-format", "{\"format\": 2}", "format 2" },
  { "format-of-64-bits", "{\"format\": 4294967297}", "format 4294967297" },
  { "no-name", "{\"format\": 1, \"uuid\": \"u\", \"id\": 1}", "name" },
  { "no-uuid", "{\"format\": 1, \"name\": \"w\", \"id\": 1}", "uuid" },
  { "no-id", "{\"format\": 1, \"name\": \"w\", \"uuid\": \"u\"}", "id" },
  { "id-of-64-bits", "{\"format\": 1, \"name\": \"w\", \"uuid\": \"u\", \"id\": 4294967297}",
    "id" },
  { "pid-of-64-bits", HEAD ", \"qemu\": {\"pid\": 4294967297, \"start-time\": 1}}", "pid" },
  { "negative-pid", HEAD ", \"qemu\": {\"pid\": -1, \"start-time\": 1}}", "pid" },
  { "uid-of-64-bits", HEAD ", \"uid\": 4294967296}", "uid" },
  { "unknown-step", HEAD ", \"job\": {\"step\": \"beam\"}}", "'beam'" },
  { "step-none", HEAD ", \"job\": {\"step\": \"none\"}}", "'none'" },
  { "no-step", HEAD ", \"job\": {}}", "step" },
  { "job-is-text", HEAD ", \"job\": \"save\"}", "step" },
  { "step-is-a-number", HEAD ", \"job\": {\"step\": 1}}", "step" },
  { "migration-without-one", HEAD ", \"job\": {\"step\": \"migrate-handed\"}}", "migrate-handed" },
  { "migration-without-token",
    HEAD ", \"job\": {\"step\": \"migrate-begun\", \"migration\": {\"token\": \"../x\"}}}",
    "migrate-begun" },
  { "postcopy-without-token", HEAD ", \"postcopy\": {\"flags\": 1}}", "postcopy" },
  { "undecided-without-token", HEAD ", \"undecided-migration\": {\"flags\": 1}}", "undecided" },
  { "owner-of-64-bits", HEAD ", \"job\": {\"step\": \"save\", \"owner\": {\"pid\": 4294967297}}}",
    "pid" },
};

static void
assert_fails (const char *fault)
{
  g_autoptr (GError) error = NULL;
  StasisStatus *status = stasis_status_read (folder, &error);
  g_assert_null (status);
  g_assert_nonnull (error);
  g_assert_false (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND));
  g_assert_nonnull (strstr (error->message, folder));
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, fault));
}

static void
test_bad (gconstpointer data)
{
  const BadCase *c = data;
  g_free (scratch_text (folder, "status.json", c->text));
  assert_fails (c->fault);
}

/* Every prefix of a good file is an error, and none is taken for a missing one. */
static void
test_every_prefix (void)
{
  g_autoptr (StasisStatus) status = make_status ();
  stasis_journal_begin (&status->journal, STASIS_STEP_SAVE, "save");
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_status_write (status, folder, &error));
  g_autofree char *path = g_build_filename (folder, "status.json", NULL);
  g_autofree char *text = NULL;
  gsize size = 0;
  g_assert_true (g_file_get_contents (path, &text, &size, &error));
  const gsize end = (gsize) (strrchr (text, '}') - text);
  for (gsize n = 0; n <= end; n++)
    {
      g_assert_cmpint (truncate (path, 0), ==, 0);
      FILE *file = fopen (path, "we");
      g_assert_cmpuint (fwrite (text, 1, n, file), ==, n);
      g_assert_cmpint (fclose (file), ==, 0);
      assert_fails ("");
    }
}

static void
test_missing (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_build_filename (folder, "status.json", NULL);
  unlink (path);
  g_assert_null (stasis_status_read (folder, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_clear_error (&error);

  g_assert_null (stasis_status_read ("/no/such/folder", &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_clear_error (&error);

  /* A folder in its place is no missing file. */
  g_assert_cmpint (mkdir (path, 0700), ==, 0);
  g_assert_null (stasis_status_read (folder, &error));
  g_assert_nonnull (error);
  g_assert_false (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND));
  rmdir (path);
}

static void
test_too_large (void)
{
  g_autofree char *blanks = g_strnfill (1024 * 1024, ' ');
  g_autofree char *text = g_strconcat (HEAD "}", blanks, NULL);
  g_free (scratch_text (folder, "status.json", text));
  assert_fails ("too large");
}

/* Who has the old file open goes on with the old one; no hidden file is left behind. */
static void
test_atomic (void)
{
  g_autoptr (StasisStatus) status = make_status ();
  g_autoptr (StasisStatus) first = read_back (status);
  g_autofree char *path = g_build_filename (folder, "status.json", NULL);
  struct stat before;
  struct stat after;
  const int fd = open (path, O_RDONLY | O_CLOEXEC);
  g_assert_cmpint (fstat (fd, &before), ==, 0);
  g_assert_cmpint (before.st_mode & 07777, ==, 0600);

  status->id++;
  g_autoptr (StasisStatus) second = read_back (status);
  g_assert_cmpint (second->id, ==, first->id + 1);
  g_assert_cmpint (stat (path, &after), ==, 0);
  g_assert_cmpuint (after.st_ino, !=, before.st_ino);
  char text[512];
  g_assert_cmpint (read (fd, text, sizeof text), >, 0);
  close (fd);

  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  g_assert_cmpstr (g_dir_read_name (dir), ==, "status.json");
  g_assert_null (g_dir_read_name (dir));

  g_autoptr (GError) error = NULL;
  g_assert_false (stasis_status_write (status, "/no/such/folder", &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  folder = scratch_new ();
  g_test_add_func ("/driver/status/every-field", test_every_field);
  g_test_add_func ("/driver/status/fewest-fields", test_fewest_fields);
  for (gsize i = 0; i < G_N_ELEMENTS (steps); i++)
    {
      g_autofree char *test = g_strconcat ("/driver/status/step/", steps[i].test, NULL);
      g_test_add_data_func (test, &steps[i], test_step);
    }
  g_test_add_func ("/driver/status/journal-anew", test_journal_anew);
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autofree char *test = g_strconcat ("/driver/status/bad/", bad[i].test, NULL);
      g_test_add_data_func (test, &bad[i], test_bad);
    }
  g_test_add_func ("/driver/status/every-prefix", test_every_prefix);
  g_test_add_func ("/driver/status/missing", test_missing);
  g_test_add_func ("/driver/status/too-large", test_too_large);
  g_test_add_func ("/driver/status/atomic", test_atomic);
  const int result = g_test_run ();
  scratch_remove (folder);
  return result;
}
