/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * header.c: the first 4096 octets of a save image
 *
 * See docs/save-image.md, "Header".  The order of the checks matters: what is not ours must not be
 * called damaged, and an intact image of another version must be called just that.
 */

#include "config.h"

#include "image/header.h"

#include <inttypes.h>

#include <glib/gi18n-lib.h>

#include "image/error.h"
#include "image/octets.h"
#include "util/hash.h"

enum
{
  AT_VERSION = 8,
  AT_STATE = 12,
  AT_UUID = 16,
  AT_DOMAIN_UUID = 32,
  AT_FLAGS = 48,
  AT_CREATED = 56,
  AT_FILE_SIZE = 64,
  AT_FRONT_OFFSET = 72,
  AT_FRONT_LENGTH = 80,
  AT_BODY_OFFSET = 88,
  AT_BODY_LENGTH = 96,
  AT_BODY_KIND = 104,
  AT_RESERVED = 108,
  AT_TAIL_OFFSET = 112,
  AT_TAIL_LENGTH = 120,
  AT_WRITER = 128,
  AT_REST = 192,
  AT_CHECKSUM = 4080,
};

#define STATE_PARTIAL  0x54524150u /* "PART" */
#define STATE_COMPLETE 0x454e4f44u /* "DONE" */
#define STATE_STREAM   0x574f4c46u /* "FLOW" */

static const guint8 magic[8] = { 0x89, 'S', 'T', 'S', '\r', '\n', 0x1a, '\n' };

/* Files that people may well take for one of ours. */
static const struct
{
  const char *magic;
  const char *what;
} relatives[] = {
  { "LibvirtQemudSave", N_ ("a save image of libvirt") },
  { "LibvirtQemudPart", N_ ("an incomplete save image of libvirt") },
  { "QEVM", N_ ("a bare migration stream of QEMU") },
};

static StasisHash
checksum (const guint8 *octets)
{
  static const guint8 zeros[STASIS_HASH_SIZE];
  g_autoptr (StasisHasher) hasher = stasis_hasher_new ();
  stasis_hasher_update (hasher, octets, AT_CHECKSUM);
  stasis_hasher_update (hasher, zeros, sizeof zeros);
  return stasis_hasher_digest (hasher);
}

/* The octets of a header, its checksum included. */
void
stasis_image_header_encode (const StasisImageHeader *header,
                            guint8 octets[STASIS_IMAGE_HEADER_SIZE])
{
  memset (octets, 0, STASIS_IMAGE_HEADER_SIZE);
  memcpy (octets, magic, sizeof magic);
  stasis_put_le32 (octets + AT_VERSION, STASIS_IMAGE_VERSION);
  stasis_put_le32 (octets + AT_STATE, header->is_stream  ? STATE_STREAM
                                      : header->complete ? STATE_COMPLETE
                                                         : STATE_PARTIAL);
  memcpy (octets + AT_UUID, header->uuid, sizeof header->uuid);
  memcpy (octets + AT_DOMAIN_UUID, header->domain_uuid, sizeof header->domain_uuid);
  stasis_put_le64 (octets + AT_CREATED, header->created_ns);
  stasis_put_le64 (octets + AT_FILE_SIZE, header->file_size);
  stasis_put_le64 (octets + AT_FRONT_OFFSET, STASIS_IMAGE_HEADER_SIZE);
  stasis_put_le64 (octets + AT_FRONT_LENGTH, header->front_length);
  stasis_put_le64 (octets + AT_BODY_OFFSET, header->body_offset);
  stasis_put_le64 (octets + AT_BODY_LENGTH, header->body_length);
  stasis_put_le32 (octets + AT_BODY_KIND, header->body_kind);
  stasis_put_le64 (octets + AT_TAIL_OFFSET, header->tail_offset);
  stasis_put_le64 (octets + AT_TAIL_LENGTH, header->tail_length);
  g_strlcpy ((char *) octets + AT_WRITER, header->writer, STASIS_IMAGE_WRITER_SIZE);

  const StasisHash sum = checksum (octets);
  memcpy (octets + AT_CHECKSUM, sum.octets, sizeof sum.octets);
}

/* TRUE where the octets begin with our magic. */
gboolean
stasis_image_header_has_magic (const guint8 *octets, gsize size)
{
  return size >= sizeof magic && memcmp (octets, magic, sizeof magic) == 0;
}

/* TRUE where only the magic keeps it from being a header of ours: the checksum knows. */
static gboolean
is_ours_but_for_magic (const guint8 *octets, gsize size)
{
  if (size < STASIS_IMAGE_HEADER_SIZE)
    return FALSE;
  guint8 mended[STASIS_IMAGE_HEADER_SIZE];
  memcpy (mended, octets, sizeof mended);
  memcpy (mended, magic, sizeof magic);
  const StasisHash sum = checksum (mended);
  return memcmp (octets + AT_CHECKSUM, sum.octets, sizeof sum.octets) == 0;
}

/* Say what a file without our magic is.  Always FALSE. */
static gboolean
throw_stranger (const guint8 *octets, gsize size, const char *name, GError **error)
{
  if (size >= 4 && (octets[0] & 0x7f) == (magic[0] & 0x7f)
      && memcmp (octets + 1, magic + 1, 3) == 0)
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
                   _ ("'%1$s' was damaged by a transfer in text mode, or cut"), name);
      return FALSE;
    }

  for (gsize i = 0; i < G_N_ELEMENTS (relatives); i++)
    {
      const gsize length = strlen (relatives[i].magic);
      if (size < length || memcmp (octets, relatives[i].magic, length) != 0)
        continue;
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_UNSUPPORTED,
                   _ ("'%1$s' is %2$s, not one of ours"), name, _ (relatives[i].what));
      return FALSE;
    }

  if (is_ours_but_for_magic (octets, size))
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
                   _ ("the magic of '%1$s' is damaged; the rest of its header is ours"), name);
      return FALSE;
    }
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_NOT_AN_IMAGE,
               _ ("'%1$s' is not a save image"), name);
  return FALSE;
}

static gboolean
check_identity (const guint8 *octets, gsize size, const char *name, GError **error)
{
  if (!stasis_image_header_has_magic (octets, size))
    return throw_stranger (octets, size, name, error);

  if (size < STASIS_IMAGE_HEADER_SIZE)
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
                   _ ("'%1$s' is cut: only %2$zu octets of its header are there"), name, size);
      return FALSE;
    }

  const StasisHash sum = checksum (octets);
  if (memcmp (octets + AT_CHECKSUM, sum.octets, sizeof sum.octets) != 0)
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
                   _ ("the header of '%1$s' is damaged: its checksum does not match"), name);
      return FALSE;
    }

  const guint32 version = stasis_get_le32 (octets + AT_VERSION);
  if (version != STASIS_IMAGE_VERSION)
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_UNSUPPORTED,
                   _ ("'%1$s' has format version %2$u, this program reads version %3$u"), name,
                   version, STASIS_IMAGE_VERSION);
      return FALSE;
    }
  return TRUE;
}

/* Magic, checksum, version, state and body kind, in this order; not the layout. */
gboolean
stasis_image_header_decode (const guint8 *octets, gsize size, const char *name,
                            StasisImageHeader *out_header, GError **error)
{
  if (!check_identity (octets, size, name, error))
    return FALSE;

  const guint32 state = stasis_get_le32 (octets + AT_STATE);
  if ((state != STATE_PARTIAL && state != STATE_COMPLETE && state != STATE_STREAM)
      || stasis_get_le64 (octets + AT_FRONT_OFFSET) != STASIS_IMAGE_HEADER_SIZE
      || octets[AT_WRITER + STASIS_IMAGE_WRITER_SIZE - 1] != '\0'
      || !g_utf8_validate ((const char *) octets + AT_WRITER, -1, NULL))
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
                   _ ("the header of '%1$s' makes no sense"), name);
      return FALSE;
    }

  *out_header = (StasisImageHeader){
    .complete = state == STATE_COMPLETE,
    .is_stream = state == STATE_STREAM,
    .created_ns = stasis_get_le64 (octets + AT_CREATED),
    .file_size = stasis_get_le64 (octets + AT_FILE_SIZE),
    .front_length = stasis_get_le64 (octets + AT_FRONT_LENGTH),
    .body_offset = stasis_get_le64 (octets + AT_BODY_OFFSET),
    .body_length = stasis_get_le64 (octets + AT_BODY_LENGTH),
    .body_kind = stasis_get_le32 (octets + AT_BODY_KIND),
    .tail_offset = stasis_get_le64 (octets + AT_TAIL_OFFSET),
    .tail_length = stasis_get_le64 (octets + AT_TAIL_LENGTH),
  };
  memcpy (out_header->uuid, octets + AT_UUID, sizeof out_header->uuid);
  memcpy (out_header->domain_uuid, octets + AT_DOMAIN_UUID, sizeof out_header->domain_uuid);
  memcpy (out_header->writer, octets + AT_WRITER, sizeof out_header->writer);
  return TRUE;
}

static gboolean
throw_layout (const char *name, const char *what, GError **error)
{
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
               _ ("the header of '%1$s' makes no sense: %2$s"), name, what);
  return FALSE;
}

static gboolean
check_size (const StasisImageHeader *header, guint64 file_size, const char *name, GError **error)
{
  if (file_size < header->file_size)
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
                   _ ("'%1$s' is cut: %2$" PRIu64 " of %3$" PRIu64 " octets are there"), name,
                   file_size, header->file_size);
      return FALSE;
    }
  if (file_size > header->file_size)
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
                   _ ("'%1$s' has %2$" PRIu64 " octets behind its end at %3$" PRIu64), name,
                   file_size - header->file_size, header->file_size);
      return FALSE;
    }
  return TRUE;
}

/* The layout of a streamed image, as far as its header can tell. */
gboolean
stasis_image_header_check_stream (const StasisImageHeader *header, const char *name, GError **error)
{
  if (header->file_size != 0 || header->body_length != 0 || header->tail_offset != 0
      || header->tail_length != 0)
    return throw_layout (name, _ ("a stream that knows its size"), error);
  if (header->front_length % 8 != 0
      || header->front_length > STASIS_IMAGE_END_MAX - STASIS_IMAGE_HEADER_SIZE
      || header->body_offset != stasis_image_header_front_end (header))
    return throw_layout (name, _ ("place of the body"), error);
  return TRUE;
}

/* The layout of a complete image whose file has @file_size octets.  Each comparison relies on those
 * before it: nothing here can overflow. */
gboolean
stasis_image_header_check_layout (const StasisImageHeader *header, guint64 file_size,
                                  const char *name, GError **error)
{
  if (!check_size (header, file_size, name, error))
    return FALSE;

  if (header->body_offset > STASIS_IMAGE_END_MAX || header->body_length < 1
      || header->body_length > STASIS_IMAGE_END_MAX - header->body_offset
      || header->body_offset % STASIS_IMAGE_ALIGN != 0)
    return throw_layout (name, _ ("place of the body"), error);
  if (header->front_length % 8 != 0 || header->front_length > header->body_offset
      || stasis_image_header_front_end (header) > header->body_offset)
    return throw_layout (name, _ ("place of the front records"), error);

  const guint64 tail_offset
      = stasis_round_up (stasis_image_header_body_end (header), STASIS_IMAGE_ALIGN);
  if (header->tail_offset != tail_offset || header->tail_length % 8 != 0
      || header->file_size < tail_offset || header->tail_length != header->file_size - tail_offset)
    return throw_layout (name, _ ("place of the tail records"), error);
  return TRUE;
}

/* Where a reserved field of these octets is not zero: its offset; else 0. */
gsize
stasis_image_header_find_reserved (const guint8 octets[STASIS_IMAGE_HEADER_SIZE])
{
  if (!stasis_is_zero (octets + AT_FLAGS, 8))
    return AT_FLAGS;
  if (!stasis_is_zero (octets + AT_RESERVED, 4))
    return AT_RESERVED;
  if (!stasis_is_zero (octets + AT_REST, AT_CHECKSUM - AT_REST))
    return AT_REST;

  const gsize length = strlen ((const char *) octets + AT_WRITER);
  if (!stasis_is_zero (octets + AT_WRITER + length, STASIS_IMAGE_WRITER_SIZE - length))
    return AT_WRITER + length;
  return 0;
}
