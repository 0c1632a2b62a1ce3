/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reader-test.c: tests of src/image/reader.c: what must be refused, and how it is called
 */

#include "config.h"

#include "image/reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/error.h"
#include "image/octets.h"
#include "image/reader-private.h"
#include "sample-edits.h"
#include "sample.h"
#include "util/fd.h"

static void
assert_refused (int fd, StasisImageError code, const char *message)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  g_assert_null (image);
  g_assert_error (error, STASIS_IMAGE_ERROR, (int) code);
  if (message != NULL && strstr (error->message, message) == NULL)
    g_error ("'%s' is not in '%s'", message, error->message);
}

static void
test_edited (gconstpointer data)
{
  const SampleCase *c = data;
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_edited (c->kind, c->edit);
  if (c->code == SAMPLE_DAMAGED)
    {
      g_assert_false (sample_verify (fd, &error));
      g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT);
      g_assert_nonnull (strstr (error->message, c->message));
      return;
    }
  if (c->code >= 0)
    {
      assert_refused (fd, (StasisImageError) c->code, c->message);
      return;
    }
  g_assert_true (sample_verify (fd, &error));
  g_assert_no_error (error);
  g_autoptr (StasisImage) image = sample_open (fd, NULL);
  g_assert_cmpuint (stasis_image_n_unknown_records (image), ==,
                    g_str_has_suffix (c->name, "optional") ? 3 : 0);
}

/* Every prefix of a small image, its hole left out. */
static void
test_prefixes (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_STREAM);
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  g_assert_no_error (error);
  const guint64 body = stasis_image_body_offset (image);

  for (guint64 size = stasis_image_file_size (image) - 1; size > 0; size--)
    {
      if (size == body - 16)
        size = 8192;
      g_assert_cmpint (ftruncate (fd, (off_t) size), ==, 0);
      if (size >= 8)
        assert_refused (fd, STASIS_IMAGE_ERROR_CORRUPT, "is cut");
      else
        assert_refused (
            fd, size >= 4 ? STASIS_IMAGE_ERROR_CORRUPT : STASIS_IMAGE_ERROR_NOT_AN_IMAGE, NULL);
    }
  g_assert_cmpint (ftruncate (fd, 0), ==, 0);
  assert_refused (fd, STASIS_IMAGE_ERROR_NOT_AN_IMAGE, "is not a save image");
}

/* The same with a header that owns up to the cut, so that the records have to notice. */
static void
test_honest_prefixes (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_STREAM);
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  const guint64 tail = image->header.tail_offset;
  for (guint64 size = stasis_image_file_size (image) - 8; size > tail; size -= 8)
    {
      guint8 octets[8];
      g_assert_cmpint (ftruncate (fd, (off_t) size), ==, 0);
      stasis_put_le64 (octets, size);
      sample_patch_header (fd, 64, octets, 8);
      stasis_put_le64 (octets, size - tail);
      sample_patch_header (fd, 120, octets, 8);
      assert_refused (fd, STASIS_IMAGE_ERROR_CORRUPT, NULL);
    }
  for (guint64 front = image->header.front_length - 8; front > 0; front -= 8)
    {
      stasis_autofd int other = sample_image (STASIS_IMAGE_BODY_STREAM);
      guint8 octets[8];
      stasis_put_le64 (octets, front);
      sample_patch_header (other, 80, octets, 8);
      assert_refused (other, STASIS_IMAGE_ERROR_CORRUPT, NULL);
    }
}

/* Front records of one image do not go with the rest of another. */
static void
test_other_front (void)
{
  stasis_autofd int one = sample_image (STASIS_IMAGE_BODY_STREAM);
  stasis_autofd int other = sample_image (STASIS_IMAGE_BODY_STREAM);
  guint8 header[STASIS_IMAGE_HEADER_SIZE];
  g_assert_cmpint (pread (other, header, sizeof header, 0), ==, sizeof header);
  g_assert_cmpint (pwrite (one, header, sizeof header, 0), ==, sizeof header);
  assert_refused (one, STASIS_IMAGE_ERROR_CORRUPT, "does not belong");
}

static void
test_trailing (void)
{
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_STREAM);
  g_assert_cmpint (lseek (fd, 0, SEEK_END), >, 0);
  g_assert_cmpint (write (fd, "", 1), ==, 1);
  assert_refused (fd, STASIS_IMAGE_ERROR_CORRUPT, "has 1 octets behind its end");
}

static void
test_body_kind (void)
{
  guint8 kind[4];
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_STREAM);
  stasis_put_le32 (kind, 5);
  sample_patch_header (fd, 104, kind, 4);
  assert_refused (fd, STASIS_IMAGE_ERROR_UNSUPPORTED, "body of unknown kind 5");
  stasis_put_le32 (kind, STASIS_IMAGE_BODY_CHUNKS);
  sample_patch_header (fd, 104, kind, 4);
  assert_refused (fd, STASIS_IMAGE_ERROR_CORRUPT, "state and kind of the body");
}

/* Things that are no file at all. */
static void
test_strange_files (void)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (stasis_image_open ("/dev/null", &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_NOT_AN_IMAGE);
  g_clear_error (&error);
  g_assert_null (stasis_image_open ("/nonexistent/x", &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_clear_error (&error);

  g_autofree char *folder = g_dir_make_tmp ("stasis-reader-XXXXXX", NULL);
  g_autofree char *fifo = g_build_filename (folder, "fifo", NULL);
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  g_assert_null (stasis_image_open (fifo, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_NOT_AN_IMAGE);
  unlink (fifo);
  rmdir (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < sample_n_cases; i++)
    {
      g_autofree char *path = g_strdup_printf ("/image/reader/records/%s", sample_cases[i].name);
      g_test_add_data_func (path, &sample_cases[i], test_edited);
    }
  for (gsize i = 0; i < sample_n_packed_cases; i++)
    {
      g_autofree char *path
          = g_strdup_printf ("/image/reader/records/%s", sample_packed_cases[i].name);
      g_test_add_data_func (path, &sample_packed_cases[i], test_edited);
    }
  g_test_add_func ("/image/reader/prefixes", test_prefixes);
  g_test_add_func ("/image/reader/honest-prefixes", test_honest_prefixes);
  g_test_add_func ("/image/reader/other-front", test_other_front);
  g_test_add_func ("/image/reader/trailing", test_trailing);
  g_test_add_func ("/image/reader/body-kind", test_body_kind);
  g_test_add_func ("/image/reader/strange-files", test_strange_files);
  return g_test_run ();
}
