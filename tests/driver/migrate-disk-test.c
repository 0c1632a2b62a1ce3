/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-disk-test.c: tests of src/driver/migrate-disk.c, migrate-host.c, migrate-check-disks.c
 * and of what of migrate-check.c needs no emulator
 */

#include "config.h"

#include "driver/migrate-disk.h"

#include <stasis/error.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver/migrate-check.h"
#include "driver/migrate-host.h"
#include "scratch.h"

#define QCOW2_OCTETS 104

typedef struct
{
  char *folder;
  char *raw;   /* vda, 1000 octets */
  char *qcow2; /* vdb, 4096 octets for the guest */
  char *medium;
  StasisPaths *paths;
  StasisDriver *driver;
  StasisDomainDef *def;
  StasisMigrateCookie *cookie;
  StasisMigrateCheck check;
} Fixture;

static StasisDomainDef *
make_domain (const Fixture *f)
{
  g_autofree char *rest = g_strdup_printf (
      "<devices>"
      "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='%s'/>"
      "<target dev='vda' bus='virtio'/></disk>"
      "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='%s'/>"
      "<target dev='vdb' bus='virtio'/></disk>"
      "<disk type='file' device='cdrom'><source file='%s'/><target dev='sda' bus='sata'/></disk>"
      "</devices>",
      f->raw, f->qcow2, f->medium);
  return scratch_domain ("pc", "", "", rest);
}

/* As the source, on this very host, sees them. */
static void
note_disks (Fixture *f)
{
  for (guint i = 0; i < f->def->disks->len; i++)
    {
      g_autoptr (GError) error = NULL;
      StasisMigrateDisk *disk
          = stasis_migrate_disk_describe (g_ptr_array_index (f->def->disks, i), &error);
      g_assert_no_error (error);
      g_ptr_array_add (f->cookie->begin->disks, disk);
    }
}

static void
set_up (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  guint8 head[QCOW2_OCTETS] = { 'Q', 'F', 'I', 0xfb, 0, 0, 0, 3 };
  head[30] = 0x10; /* big-endian, at 24: 4096 */
  f->folder = scratch_new ();
  g_autofree char *zeros = g_malloc0 (1000);
  f->raw = scratch_file (f->folder, "raw", zeros, 1000);
  f->qcow2 = scratch_file (f->folder, "qcow2", head, sizeof head);
  f->medium = scratch_text (f->folder, "medium", "what it can read");
  f->paths = scratch_paths (f->folder);
  f->driver = stasis_driver_open ("stasis:///session", NULL, &error);
  g_assert_no_error (error);
  f->def = make_domain (f);
  f->cookie = stasis_migrate_cookie_new (NULL);
  StasisMigrateBegin *begin = stasis_migrate_cookie_add_begin (f->cookie);
  stasis_migrate_host_fill (&begin->source, f->paths);
  note_disks (f);
  f->check = (StasisMigrateCheck){
    .driver = f->driver, .begin = begin, .sent = f->def, .wanted = f->def, .root = ""
  };
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  stasis_migrate_cookie_free (f->cookie);
  stasis_domain_def_free (f->def);
  g_clear_object (&f->driver);
  stasis_paths_free (f->paths);
  g_free (f->raw);
  g_free (f->qcow2);
  g_free (f->medium);
  scratch_remove (f->folder);
}

static StasisMigrateDisk *
disk_of (Fixture *f, guint index)
{
  return g_ptr_array_index (f->cookie->begin->disks, index);
}

/* The source is another host. */
static void
move_away (Fixture *f)
{
  g_free (f->cookie->begin->source.boot_id);
  f->cookie->begin->source.boot_id = g_strdup ("another");
}

static void
assert_finding (Fixture *f, guint index, const char *says)
{
  g_autoptr (GPtrArray) findings = g_ptr_array_new ();
  stasis_migrate_check_disks (&f->check, findings);
  g_assert_cmpuint (findings->len, ==, 3);
  const StasisMigrateFinding *finding = g_ptr_array_index (findings, index);
  g_test_message ("%s: %s", finding->what, finding->needs);
  g_assert_true (finding->ok == (says == NULL));
  if (says != NULL)
    g_assert_nonnull (strstr (finding->needs, says));
  for (guint i = 0; i < findings->len; i++)
    {
      StasisMigrateFinding *one = g_ptr_array_index (findings, i);
      g_free (one->what);
      g_free (one->needs);
      g_free (one);
    }
}

static void
test_describe (Fixture *f, gconstpointer data)
{
  struct stat st;
  g_assert_cmpint (stat (f->raw, &st), ==, 0);
  g_assert_cmpstr (disk_of (f, 0)->target, ==, "vda");
  g_assert_cmpstr (disk_of (f, 0)->format, ==, "raw");
  g_assert_cmpuint (disk_of (f, 0)->size, ==, 1000);
  g_assert_cmpuint (disk_of (f, 0)->inode, ==, st.st_ino);
  g_assert_nonnull (disk_of (f, 0)->fs_type);
  g_assert_true (disk_of (f, 0)->is_writable);
  g_assert_cmpuint (disk_of (f, 1)->size, ==, 4096);
  g_assert_false (disk_of (f, 2)->is_writable);

  g_autoptr (GError) error = NULL;
  g_autofree char *text = scratch_text (f->folder, "qcow2", "it is something else now, and long");
  g_assert_null (stasis_migrate_disk_describe (g_ptr_array_index (f->def->disks, 1), &error));
  g_assert_nonnull (strstr (error->message, "no qcow2"));
}

typedef struct
{
  const char *test;
  const char *source_fs;
  const char *here_fs;
  guint64 here_inode; /* the source's is 5 */
  gboolean is_same_host;
  StasisMigrateSameness expected;
} SameCase;

static const SameCase same_cases[] = {
  { "one-host", "ext", "ext", 5, TRUE, STASIS_MIGRATE_DISK_SAME },
  { "one-host-other", "ext", "ext", 6, TRUE, STASIS_MIGRATE_DISK_OTHER },
  { "local-twins", "ext", "ext", 5, FALSE, STASIS_MIGRATE_DISK_OTHER },
  { "nfs", "nfs", "nfs", 5, FALSE, STASIS_MIGRATE_DISK_SAME },
  { "nfs-other", "nfs", "nfs", 6, FALSE, STASIS_MIGRATE_DISK_OTHER },
  { "nfs-server", "ext", "nfs", 5, FALSE, STASIS_MIGRATE_DISK_UNCERTAIN },
  { "nfs-server-other", "ext", "nfs", 6, FALSE, STASIS_MIGRATE_DISK_OTHER },
  { "devices", NULL, NULL, 9, FALSE, STASIS_MIGRATE_DISK_UNCERTAIN },
  { "device-and-file", NULL, "ext", 5, FALSE, STASIS_MIGRATE_DISK_OTHER },
};

static void
test_same (gconstpointer data)
{
  const SameCase *c = data;
  char source_fs[8] = "";
  char here_fs[8] = "";
  g_strlcpy (source_fs, c->source_fs != NULL ? c->source_fs : "", sizeof source_fs);
  g_strlcpy (here_fs, c->here_fs != NULL ? c->here_fs : "", sizeof here_fs);
  const StasisMigrateDisk source
      = { .fs_type = c->source_fs != NULL ? source_fs : NULL, .inode = 5 };
  const StasisMigrateDisk here
      = { .fs_type = c->here_fs != NULL ? here_fs : NULL, .inode = c->here_inode };
  g_assert_cmpint (stasis_migrate_disk_compare (&source, &here, c->is_same_host), ==, c->expected);
}

static void
test_there (Fixture *f, gconstpointer data)
{
  for (guint i = 0; i < 3; i++)
    assert_finding (f, i, NULL);
  disk_of (f, 0)->size = 1001;
  assert_finding (f, 0, "1001");
  disk_of (f, 0)->size = 1000;
  g_assert_cmpint (unlink (f->raw), ==, 0);
  assert_finding (f, 0, f->raw);
}

/* Local files of another host are not these, whatever their numbers. */
static void
test_elsewhere (Fixture *f, gconstpointer data)
{
  move_away (f);
  assert_finding (f, 0, "--copy-storage-all");
  assert_finding (f, 2, NULL);
  f->check.flags = STASIS_MIGRATE_UNSAFE;
  assert_finding (f, 0, NULL);
}

static void
test_format (Fixture *f, gconstpointer data)
{
  g_free (disk_of (f, 1)->format);
  disk_of (f, 1)->format = g_strdup ("raw");
  assert_finding (f, 1, "'qcow2' here");
}

static void
test_missing (Fixture *f, gconstpointer data)
{
  g_autoptr (StasisDomainDef) bare = scratch_domain ("pc", "", "", "");
  f->check.wanted = bare;
  assert_finding (f, 0, "missing from the definition");
}

static void
test_device (Fixture *f, gconstpointer data)
{
  move_away (f);
  disk_of (f, 0)->is_copied = TRUE;
  f->check.flags = STASIS_MIGRATE_UNSAFE;
  g_assert_cmpint (unlink (f->raw), ==, 0);
  assert_finding (f, 0, NULL);
  ((StasisDiskDef *) g_ptr_array_index (f->def->disks, 0))->type = STASIS_DISK_TYPE_BLOCK;
  assert_finding (f, 0, "is missing");
}

static void
test_copy (Fixture *f, gconstpointer data)
{
  disk_of (f, 0)->is_copied = TRUE;
  assert_finding (f, 0, "onto itself");
  move_away (f); /* now it is a file that the copy can go into, were there nothing in it */
  assert_finding (f, 0, "--unsafe");
  f->check.flags = STASIS_MIGRATE_UNSAFE;
  assert_finding (f, 0, NULL);
  f->check.flags = 0;
  g_assert_cmpint (truncate (f->raw, 0) + truncate (f->raw, 1000), ==, 0);
  assert_finding (f, 0, NULL);
  disk_of (f, 0)->size = 2000;
  assert_finding (f, 0, "2000");
  g_assert_cmpint (unlink (f->raw), ==, 0);
  assert_finding (f, 0, NULL);
  disk_of (f, 0)->size = G_MAXINT64;
  assert_finding (f, 0, "there is room for");
  f->check.flags = STASIS_MIGRATE_COPY_STORAGE_INC;
  assert_finding (f, 0, NULL);
}

/* What the top of a disk lies on is to be here. */
static void
test_copy_top (Fixture *f, gconstpointer data)
{
  StasisMigrateDisk *disk = disk_of (f, 1);
  move_away (f);
  g_assert_cmpint (unlink (f->qcow2), ==, 0);
  disk->is_copied = TRUE;
  disk->backing = g_build_filename (f->folder, "base", NULL);
  disk->backing_format = g_strdup ("raw");
  assert_finding (f, 1, NULL); /* all of it is copied */
  f->check.flags = STASIS_MIGRATE_COPY_STORAGE_INC;
  assert_finding (f, 1, "rests on");
  g_assert_true (g_file_set_contents (disk->backing, "base", -1, NULL));
  assert_finding (f, 1, NULL);
  g_free (disk->backing_format);
  disk->backing_format = g_strdup ("qcow2"); /* it is none */
  assert_finding (f, 1, "rests on");
  unlink (disk->backing);
}

/* Two that would fit each by itself. */
static void
test_copies (Fixture *f, gconstpointer data)
{
  move_away (f);
  for (guint i = 0; i < 2; i++)
    {
      disk_of (f, i)->is_copied = TRUE;
      disk_of (f, i)->size = i == 0 ? 1 : G_MAXINT64;
    }
  g_assert_cmpint (unlink (f->raw) + unlink (f->qcow2), ==, 0);
  assert_finding (f, 0, NULL);
  assert_finding (f, 1, "there is room for");
}

/* The user's definition has it as something else than the source's. */
static void
test_copy_kind (Fixture *f, gconstpointer data)
{
  StasisDiskDef *disk = g_ptr_array_index (f->def->disks, 0);
  move_away (f);
  disk_of (f, 0)->is_copied = TRUE;
  disk_of (f, 2)->is_copied = TRUE;
  f->check.flags = STASIS_MIGRATE_UNSAFE;
  assert_finding (f, 0, NULL);
  assert_finding (f, 2, "removable");
  disk->shareable = TRUE;
  assert_finding (f, 0, "other guests");
  disk->readonly = TRUE;
  assert_finding (f, 0, "does not write");
}

static void
test_copy_nowhere (Fixture *f, gconstpointer data)
{
  StasisDiskDef *disk = g_ptr_array_index (f->def->disks, 0);
  disk_of (f, 0)->is_copied = TRUE;
  g_free (disk->source);
  disk->source = g_build_filename (f->folder, "nowhere", "raw", NULL);
  assert_finding (f, 0, "nowhere");
}

static void
test_host (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_auto (StasisMigrateHost) here = { 0 };
  StasisMigrateHost *source = &f->cookie->begin->source;
  stasis_migrate_host_fill (&here, f->paths);
  g_assert_nonnull (here.name);
  g_assert_cmpuint (strlen (here.state), ==, 16);
  g_assert_false (stasis_migrate_host_check_other (source, &here, &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);

  g_free (source->state); /* another driver of this host */
  source->state = g_strdup ("0123456789abcdef");
  g_assert_true (stasis_migrate_host_check_other (source, &here, &error));
  g_assert_true (stasis_migrate_host_is_same (source, &here));
  g_clear_pointer (&source->boot_id, g_free);
  g_assert_false (stasis_migrate_host_is_same (source, &here));
}

typedef struct
{
  const char *test;
  const char *source;
  const char *here;
  const char *lacks; /* NULL: it is fine */
} CpuCase;

static const CpuCase cpu_cases[] = {
  { "same", "{\"props\":{\"sse2\":true,\"avx\":false}}", "{\"props\":{\"sse2\":true}}", NULL },
  { "more", "{\"props\":{\"sse2\":false}}", "{\"props\":{\"sse2\":true}}", NULL },
  { "off", "{\"props\":{\"sse2\":true}}", "{\"props\":{\"sse2\":false}}", "sse2" },
  { "unknown", "{\"props\":{\"new\":true,\"sse2\":true}}", "{\"props\":{\"sse2\":true}}", "new" },
  { "internal", "{\"props\":{\"x-way\":true,\"level\":13}}", "{\"props\":{}}", NULL },
  { "silent", "{}", "{\"props\":{}}", NULL },
};

static void
test_cpu (gconstpointer data)
{
  const CpuCase *c = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisJson) source = stasis_json_parse (c->source, -1, NULL);
  g_autoptr (StasisJson) here = stasis_json_parse (c->here, -1, NULL);
  g_assert_true (stasis_migrate_check_cpu (source, here, &error) == (c->lacks == NULL));
  if (c->lacks != NULL)
    g_assert_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED);
  if (c->lacks != NULL)
    g_assert_nonnull (strstr (error->message, c->lacks));
  g_assert_true (stasis_migrate_check_cpu (NULL, here, NULL));
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *test;
    void (*function) (Fixture *, gconstpointer);
  } tests[] = {
    { "describe", test_describe },
    { "there", test_there },
    { "elsewhere", test_elsewhere },
    { "format", test_format },
    { "missing", test_missing },
    { "copy", test_copy },
    { "device", test_device },
    { "copy-top", test_copy_top },
    { "copies", test_copies },
    { "copy-kind", test_copy_kind },
    { "copy-nowhere", test_copy_nowhere },
    { "host", test_host },
  };
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    {
      g_autofree char *path = g_strconcat ("/driver/migrate-disk/", tests[i].test, NULL);
      g_test_add (path, Fixture, NULL, set_up, tests[i].function, tear_down);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (same_cases); i++)
    {
      g_autofree char *path = g_strconcat ("/driver/migrate-disk/same/", same_cases[i].test, NULL);
      g_test_add_data_func (path, &same_cases[i], test_same);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (cpu_cases); i++)
    {
      g_autofree char *path = g_strconcat ("/driver/migrate-disk/cpu/", cpu_cases[i].test, NULL);
      g_test_add_data_func (path, &cpu_cases[i], test_cpu);
    }
  return g_test_run ();
}
