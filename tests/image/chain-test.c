/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * chain-test.c: tests of src/image/parent.c, chain.c and chain-body.c
 */

#include "config.h"

#include "image/chain-body.h"

#include <string.h>
#include <unistd.h>

#include "image/error.h"
#include "image/mapped-ram.h"
#include "image/parent.h"
#include "image/verify.h"
#include "sample-chain.h"
#include "sample.h"
#include "util/fd.h"

#define PAGE STASIS_IMAGE_PAGE_SIZE
#define MAIN 0u /* pc.ram */

typedef struct
{
  char *folder;
  char *paths[3];
  const StasisImageBodyKind *kinds;
} Fixture;

/* Each kind of increment over each. */
static const StasisImageBodyKind kinds[][3] = {
  { STASIS_IMAGE_BODY_MAPPED_RAM, STASIS_IMAGE_BODY_MAPPED_RAM, STASIS_IMAGE_BODY_MAPPED_RAM },
  { STASIS_IMAGE_BODY_MAPPED_RAM, STASIS_IMAGE_BODY_MAPPED_RAM, STASIS_IMAGE_BODY_PACKED_RAM },
  { STASIS_IMAGE_BODY_MAPPED_RAM, STASIS_IMAGE_BODY_PACKED_RAM, STASIS_IMAGE_BODY_MAPPED_RAM },
  { STASIS_IMAGE_BODY_MAPPED_RAM, STASIS_IMAGE_BODY_PACKED_RAM, STASIS_IMAGE_BODY_PACKED_RAM },
};

static const guint8 root_pages[] = { 10, 11, 12, 13, 0, 0xff };
static const guint8 middle_pages[] = { 0, 21, 1, 0, 24, 0xff };
static const guint8 top_pages[] = { 0, 31, 0, 0, 1, 0xff };
static const guint8 wanted[] = { 10, 31, 0, 13, 0 };

static void
set_up (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  static const char *const names[] = { "root", "middle", "top" };
  static const guint8 *const pages[] = { root_pages, middle_pages, top_pages };
  f->kinds = data;
  f->folder = g_dir_make_tmp ("stasis-XXXXXX", &error);
  g_assert_no_error (error);
  for (guint i = 0; i < 3; i++)
    {
      f->paths[i] = g_build_filename (f->folder, names[i], NULL);
      sample_chain_make (f->paths[i], i > 0 ? f->paths[i - 1] : NULL, f->kinds[i], pages[i]);
    }
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  for (guint i = 0; i < 3; i++)
    {
      unlink (f->paths[i]);
      g_free (f->paths[i]);
    }
  g_assert_cmpint (rmdir (f->folder), ==, 0);
  g_free (f->folder);
}

static StasisImage *
open_image (const char *path)
{
  g_autoptr (GError) error = NULL;
  StasisImage *image = stasis_image_open (path, &error);
  g_assert_no_error (error);
  return image;
}

static StasisImageChain *
open_chain (const StasisImage *image)
{
  g_autoptr (GError) error = NULL;
  StasisImageChain *chain = stasis_image_chain_open (image, NULL, &error);
  g_assert_no_error (error);
  return chain;
}

static void
assert_pages (const guint8 *octets, const guint8 *pages, gsize n)
{
  for (gsize page = 0; page < n; page++)
    for (gsize i = 0; i < PAGE; i++)
      g_assert_cmpuint (octets[page * PAGE + i], ==, pages[page]);
}

static void
test_read (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisImage) image = open_image (f->paths[2]);
  g_autoptr (StasisImageChain) chain = open_chain (image);
  g_assert_cmpuint (stasis_image_chain_n (chain), ==, 3);
  g_assert_cmpstr (stasis_image_name (stasis_image_chain_root (chain)), ==, f->paths[0]);

  guint8 octets[5 * PAGE];
  guint8 found[1] = { 0 };
  gboolean is_zero;
  stasis_image_chain_read (chain, MAIN, 0, octets, sizeof octets, FALSE, &is_zero, found, &error);
  g_assert_no_error (error);
  g_assert_false (is_zero);
  assert_pages (octets, wanted, 5);
  g_assert_cmpuint (found[0], ==, 0x1f);

  /* Only what lies above the root. */
  static const guint8 above[] = { 0, 31, 0, 0, 0 };
  found[0] = 0;
  stasis_image_chain_read (chain, MAIN, 0, octets, sizeof octets, TRUE, &is_zero, found, &error);
  g_assert_no_error (error);
  assert_pages (octets, above, 5);
  g_assert_cmpuint (found[0], ==, 0x16);

  stasis_image_chain_read (chain, MAIN, 100 * PAGE, octets, PAGE, FALSE, &is_zero, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (is_zero);
}

/* Whose pages are data somewhere, zero or not. */
static void
test_bitmap (Fixture *f, gconstpointer data)
{
  g_autoptr (StasisImage) image = open_image (f->paths[2]);
  g_autoptr (StasisImageChain) chain = open_chain (image);
  gsize n_octets;
  g_autofree guint8 *bits = stasis_image_chain_bitmap (chain, MAIN, &n_octets);
  const guint64 length = stasis_image_ram_map (image)->blocks[MAIN].used_length;
  g_assert_cmpuint (n_octets, ==, (length / PAGE + 7) / 8);
  g_assert_cmpuint (bits[0], ==, 0x1f);
  for (gsize i = 1; i < n_octets; i++)
    g_assert_cmpuint (bits[i], ==, 0);
}

/* Each is good by itself, and so is what is made of them. */
static void
test_body (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisImage) image = open_image (f->paths[2]);
  g_assert_true (
      stasis_image_verify (image, STASIS_IMAGE_VERIFY_DEEP, 1, NULL, NULL, NULL, &error));
  g_autoptr (StasisImageChain) chain = open_chain (image);
  for (guint without_root = 0; without_root < 2; without_root++)
    {
      stasis_autofd int fd = sample_file ();
      stasis_image_chain_write_body (chain, fd, 8192, without_root ? "pc.ram" : NULL, G_MAXUINT64,
                                     NULL, NULL, NULL, &error);
      g_assert_no_error (error);
      const guint64 end = (guint64) lseek (fd, 0, SEEK_END);
      g_autoptr (StasisImageRamMap) map = stasis_mapped_ram_parse (fd, 8192, end, &error);
      g_assert_no_error (error);
      stasis_mapped_ram_read_bitmaps (fd, map, NULL, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (map->blocks[MAIN].n_set, ==, without_root ? 3 : 3);
      guint8 octets[5 * PAGE];
      stasis_fd_pread_exact (fd, octets, sizeof octets, map->blocks[MAIN].pages_offset, &error);
      g_assert_no_error (error);
      static const guint8 above[] = { 0, 31, 0, 0, 0 };
      assert_pages (octets, without_root ? above : wanted, 5);
    }
}

static void
test_too_much (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisImage) image = open_image (f->paths[2]);
  g_autoptr (StasisImageChain) chain = open_chain (image);
  stasis_autofd int fd = sample_file ();
  g_assert_false (
      stasis_image_chain_write_body (chain, fd, 0, NULL, PAGE, NULL, NULL, NULL, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_UNSUPPORTED);
}

static void
assert_refused (const char *path, const char *word)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisImage) image = open_image (path);
  g_assert_null (stasis_image_chain_open (image, NULL, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID);
  g_assert_nonnull (strstr (error->message, word));
}

static void
test_bases (Fixture *f, gconstpointer data)
{
  static const guint8 other_pages[] = { 10, 11, 12, 14, 0, 0xff };
  g_assert_cmpint (unlink (f->paths[1]), ==, 0);
  assert_refused (f->paths[2], "No such file");
  sample_chain_make (f->paths[1], f->paths[0], f->kinds[1],
                     middle_pages); /* the same, but another image */
  assert_refused (f->paths[2], "another image");
  sample_chain_make (f->paths[2], f->paths[1], f->kinds[2], top_pages);
  sample_chain_make (f->paths[0], NULL, f->kinds[0], other_pages);
  assert_refused (f->paths[2], "another image");
}

static void
test_cancelled (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (StasisImage) image = open_image (f->paths[2]);
  g_cancellable_cancel (cancellable);
  g_assert_null (stasis_image_chain_open (image, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

/* One that stands on itself ends nowhere: there is none, for a child knows its parent's hashes. */
static void
test_whole (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_MAPPED_RAM);
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  g_assert_no_error (error);
  g_assert_null (stasis_image_parent (image));
  g_autoptr (StasisImageChain) chain = stasis_image_chain_open (image, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (stasis_image_chain_n (chain), ==, 1);

  stasis_autofd int stream = sample_image (STASIS_IMAGE_BODY_STREAM);
  g_autoptr (StasisImage) plain = sample_open (stream, &error);
  g_assert_no_error (error);
  g_assert_null (stasis_image_parent_new (plain, "/x", &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_UNSUPPORTED);
}

static void
edit_parent (GPtrArray *front, const char *text)
{
  g_ptr_array_insert (front, 1, sample_record (STASIS_RECORD_PARENT, text, strlen (text)));
}

static void
edit_lacking (GPtrArray *front, GPtrArray *tail)
{
  edit_parent (front, "{\"image\":\"x\",\"file\":\"y\"}");
}

static void
edit_good (GPtrArray *front, GPtrArray *tail)
{
  edit_parent (front, "{\"image\":\"x\",\"hashes\":\"z\",\"file\":\"y\"}");
}

static void
edit_twice (GPtrArray *front, GPtrArray *tail)
{
  edit_good (front, tail);
  edit_good (front, tail);
}

static void
test_records (void)
{
  static const struct
  {
    StasisImageBodyKind kind;
    SampleEdit edit;
    const char *word;
  } tests[] = {
    { STASIS_IMAGE_BODY_MAPPED_RAM, edit_good, NULL },
    { STASIS_IMAGE_BODY_MAPPED_RAM, edit_lacking, "hashes" },
    { STASIS_IMAGE_BODY_MAPPED_RAM, edit_twice, "twice" },
    { STASIS_IMAGE_BODY_STREAM, edit_good, "the body has none" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    {
      g_autoptr (GError) error = NULL;
      stasis_autofd int fd = sample_edited (tests[i].kind, tests[i].edit);
      g_autoptr (StasisImage) image = sample_open (fd, &error);
      g_assert_cmpint (image != NULL, ==, tests[i].word == NULL);
      if (tests[i].word == NULL)
        continue;
      g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT);
      g_assert_nonnull (strstr (error->message, tests[i].word));
    }
}

static void
add (const char *name, void (*test) (Fixture *f, gconstpointer data))
{
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_autofree char *path = g_strdup_printf ("/image/chain/%s/%s-%s", name,
                                               stasis_image_body_kind_to_string (kinds[i][1]),
                                               stasis_image_body_kind_to_string (kinds[i][2]));
      g_test_add (path, Fixture, kinds[i], set_up, test, tear_down);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add ("read", test_read);
  add ("bitmap", test_bitmap);
  add ("body", test_body);
  add ("too-much", test_too_much);
  add ("bases", test_bases);
  add ("cancelled", test_cancelled);
  g_test_add_func ("/image/chain/whole", test_whole);
  g_test_add_func ("/image/chain/records", test_records);
  return g_test_run ();
}
