/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * flat-end.c: what a flat file ends with
 *
 *   octets  what (integers little-endian)
 *   0       "StasisFl"
 *   8       version, 1; reserved, 0 (4 octets each)
 *   16      lengths of memory, stream, hashes, note (8 octets each)
 *   48      hashes of stream, hashes, note (XXH3-128, 16 octets each)
 *   96      reserved, 0
 *   112     hash of the 112 octets before
 */

#include "config.h"

#include "image/flat-end.h"

#include <string.h>
#include <sys/stat.h>

#include <glib/gi18n-lib.h>

#include "image/error.h"
#include "image/flat.h"
#include "image/octets.h"
#include "image/view.h"
#include "util/fd.h"

#define MAGIC     "StasisFl"
#define VERSION   1u
#define HASHED    112u
#define TABLE_MAX (G_GUINT64_CONSTANT (256) << 20)

static gboolean
throw_corrupt (GError **error)
{
  g_set_error_literal (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
                       _ ("the end of the flat file is damaged"));
  return FALSE;
}

void
stasis_flat_end_encode (const StasisFlatEnd *end, guint8 octets[STASIS_FLAT_END_SIZE])
{
  memset (octets, 0, STASIS_FLAT_END_SIZE);
  memcpy (octets, MAGIC, strlen (MAGIC));
  stasis_put_le32 (octets + 8, VERSION);
  stasis_put_le64 (octets + 16, end->ram_length);
  stasis_put_le64 (octets + 24, end->stream_length);
  stasis_put_le64 (octets + 32, end->table_length);
  stasis_put_le64 (octets + 40, end->note_length);
  memcpy (octets + 48, end->stream_hash.octets, STASIS_HASH_SIZE);
  memcpy (octets + 64, end->table_hash.octets, STASIS_HASH_SIZE);
  memcpy (octets + 80, end->note_hash.octets, STASIS_HASH_SIZE);
  const StasisHash hash = stasis_hash (octets, HASHED);
  memcpy (octets + HASHED, hash.octets, STASIS_HASH_SIZE);
}

static void
decode (const guint8 octets[STASIS_FLAT_END_SIZE], StasisFlatEnd *end)
{
  end->ram_length = stasis_get_le64 (octets + 16);
  end->stream_length = stasis_get_le64 (octets + 24);
  end->table_length = stasis_get_le64 (octets + 32);
  end->note_length = stasis_get_le64 (octets + 40);
  memcpy (end->stream_hash.octets, octets + 48, STASIS_HASH_SIZE);
  memcpy (end->table_hash.octets, octets + 64, STASIS_HASH_SIZE);
  memcpy (end->note_hash.octets, octets + 80, STASIS_HASH_SIZE);
}

/* Each is limited, so the sum cannot overflow. */
static gboolean
check_lengths (const StasisFlatEnd *end, guint64 size)
{
  return end->ram_length > 0 && end->ram_length <= STASIS_IMAGE_END_MAX
         && end->ram_length % STASIS_IMAGE_PAGE_SIZE == 0
         && end->stream_length <= STASIS_IMAGE_VIEW_MAX && end->table_length <= TABLE_MAX
         && end->note_length <= STASIS_FLAT_NOTE_MAX
         && end->ram_length + end->stream_length + end->table_length + end->note_length
                    + STASIS_FLAT_END_SIZE
                == size;
}

/* The last octets of a file. */
gboolean
stasis_flat_end_read (int fd, StasisFlatEnd *out_end, GError **error)
{
  guint8 octets[STASIS_FLAT_END_SIZE];
  struct stat st;
  if (fstat (fd, &st) < 0)
    return stasis_throw_errno (error, _ ("cannot look at the file"));
  const guint64 size = (guint64) st.st_size;
  if (size >= sizeof octets
      && !stasis_fd_pread_exact (fd, octets, sizeof octets, size - sizeof octets, error))
    return FALSE;
  if (size < sizeof octets || memcmp (octets, MAGIC, strlen (MAGIC)) != 0)
    {
      g_set_error_literal (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_NOT_AN_IMAGE,
                           _ ("the file is no flat file"));
      return FALSE;
    }
  const StasisHash hash = stasis_hash (octets, HASHED);
  if (memcmp (octets + HASHED, hash.octets, STASIS_HASH_SIZE) != 0)
    return throw_corrupt (error);
  if (stasis_get_le32 (octets + 8) != VERSION)
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_UNSUPPORTED,
                   _ ("the flat file has version %1$u, known is %2$u"),
                   stasis_get_le32 (octets + 8), VERSION);
      return FALSE;
    }
  decode (octets, out_end);
  return check_lengths (out_end, size) || throw_corrupt (error);
}
