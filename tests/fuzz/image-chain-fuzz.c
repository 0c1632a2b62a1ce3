/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-chain-fuzz.c: an incremental image and its parent: matched, read, made whole
 *
 * The octets "BASE" stand between the two, each as pieces.h has it.  Their checksums are made
 * right, and the child names the parent as it has become.  A parent's file is looked for by its
 * name, so no other than that of ours is let through.
 */

#include "config.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/chain-body.h"
#include "image/mapped-ram.h"
#include "image/parent.h"
#include "pieces.h"
#include "repair.h"
#include "util/fd.h"

#define SIZE_MAX_FUZZ (256u * 1024)
#define PIECE         (1024u * 1024)
#define PARENT        "p"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

/* Put the parent's value where the child has one, as it stands in the seeds. */
static void
patch (guint8 *image, gsize size, const char *key, const StasisJson *parent)
{
  const char *value = stasis_json_string (stasis_json_get (parent, key), "");
  g_autofree char *lead = g_strdup_printf ("\"%s\":\"", key);
  guint8 *at = memmem (image, size, lead, strlen (lead));
  if (at != NULL && size - (gsize) (at - image) >= strlen (lead) + strlen (value))
    memcpy (at + strlen (lead), value, strlen (value));
}

/* A file out of pieces; @parent (nullable) is what it is to stand on. */
static void
write_image (const char *path, const guint8 *data, gsize size, const StasisJson *parent)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = stasis_fd_open (path, O_RDWR | O_CREAT | O_EXCL, 0600, &error);
  g_assert_no_error (error);
  const guint64 end = pieces_write (fd, data, size);
  if (end < STASIS_IMAGE_HEADER_SIZE)
    return;
  guint8 *image = mmap (NULL, end, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  g_assert_true (image != MAP_FAILED);
  if (parent != NULL)
    {
      const gsize front = MIN (end, 2 * STASIS_IMAGE_HEADER_SIZE);
      patch (image, front, STASIS_IMAGE_PARENT_IMAGE, parent);
      patch (image, front, STASIS_IMAGE_PARENT_HASHES, parent);
    }
  repair_image (image, end);
  munmap (image, end);
}

static gboolean
names_only_ours (const StasisImage *image)
{
  const StasisJson *file = stasis_json_get (stasis_image_parent (image), STASIS_IMAGE_PARENT_FILE);
  return stasis_image_parent (image) == NULL || g_str_equal (stasis_json_string (file, ""), PARENT);
}

static void
read_all (const StasisImageChain *chain, const StasisImageRamMap *map, gboolean without_root)
{
  g_autofree guint8 *octets = g_malloc (PIECE);
  guint8 found[PIECE / STASIS_IMAGE_PAGE_SIZE / 8];
  for (guint i = 0; i < map->n_blocks; i++)
    for (guint64 at = 0; at < map->blocks[i].used_length; at += PIECE)
      {
        g_autoptr (GError) error = NULL;
        gboolean is_zero;
        const gsize length = MIN (PIECE, map->blocks[i].used_length - at);
        if (!stasis_image_chain_read (chain, i, at, octets, length, without_root, &is_zero, found,
                                      &error))
          g_assert_nonnull (error);
      }
}

/* What is written says the same as what is read from. */
static void
make_whole (const StasisImageChain *chain, const StasisImageRamMap *map)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = memfd_create ("fuzz", MFD_CLOEXEC);
  if (!stasis_image_chain_write_body (chain, fd, 0, NULL, PIECES_FILE_MAX, NULL, NULL, NULL,
                                      &error))
    {
      g_assert_nonnull (error);
      return;
    }
  struct stat st;
  g_assert_cmpint (fstat (fd, &st), ==, 0);
  g_autoptr (StasisImageRamMap) again
      = stasis_mapped_ram_parse (fd, 0, (guint64) st.st_size, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (again->n_blocks, ==, map->n_blocks);
}

static void
try (const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisImage) image = stasis_image_open (path, &error);
  if (image == NULL || !names_only_ours (image))
    {
      g_assert_true (image != NULL || error != NULL);
      return;
    }
  g_autoptr (StasisImageChain) chain = stasis_image_chain_open (image, NULL, &error);
  if (chain == NULL)
    {
      g_assert_nonnull (error);
      return;
    }
  read_all (chain, stasis_image_ram_map (image), FALSE);
  read_all (chain, stasis_image_ram_map (image), TRUE);
  make_whole (chain, stasis_image_ram_map (image));
}

/* What a child of this parent says of it; NULL where it can have none. */
static StasisJson *
look_at_parent (const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisImage) image = stasis_image_open (path, &error);
  if (image == NULL || !names_only_ours (image))
    return NULL;
  return stasis_image_parent_new (image, PARENT, &error);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  const guint8 *base = size > 0 && size <= SIZE_MAX_FUZZ ? memmem (data, size, "BASE", 4) : NULL;
  if (base == NULL)
    return 0;
  g_autoptr (GError) error = NULL;
  g_autofree char *folder = g_dir_make_tmp ("stasis-XXXXXX", &error);
  g_assert_no_error (error);
  g_autofree char *child = g_build_filename (folder, "c", NULL);
  g_autofree char *parent = g_build_filename (folder, PARENT, NULL);
  write_image (parent, base + 4, size - (gsize) (base + 4 - data), NULL);
  g_autoptr (StasisJson) known = look_at_parent (parent);
  if (known != NULL)
    {
      write_image (child, data, (gsize) (base - data), known);
      try (child);
    }
  unlink (child);
  unlink (parent);
  g_assert_cmpint (rmdir (folder), ==, 0);
  return 0;
}
