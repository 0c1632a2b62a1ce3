/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * overlays-test.c: tests of src/driver/overlays.c, overlay-folder.c and overlay-bases.c
 */

#include "config.h"

#include "driver/overlays.h"

#include <stasis/error.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver/disk-chain.h"
#include "driver/overlay-bases.h"
#include "driver/overlay-folder.h"
#include "scratch.h"

typedef struct
{
  char *folder;
  char *disk;
  char *own; /* of the clone */
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  static const char octets[5000] = { 1 };
  f->folder = scratch_new ();
  f->disk = scratch_file (f->folder, "a disk,x=:y", octets, sizeof octets);
  f->own = g_build_filename (f->folder, "lib", "clones", "own", NULL);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  g_free (f->disk);
  g_free (f->own);
  scratch_remove (f->folder);
}

static StasisDomainDef *
with_disk (const char *type, const char *format, const char *path)
{
  g_autofree char *rest = g_strdup_printf (
      "<devices><disk type='%s' device='disk'><driver name='qemu' type='%s'/><source %s='%s'/>"
      "<target dev='vda' bus='virtio'/></disk></devices>",
      type, format, g_str_equal (type, "file") ? "file" : "dev", path);
  return scratch_domain ("pc", "", "", rest);
}

static gboolean
has_tool (void)
{
  g_autofree char *found = g_find_program_in_path ("qemu-img");
  if (found == NULL)
    g_test_skip ("qemu-img is not installed");
  return found != NULL;
}

/* The format is the definition's, and the name needs no quoting. */
static void
test_make (Fixture *f, gconstpointer data)
{
  if (!has_tool ())
    return;
  g_autoptr (StasisDomainDef) def = with_disk ("file", "raw", f->disk);
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisOverlays) overlays = stasis_overlays_new (def, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (stasis_overlays_are_needed (overlays));
  stasis_overlays_make (overlays, f->own, &error);
  g_assert_no_error (error);
  stasis_overlays_put (def, f->own);

  const StasisDiskDef *disk = g_ptr_array_index (def->disks, 0);
  g_autoptr (GPtrArray) chain = stasis_disk_chain_read (disk->source, "qcow2", &error);
  g_assert_no_error (error);
  g_assert_cmpuint (chain->len, ==, 1);
  const StasisDiskLink *link = g_ptr_array_index (chain, 0);
  g_assert_cmpstr (link->path, ==, f->disk);
  g_assert_cmpstr (link->format, ==, "raw");
  g_assert_true (scratch_run ("qemu-img", "check", "-q", disk->source, NULL));
  struct stat st;
  g_assert_cmpint (stat (disk->source, &st), ==, 0);
  g_assert_cmpuint (st.st_mode & 07777, ==, 0600);
}

static void
assert_refused (const char *type, const char *format, const char *path, const char *what)
{
  g_autoptr (StasisDomainDef) def = with_disk (type, format, path);
  g_autoptr (GError) error = NULL;
  g_assert_null (stasis_overlays_new (def, NULL, &error));
  g_assert_nonnull (strstr (error->message, "disk 'vda': "));
  g_assert_nonnull (strstr (error->message, what));
}

static void
test_refused (Fixture *f, gconstpointer data)
{
  assert_refused ("block", "raw", "/dev/vg/lv", "'/dev/vg/lv' is a block device");
  assert_refused ("file", "raw", "/dev/null", "'/dev/null' is not a regular file");
  assert_refused ("file", "raw", "/not/there", "/not/there");
}

static void
test_none (Fixture *f, gconstpointer data)
{
  g_autoptr (StasisDomainDef) def = scratch_domain ("pc", "", "", "");
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisOverlays) overlays = stasis_overlays_new (def, NULL, &error);
  g_assert_no_error (error);
  g_assert_false (stasis_overlays_are_needed (overlays));
}

/* The firmware's variables: a copy, or what their template will make. */
static void
test_nvram (Fixture *f, gconstpointer data)
{
  g_autofree char *vars = scratch_text (f->folder, "web_VARS.fd", "variables");
  g_autofree char *inside = g_strdup_printf (
      "<loader readonly='yes' type='pflash'>/f/CODE.fd</loader><nvram>%s</nvram>", vars);
  g_autoptr (StasisDomainDef) def = scratch_domain ("q35", "", inside, "");
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisOverlays) overlays = stasis_overlays_new (def, NULL, &error);
  g_assert_no_error (error);
  stasis_overlays_make (overlays, f->own, &error);
  g_assert_no_error (error);
  stasis_overlays_put (def, f->own);
  g_autofree char *text = NULL;
  g_assert_cmpstr (def->os.nvram, !=, vars);
  g_assert_true (g_file_get_contents (def->os.nvram, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, "variables");

  g_free (def->os.nvram);
  def->os.nvram = g_strdup ("/not/there");
  g_autoptr (StasisOverlays) none = stasis_overlays_new (def, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (stasis_overlays_are_needed (none));
}

/* The disk below may not be written to between a save and a restore. */
static void
test_bases (Fixture *f, gconstpointer data)
{
  if (!has_tool ())
    return;
  g_autoptr (StasisDomainDef) def = with_disk ("file", "raw", f->disk);
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisOverlays) overlays = stasis_overlays_new (def, NULL, &error);
  g_assert_no_error (error);
  stasis_overlays_make (overlays, f->own, &error);
  g_assert_no_error (error);
  stasis_overlays_put (def, f->own);
  stasis_overlay_bases_keep (def, f->own, "/an/image", &error);
  g_assert_no_error (error);
  stasis_overlay_bases_check (def, f->own, &error);
  g_assert_no_error (error);

  g_free (scratch_text (f->folder, "a disk,x=:y", "written"));
  g_assert_false (stasis_overlay_bases_check (def, f->own, &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED);
  g_assert_nonnull (strstr (error->message, f->disk));
  g_assert_nonnull (strstr (error->message, "--force"));
}

/* Only a folder of the domain's own UUID is its own. */
static void
test_of (Fixture *f, gconstpointer data)
{
  g_autoptr (StasisPaths) paths = scratch_paths (f->folder);
  g_autoptr (StasisDomainDef) def = with_disk ("file", "qcow2", f->disk);
  g_assert_null (stasis_overlays_of (paths, def));
  g_autofree char *own = stasis_paths_clone (paths, def->uuid);
  stasis_overlays_put (def, own);
  g_autofree char *folder = stasis_overlays_of (paths, def);
  g_assert_cmpstr (folder, ==, own);
  g_free (def->uuid);
  def->uuid = g_uuid_string_random ();
  g_assert_null (stasis_overlays_of (paths, def));
}

/* A status file may name any folder. */
static void
test_remove (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_overlay_folder_remove (f->own, &error));
  g_assert_no_error (error);
  g_mkdir_with_parents (f->own, 0700);
  g_free (scratch_text (f->own, "vda.qcow2", "x"));
  g_free (scratch_text (f->own, "VARS.fd", "x"));
  g_assert_false (stasis_overlay_folder_is_kept (f->own));
  stasis_overlay_folder_keep (f->own, "x", &error);
  stasis_overlay_folder_keep (f->own, "y", &error);
  g_assert_no_error (error);
  g_assert_true (stasis_overlay_folder_is_kept (f->own));
  g_autofree char *text = stasis_overlay_folder_read_kept (f->own, &error);
  g_assert_cmpstr (text, ==, "y");
  g_autofree char *other = scratch_text (f->own, "mine", "x");
  g_assert_false (stasis_overlay_folder_remove (f->own, NULL));
  g_assert_true (g_file_test (other, G_FILE_TEST_EXISTS));
  g_assert_cmpint (unlink (other), ==, 0);
  stasis_overlay_folder_remove (f->own, &error);
  g_assert_no_error (error);
  g_assert_false (g_file_test (f->own, G_FILE_TEST_EXISTS));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, test) \
  g_test_add ("/driver/overlays/" name, Fixture, NULL, set_up, test, tear_down)
  ADD ("make", test_make);
  ADD ("refused", test_refused);
  ADD ("none", test_none);
  ADD ("nvram", test_nvram);
  ADD ("bases", test_bases);
  ADD ("of", test_of);
  ADD ("remove", test_remove);
#undef ADD
  return g_test_run ();
}
