/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verify-chunks-test.c: tests of src/image/verify-chunks.c: streamed images as files
 */

#include "config.h"

#include <unistd.h>

#include "image/chunk-record.h"
#include "image/error.h"
#include "image/info.h"
#include "image/octets.h"
#include "image/reader-private.h"
#include "image/verify.h"
#include "sample.h"
#include "util/fd.h"

#define PIECE STASIS_CHUNK_WRITE_SIZE

static void
change (int fd, guint64 at, guint8 bits)
{
  guint8 octet;
  g_assert_cmpint (pread (fd, &octet, 1, (off_t) at), ==, 1);
  octet ^= bits;
  g_assert_cmpint (pwrite (fd, &octet, 1, (off_t) at), ==, 1);
}

/* Opens and verifies; a shallow look must do for whatever the checksums see.  What is not good is
 * damaged, not something that we do not know. */
static gboolean
is_good (int fd)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  const gboolean good
      = image != NULL
        && stasis_image_verify (image, STASIS_IMAGE_VERIFY_NONE, 1, NULL, NULL, NULL, &error);
  g_assert_true (good || g_error_matches (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT));
  return good;
}

static void
test_every_octet (void)
{
  static const guint8 changes[] = { 0x01, 0x80, 0xff };
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_CHUNKS);
  g_autoptr (GBytes) octets = sample_octets (fd);
  for (guint64 at = 0; at < g_bytes_get_size (octets); at++)
    for (gsize i = 0; i < G_N_ELEMENTS (changes); i++)
      {
        change (fd, at, changes[i]);
        if (is_good (fd))
          g_error ("change %#x at offset %" G_GUINT64_FORMAT " was not noticed", changes[i], at);
        change (fd, at, changes[i]);
      }
  g_assert_true (is_good (fd));
}

static void
test_every_prefix (void)
{
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_CHUNKS);
  g_autoptr (GBytes) octets = sample_octets (fd);
  g_assert_cmpint (pwrite (fd, "", 1, (off_t) g_bytes_get_size (octets)), ==, 1);
  g_assert_false (is_good (fd));
  for (gsize size = g_bytes_get_size (octets) - 1; size > 0; size--)
    {
      g_autoptr (GError) error = NULL;
      g_assert_cmpint (ftruncate (fd, (off_t) size), ==, 0);
      g_assert_null (sample_open (fd, &error));
      g_assert_true (error->domain == STASIS_IMAGE_ERROR);
    }
}

/* All damages of a long image, each with its place. */
static void
test_report (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_written (3, 9 * PIECE + 1);
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  g_assert_no_error (error);
  static const guint damaged[] = { 0, 3, 9 };
  for (gsize i = 0; i < G_N_ELEMENTS (damaged); i++)
    change (fd, g_array_index (image->chunks, StasisImageChunk, damaged[i]).offset + 48, 0x10);

  g_autoptr (GPtrArray) damages
      = stasis_image_verify_report (image, STASIS_IMAGE_VERIFY_DEEP, 3, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (damages->len, ==, G_N_ELEMENTS (damaged));
  for (gsize i = 0; i < G_N_ELEMENTS (damaged); i++)
    {
      const StasisImageFault *fault = g_ptr_array_index (damages, i);
      const StasisImageChunk *chunk = &g_array_index (image->chunks, StasisImageChunk, damaged[i]);
      g_assert_cmpuint (fault->offset, ==, chunk->offset);
      g_assert_cmpuint (fault->length, ==, stasis_record_size (chunk->stored));
      g_assert_nonnull (strstr (fault->what, "its checksum does not match"));
    }
  const StasisImageFault *second = g_ptr_array_index (damages, 1);
  g_assert_nonnull (strstr (second->what, "octets 0x600000 to 0x800000 of QEMU's stream"));
}

/* A frame that makes no sense under a checksum that is right: only a deep look can see it. */
static void
edit_frame (GPtrArray *front, GPtrArray *tail)
{
  SampleRecord *record = g_ptr_array_index (tail, 1);
  gsize size;
  const guint8 *octets = g_bytes_get_data (record->body, &size);
  guint8 *changed = g_memdup2 (octets, size);
  changed[size - 1] ^= 1; /* the frame's own checksum */
  g_bytes_unref (record->body);
  record->body = g_bytes_new_take (changed, size);
}

static void
test_deep (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_edited (STASIS_IMAGE_BODY_CHUNKS, edit_frame);
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  g_assert_true (
      stasis_image_verify (image, STASIS_IMAGE_VERIFY_NONE, 1, NULL, NULL, NULL, &error));
  g_assert_no_error (error);
  g_assert_false (
      stasis_image_verify (image, STASIS_IMAGE_VERIFY_DEEP, 1, NULL, NULL, NULL, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT);
  g_assert_nonnull (strstr (error->message, "cannot be decompressed"));
}

/* A reserved flag, under a checksum that is right: readers do not mind, the verifier does. */
static void
edit_flags (GPtrArray *front, GPtrArray *tail)
{
  SampleRecord *record = g_ptr_array_index (tail, 2);
  record->flags = 1;
}

static void
test_flags (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_edited (STASIS_IMAGE_BODY_CHUNKS, edit_flags);
  g_assert_false (sample_verify (fd, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT);
  g_assert_nonnull (strstr (error->message, "a reserved field is not zero"));
}

/* One good chunk for another, since the image was opened. */
static void
test_changed_since (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_written (0, 2 * PIECE);
  stasis_autofd int other = sample_written (0, 2 * PIECE);
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  const StasisImageChunk *chunk = &g_array_index (image->chunks, StasisImageChunk, 1);
  g_autofree guint8 *record = g_malloc (STASIS_RECORD_HEADER_SIZE + chunk->stored);
  stasis_fd_pread_exact (other, record, STASIS_RECORD_HEADER_SIZE + chunk->stored, chunk->offset,
                         &error);
  g_assert_no_error (error);
  record[1000] ^= 1;
  stasis_record_head_encode (STASIS_RECORD_CHUNK, record + STASIS_RECORD_HEADER_SIZE, chunk->stored,
                             record);
  stasis_fd_pwrite_exact (fd, record, STASIS_RECORD_HEADER_SIZE + chunk->stored, chunk->offset,
                          &error);
  g_assert_false (
      stasis_image_verify (image, STASIS_IMAGE_VERIFY_NONE, 1, NULL, NULL, NULL, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT);
  g_assert_nonnull (strstr (error->message, "has changed since the image was opened"));

  g_autoptr (GError) again = NULL; /* and END does not seal that */
  g_assert_null (sample_open (fd, &again));
  g_assert_error (again, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT);
}

static void
count (guint64 done, guint64 total, gpointer data)
{
  guint64 *last = data;
  g_assert_cmpuint (done, <=, total);
  *last = done == total ? total : 0;
}

static void
test_progress (void)
{
  g_autoptr (GError) error = NULL;
  guint64 total = 0;
  stasis_autofd int fd = sample_written (1, 5 * PIECE);
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  g_assert_true (
      stasis_image_verify (image, STASIS_IMAGE_VERIFY_DEEP, 0, count, &total, NULL, &error));
  g_assert_cmpuint (total, ==, stasis_image_body_length (image));

  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_cancellable_cancel (cancellable);
  g_assert_false (
      stasis_image_verify (image, STASIS_IMAGE_VERIFY_DEEP, 0, NULL, NULL, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

static void
test_info (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_CHUNKS);
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  g_autoptr (StasisJson) info = stasis_image_info_to_json (image);
  const StasisJson *body = stasis_json_get (info, "body");
  g_assert_cmpstr (stasis_json_string (stasis_json_get (body, "kind"), ""), ==, "chunks");
  g_assert_cmpuint (stasis_json_uint (stasis_json_get (body, "chunks"), 0), ==, 3);
  g_assert_cmpuint (stasis_json_uint (stasis_json_get (body, "stream-length"), 0), ==, 232);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/image/verify-chunks/every-octet", test_every_octet);
  g_test_add_func ("/image/verify-chunks/every-prefix", test_every_prefix);
  g_test_add_func ("/image/verify-chunks/report", test_report);
  g_test_add_func ("/image/verify-chunks/deep", test_deep);
  g_test_add_func ("/image/verify-chunks/flags", test_flags);
  g_test_add_func ("/image/verify-chunks/changed-since", test_changed_since);
  g_test_add_func ("/image/verify-chunks/progress", test_progress);
  g_test_add_func ("/image/verify-chunks/info", test_info);
  return g_test_run ();
}
