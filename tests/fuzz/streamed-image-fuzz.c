/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * streamed-image-fuzz.c: a streamed image, read as from a pipe and as a file
 *
 * Each input is tried as it is, and with all its checksums made right.  Both readers must agree.
 */

#include "config.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "image/body-stream.h"
#include "image/octets.h"
#include "image/record.h"
#include "image/rewrite.h"
#include "image/streamed-reader.h"
#include "image/verify.h"
#include "util/fd.h"

#define SIZE_MAX_FUZZ (64u * 1024)

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

/* The stream's hash, if it came to its end. */
static gboolean
drain (StasisStreamIn *in, StasisHash *out_hash, GError **error)
{
  guint8 octets[4096];
  g_autoptr (StasisHasher) hasher = stasis_hasher_new ();
  gssize n;
  while ((n = stasis_stream_in_read (in, octets, sizeof octets, NULL, error)) > 0)
    stasis_hasher_update (hasher, octets, (gsize) n);
  *out_hash = stasis_hasher_digest (hasher);
  return n == 0;
}

static gboolean
try_pipe (const guint8 *data, gsize size, StasisHash *out_hash)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = g_bytes_new_static (data, size);
  g_autoptr (StasisStreamIn) in = stasis_stream_in_new_bytes (bytes);
  g_autoptr (StasisStreamedReader) reader
      = stasis_streamed_reader_open (in, "fuzz", 2, NULL, &error);
  const gboolean ok
      = reader != NULL && drain (stasis_streamed_reader_body (reader), out_hash, &error);
  g_assert_true (ok == (error == NULL));
  g_assert_true (!ok || stasis_streamed_reader_disks (reader) != NULL);
  return ok;
}

static void
edit (const StasisImage *image)
{
  stasis_autofd int fd = memfd_create ("edited", MFD_CLOEXEC);
  g_autoptr (GBytes) xml = g_bytes_new_static ("<domain/>", 9);
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_image_rewrite (image, xml, NULL, fd, NULL, NULL, NULL, &error));
  g_autoptr (StasisImage) edited = stasis_image_open_fd (stasis_fd_steal (&fd), "edited", &error);
  g_assert_no_error (error);
}

static void
try (const guint8 *data, gsize size)
{
  StasisHash from_pipe, from_file;
  g_autoptr (GError) error = NULL;
  const gboolean pipe_ok = try_pipe (data, size, &from_pipe);

  stasis_autofd int fd = memfd_create ("fuzz", MFD_CLOEXEC);
  g_assert_true (stasis_fd_pwrite_exact (fd, data, size, 0, &error));
  g_autoptr (StasisImage) image = stasis_image_open_fd (stasis_fd_steal (&fd), "fuzz", &error);
  if (image == NULL)
    {
      g_assert_false (pipe_ok);
      return;
    }
  if (stasis_image_body_kind (image) != STASIS_IMAGE_BODY_CHUNKS)
    return;

  /* The verifier also minds what is reserved. */
  const gboolean verified
      = stasis_image_verify (image, STASIS_IMAGE_VERIFY_DEEP, 1, NULL, NULL, NULL, &error);
  g_assert_true (!verified || pipe_ok);
  g_clear_error (&error);
  g_autoptr (StasisStreamIn) in = stasis_image_body_stream (image, 1, &error);
  const gboolean file_ok = drain (in, &from_file, &error);
  g_assert_true (file_ok || !pipe_ok);
  g_assert_true (!pipe_ok || stasis_hash_equal (&from_pipe, &from_file));
  edit (image);
}

static void
put_sum (guint8 *at, const void *octets, gsize size)
{
  const StasisHash hash = stasis_hash (octets, size);
  memcpy (at, hash.octets, sizeof hash.octets);
}

/* Make header and records right, END as well. */
static void
repair (guint8 *image, gsize size)
{
  g_auto (StasisRecordDigest) digest = { NULL, 0 };
  stasis_record_digest_init (&digest);
  gsize at = STASIS_IMAGE_HEADER_SIZE;
  while (size - at >= STASIS_RECORD_HEADER_SIZE)
    {
      guint8 *record = image + at;
      guint8 *body = record + STASIS_RECORD_HEADER_SIZE;
      const guint32 flags = stasis_get_le32 (record + 4);
      const guint64 length = stasis_get_le64 (record + 8);
      if (length > size - at - STASIS_RECORD_HEADER_SIZE)
        break;
      if (stasis_get_le32 (record) == STASIS_RECORD_END && length == 40)
        {
          g_autoptr (GBytes) end = stasis_record_end_encode (image + 16, &digest);
          memcpy (body, g_bytes_get_data (end, NULL), 40);
        }
      if (flags == 0)
        {
          const StasisHash sum
              = stasis_record_head_encode (stasis_get_le32 (record), body, length, record);
          stasis_record_digest_add (&digest, &sum);
        }
      at += MIN (stasis_record_size (length), size - at);
    }
  memset (image + 4080, 0, 16);
  put_sum (image + 4080, image, STASIS_IMAGE_HEADER_SIZE);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  if (size > SIZE_MAX_FUZZ)
    return 0;
  try (data, size);
  if (size < STASIS_IMAGE_HEADER_SIZE)
    return 0;

  g_autofree guint8 *image = g_memdup2 (data, size);
  repair (image, size);
  try (image, size);
  return 0;
}
