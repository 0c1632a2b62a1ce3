/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disks-test.c: tests of src/driver/disks.c
 */

#include "config.h"

#include "driver/disks.h"

#include <fcntl.h>
#include <stasis/error.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver/restore-disks.h"
#include "sample.h"
#include "scratch.h"
#include "util/fd.h"

typedef struct
{
  char *folder;
  char *disk;   /* vda: written by the guest */
  char *medium; /* sda: read only */
  StasisDomainDef *def;
} Fixture;

static StasisDomainDef *
make_domain (const char *disk, const char *medium)
{
  g_autofree char *rest = g_strdup_printf (
      "<devices>"
      "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='%s'/>"
      "<target dev='vda' bus='virtio'/></disk>"
      "<disk type='file' device='cdrom'><source file='%s'/><target dev='sda' bus='sata'/></disk>"
      "<disk type='file' device='cdrom'><target dev='sdb' bus='sata'/></disk>"
      "</devices>",
      disk, medium);
  return scratch_domain ("pc", "", "", rest);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  f->folder = scratch_new ();
  f->disk = scratch_text (f->folder, "disk.qcow2", "what the guest wrote");
  f->medium = scratch_text (f->folder, "medium.iso", "what it can read");
  f->def = make_domain (f->disk, f->medium);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  stasis_domain_def_free (f->def);
  g_free (f->disk);
  g_free (f->medium);
  scratch_remove (f->folder);
}

static GPtrArray *
describe (const StasisDomainDef *def)
{
  g_autoptr (GError) error = NULL;
  GPtrArray *disks = stasis_disks_describe (def, &error);
  g_assert_no_error (error);
  return disks;
}

/* An image that was saved now. */
static StasisImage *
save (const StasisDomainDef *def)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) described = def != NULL ? describe (def) : g_ptr_array_new ();
  g_autoptr (StasisJson) disks = stasis_image_disks_to_json (described);
  const StasisImageTail tail = { .disks = disks };
  stasis_autofd int fd = sample_file ();
  g_autoptr (StasisImageWriter) writer = sample_begin (fd, STASIS_IMAGE_BODY_STREAM);
  sample_write_stream (fd, stasis_image_writer_body_offset (writer));
  stasis_image_writer_finish (writer, 0, &tail, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  StasisImage *image = sample_open (fd, &error);
  g_assert_no_error (error);
  return image;
}

static void
assert_fine (const StasisImage *image, const StasisDomainDef *def)
{
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_disks_check (stasis_image_disks (image), def, &error));
  g_assert_no_error (error);
}

static void
assert_fails (const StasisImage *image, const StasisDomainDef *def, GQuark domain, int code,
              const char *fault)
{
  g_autoptr (GError) error = NULL;
  g_assert_false (stasis_disks_check (stasis_image_disks (image), def, &error));
  g_assert_nonnull (error);
  g_test_message ("%s", error->message);
  g_assert_error (error, domain, code);
  g_assert_nonnull (strstr (error->message, fault));
}

static void
test_describe (Fixture *f, gconstpointer data)
{
  g_autoptr (GPtrArray) disks = describe (f->def);
  g_assert_cmpuint (disks->len, ==, 2);
  const StasisImageDisk *disk = g_ptr_array_index (disks, 0);
  const StasisImageDisk *medium = g_ptr_array_index (disks, 1);
  struct stat st;
  g_assert_cmpint (stat (f->disk, &st), ==, 0);
  g_assert_cmpstr (disk->target, ==, "vda");
  g_assert_cmpstr (disk->path, ==, f->disk);
  g_assert_cmpstr (disk->format, ==, "qcow2");
  g_assert_false (disk->readonly);
  g_assert_cmpuint (disk->size, ==, st.st_size);
  g_assert_cmpuint (disk->inode, ==, st.st_ino);
  g_assert_true (disk->has_mtime);
  g_assert_cmpstr (medium->target, ==, "sda");
  g_assert_cmpstr (medium->format, ==, "raw");
  g_assert_true (medium->readonly);
}

static void
test_describe_fails (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  unlink (f->disk);
  g_assert_null (stasis_disks_describe (f->def, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_assert_nonnull (strstr (error->message, "'vda'"));
  g_clear_error (&error);

  /* Nobody writes into it: we must not wait for that. */
  g_assert_cmpint (mkfifo (f->disk, 0600), ==, 0);
  g_assert_null (stasis_disks_describe (f->def, &error));
  g_assert_nonnull (error);
  g_assert_nonnull (strstr (error->message, "'vda'"));
}

/* What only can be read does not keep a guest from being saved. */
static void
test_describe_without_medium (Fixture *f, gconstpointer data)
{
  unlink (f->medium);
  g_autoptr (GPtrArray) disks = describe (f->def);
  g_assert_cmpuint (disks->len, ==, 1);
  const StasisImageDisk *disk = g_ptr_array_index (disks, 0);
  g_assert_cmpstr (disk->target, ==, "vda");
}

static void
test_open_tray (Fixture *f, gconstpointer data)
{
  g_autoptr (StasisImage) image = save (f->def);
  StasisDiskDef *cdrom = g_ptr_array_index (f->def->disks, 1);
  g_assert_null (cdrom->tray);
  cdrom->tray = g_strdup ("open");
  g_autoptr (GPtrArray) disks = describe (f->def);
  g_assert_cmpuint (disks->len, ==, 1);

  /* Opened after the save, and the medium thrown away. */
  unlink (f->medium);
  assert_fine (image, f->def);
}

static void
test_unchanged (Fixture *f, gconstpointer data)
{
  g_autoptr (StasisImage) image = save (f->def);
  assert_fine (image, f->def);
  g_assert_true (stasis_restore_disks_any_other (stasis_image_disks (image), f->def));
}

typedef void (*Change) (Fixture *f);

static void
write_later (Fixture *f)
{
  g_usleep (20000);
  stasis_autofd int fd = open (f->disk, O_RDWR | O_CLOEXEC);
  g_assert_cmpint (pwrite (fd, "w", 1, 0), ==, 1);
}

static void
grow (Fixture *f)
{
  g_assert_cmpint (truncate (f->disk, 100), ==, 0);
}

/* Same size and time, another beginning: as another overlay, or a backup that was put back. */
static void
exchange (Fixture *f)
{
  struct stat st;
  g_assert_cmpint (stat (f->disk, &st), ==, 0);
  stasis_autofd int fd = open (f->disk, O_RDWR | O_CLOEXEC);
  g_assert_cmpint (pwrite (fd, "W", 1, 0), ==, 1);
  const struct timespec times[] = { st.st_atim, st.st_mtim };
  g_assert_cmpint (futimens (fd, times), ==, 0);
}

typedef struct
{
  const char *test;
  Change change;
  const char *fault;
} ChangeCase;

static const ChangeCase changes[] = {
  { "written", write_later, "last written" },
  { "grown", grow, "octets" },
  { "exchanged", exchange, "begins differently" },
};

static void
test_changed (Fixture *f, gconstpointer data)
{
  const ChangeCase *c = data;
  g_autoptr (StasisImage) image = save (f->def);
  c->change (f);
  assert_fails (image, f->def, STASIS_ERROR, STASIS_ERROR_REFUSED, c->fault);
  assert_fails (image, f->def, STASIS_ERROR, STASIS_ERROR_REFUSED, "--force");
  assert_fails (image, f->def, STASIS_ERROR, STASIS_ERROR_REFUSED, f->disk);
}

/* What the guest cannot write may change. */
static void
test_readonly_changed (Fixture *f, gconstpointer data)
{
  g_autoptr (StasisImage) image = save (f->def);
  g_assert_cmpint (truncate (f->medium, 5), ==, 0);
  assert_fine (image, f->def);
}

/* A copy elsewhere, octet for octet with its time, is the same disk. */
static void
test_moved (Fixture *f, gconstpointer data)
{
  g_autoptr (StasisImage) image = save (f->def);
  g_autofree char *moved = g_strconcat (f->disk, "-moved", NULL);
  g_assert_cmpint (rename (f->disk, moved), ==, 0);
  assert_fails (image, f->def, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "'vda'");
  g_autoptr (StasisDomainDef) def = make_domain (moved, f->medium);
  assert_fine (image, def);
}

static void
test_not_in_definition (Fixture *f, gconstpointer data)
{
  g_autoptr (StasisImage) image = save (f->def);
  g_autoptr (StasisDomainDef) def = scratch_domain ("pc", "", "", "");
  assert_fails (image, def, STASIS_ERROR, STASIS_ERROR_REFUSED, "'vda'");
  assert_fails (image, def, STASIS_ERROR, STASIS_ERROR_REFUSED, "missing from the definition");
}

static void
test_no_disks (Fixture *f, gconstpointer data)
{
  g_autoptr (StasisImage) image = save (NULL);
  assert_fine (image, f->def);
  g_assert_false (stasis_restore_disks_any_other (stasis_image_disks (image), f->def));

  ((StasisDiskDef *) g_ptr_array_index (f->def->disks, 0))->readonly = TRUE;
  g_autoptr (StasisImage) readonly = save (f->def);
  assert_fine (readonly, f->def);
  g_assert_false (stasis_restore_disks_any_other (stasis_image_disks (readonly), f->def));
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
    { "describe-fails", test_describe_fails },
    { "describe-without-medium", test_describe_without_medium },
    { "open-tray", test_open_tray },
    { "unchanged", test_unchanged },
    { "readonly-changed", test_readonly_changed },
    { "moved", test_moved },
    { "not-in-definition", test_not_in_definition },
    { "no-disks", test_no_disks },
  };
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    {
      g_autofree char *test = g_strconcat ("/driver/disks/", tests[i].test, NULL);
      g_test_add (test, Fixture, NULL, set_up, tests[i].function, tear_down);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (changes); i++)
    {
      g_autofree char *test = g_strconcat ("/driver/disks/changed/", changes[i].test, NULL);
      g_test_add (test, Fixture, &changes[i], set_up, test_changed, tear_down);
    }
  return g_test_run ();
}
