/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-volume-test.c: tests of src/driver/migrate-volume.c
 */

#include "config.h"

#include "driver/migrate-volume.h"

#include <stasis/error.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"

#define SIZE 3000u /* octets: no multiple of a sector */

typedef struct
{
  char *folder;
  char *path;
  StasisHold hold;
  GPtrArray *volumes;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  f->folder = g_dir_make_tmp ("stasis-XXXXXX", NULL);
  f->path = g_build_filename (f->folder, "disk", NULL);
  f->hold.folder = g_build_filename (f->folder, "run", NULL);
  g_assert_cmpint (mkdir (f->hold.folder, 0700), ==, 0);
  f->hold.status = stasis_status_new ();
  f->hold.status->name = g_strdup ("web");
  f->hold.status->uuid = g_strdup ("d0010203-0405-4607-8809-0a0b0c0d0e0f");
  f->volumes = g_ptr_array_new_with_free_func ((GDestroyNotify) stasis_migrate_volume_free);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  const char *const argv[] = { "rm", "-r", f->folder, NULL };
  g_assert_true (g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL,
                               NULL, NULL, NULL));
  stasis_status_free (f->hold.status);
  g_free (f->hold.folder);
  g_ptr_array_unref (f->volumes);
  g_free (f->folder);
  g_free (f->path);
}

static StasisMigrateVolume *
add (Fixture *f, const char *path, const char *format, guint64 size)
{
  StasisMigrateVolume *volume = g_new0 (StasisMigrateVolume, 1);
  volume->target = g_strdup ("vda");
  volume->path = g_strdup (path);
  volume->format = g_strdup (format);
  volume->size = size;
  g_ptr_array_add (f->volumes, volume);
  return volume;
}

/* Those that the source copies, by the names that they have here. */
static void
test_list (Fixture *f, gconstpointer data)
{
  g_autoptr (StasisDomainDef) def = scratch_domain (
      "pc", "", "",
      "<devices><disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
      "<source file='/here/a'/><target dev='vda' bus='virtio'/></disk>"
      "<disk type='file' device='disk'><source file='/here/b'/><target dev='vdb' bus='virtio'/>"
      "</disk></devices>");
  g_autoptr (StasisMigrateCookie) cookie = stasis_migrate_cookie_new (NULL);
  StasisMigrateBegin *begin = stasis_migrate_cookie_add_begin (cookie);
  static const char *const targets[] = { "vda", "vdb", "vdc" };
  for (gsize i = 0; i < G_N_ELEMENTS (targets); i++)
    {
      StasisMigrateDisk *disk = stasis_migrate_begin_add_disk (begin);
      disk->target = g_strdup (targets[i]);
      disk->path = g_strdup ("/there");
      disk->format = g_strdup ("qcow2");
      disk->size = SIZE;
      disk->backing = g_strdup ("/base");
      disk->backing_format = g_strdup ("raw");
      disk->is_copied = i != 1;
    }
  g_autoptr (GPtrArray) all
      = stasis_migrate_volumes_list (begin, def, STASIS_MIGRATE_COPY_STORAGE_ALL);
  g_assert_cmpuint (all->len, ==, 1);
  const StasisMigrateVolume *volume = g_ptr_array_index (all, 0);
  g_assert_cmpstr (volume->target, ==, "vda");
  g_assert_cmpstr (volume->path, ==, "/here/a");
  g_assert_cmpuint (volume->size, ==, SIZE);
  g_assert_null (volume->backing);
  g_assert_false (volume->may_overwrite);
  g_autoptr (GPtrArray) tops = stasis_migrate_volumes_list (
      begin, def, STASIS_MIGRATE_COPY_STORAGE_INC | STASIS_MIGRATE_UNSAFE);
  volume = g_ptr_array_index (tops, 0);
  g_assert_cmpstr (volume->backing, ==, "/base");
  g_assert_cmpstr (volume->backing_format, ==, "raw");
  g_assert_true (volume->may_overwrite);
}

/* One that is missing is made and noted; one that is there is neither. */
static void
test_make (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *other = g_build_filename (f->folder, "other", NULL);
  g_assert_true (g_file_set_contents (other, "mine", -1, NULL));
  add (f, other, "raw", 4)->may_overwrite = TRUE;
  add (f, f->path, "raw", SIZE);
  stasis_migrate_volumes_make (&f->hold, f->volumes, NULL, &error);
  g_assert_no_error (error);
  struct stat st;
  g_assert_cmpint (stat (f->path, &st), ==, 0);
  g_assert_cmpint (st.st_size, ==, SIZE);
  g_assert_cmpuint (st.st_mode & 0777, ==, 0600);
  g_assert_cmpuint (f->hold.status->journal.overlays->len, ==, 1);
  stasis_journal_overlays_unlink (f->hold.status->journal.overlays, &error);
  g_assert_no_error (error);
  g_assert_cmpint (stat (f->path, &st), <, 0);
  g_autofree char *octets = NULL;
  g_assert_true (g_file_get_contents (other, &octets, NULL, NULL));
  g_assert_cmpstr (octets, ==, "mine");
}

/* One that has appeared since it was looked for is somebody's. */
static void
test_appeared (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *octets = NULL;
  g_assert_true (g_file_set_contents (f->path, "mine", -1, NULL));
  add (f, f->path, "raw", 4);
  g_assert_false (stasis_migrate_volumes_make (&f->hold, f->volumes, NULL, &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED);
  g_assert_cmpuint (f->hold.status->journal.overlays->len, ==, 0);
  g_assert_true (g_file_get_contents (f->path, &octets, NULL, NULL));
  g_assert_cmpstr (octets, ==, "mine");
}

static void
test_device (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  add (f, f->path, "raw", SIZE)->is_block = TRUE;
  g_assert_false (stasis_migrate_volumes_make (&f->hold, f->volumes, NULL, &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED);
  g_assert_nonnull (strstr (error->message, f->path));
  g_assert_cmpuint (f->hold.status->journal.overlays->len, ==, 0);
  g_assert_cmpint (access (f->path, F_OK), <, 0);
}

static void
test_top (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  StasisMigrateVolume *volume = add (f, f->path, "qcow2", 1 << 20);
  volume->backing = g_strdup ("/base");
  volume->backing_format = g_strdup ("raw");
  stasis_migrate_volumes_make (&f->hold, f->volumes, NULL, &error);
  g_assert_no_error (error);
  g_autofree char *octets = NULL;
  gsize size = 0;
  g_assert_true (g_file_get_contents (f->path, &octets, &size, NULL));
  g_assert_cmpmem (octets, 4, "QFI\xfb", 4);
  g_assert_cmpint (octets[30], ==, '\0');
  g_assert_cmpint (octets[29], ==, 0x10); /* 1 MiB, as the guest sees it */
  g_assert_nonnull (memmem (octets, size, "/base", 5));
}

/* Nothing of it is left, neither of those before it. */
static void
test_refused (Fixture *f, gconstpointer data)
{
  static const struct
  {
    const char *format;
    guint64 size;
  } cases[] = { { "raw", 0 }, { "vmdk", SIZE } };
  const guint which = GPOINTER_TO_UINT (data);
  g_autoptr (GError) error = NULL;
  g_autofree char *other = g_build_filename (f->folder, "other", NULL);
  add (f, other, "raw", SIZE);
  add (f, f->path, cases[which].format, cases[which].size);
  g_assert_false (stasis_migrate_volumes_make (&f->hold, f->volumes, NULL, &error));
  g_assert_nonnull (strstr (error->message, f->path));
  g_assert_nonnull (strstr (error->message, "'vda'"));
  stasis_journal_overlays_unlink (f->hold.status->journal.overlays, NULL);
  g_assert_cmpint (access (f->path, F_OK), <, 0);
  g_assert_cmpint (access (other, F_OK), <, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/driver/migrate-volume/list", Fixture, NULL, set_up, test_list, tear_down);
  g_test_add ("/driver/migrate-volume/make", Fixture, NULL, set_up, test_make, tear_down);
  g_test_add ("/driver/migrate-volume/appeared", Fixture, NULL, set_up, test_appeared, tear_down);
  g_test_add ("/driver/migrate-volume/device", Fixture, NULL, set_up, test_device, tear_down);
  g_test_add ("/driver/migrate-volume/top", Fixture, NULL, set_up, test_top, tear_down);
  g_test_add ("/driver/migrate-volume/refused/no-size", Fixture, GUINT_TO_POINTER (0), set_up,
              test_refused, tear_down);
  g_test_add ("/driver/migrate-volume/refused/format", Fixture, GUINT_TO_POINTER (1), set_up,
              test_refused, tear_down);
  return g_test_run ();
}
