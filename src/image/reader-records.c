/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reader-records.c: which records an image has, and what is in them
 *
 * Each record, its framing already checked (record.c), is held against the table of types (where it
 * may stand, how often), and handed to the one function that knows its body.
 */

#include "config.h"

#include "image/reader-private.h"

#include <inttypes.h>

#include <glib/gi18n-lib.h>

#include "image/disks.h"
#include "image/error.h"
#include "image/facts.h"
#include "image/hash-table.h"
#include "image/origin.h"
#include "image/parent.h"

/* A body that the format does not allow, although its checksum is right. */
static gboolean
throw_cause (const StasisRecord *record, const GError *cause, GError **error)
{
  return stasis_record_throw (record, cause->message, error);
}

static gboolean
take_xml (StasisImage *image, const StasisRecord *record, GError **error)
{
  g_autoptr (GError) cause = NULL;
  if (!stasis_image_xml_check (record->body, &cause))
    return throw_cause (record, cause, error);
  image->xml = g_bytes_ref (record->body);
  return TRUE;
}

static StasisJson *
parse_json (const StasisRecord *record, GError **error)
{
  gsize size = 0;
  const char *text = g_bytes_get_data (record->body, &size);
  StasisJson *json = stasis_json_parse (text, (gssize) size, error);
  if (json == NULL || stasis_json_kind (json) == STASIS_JSON_OBJECT)
    return json;

  stasis_json_unref (json);
  g_set_error (error, STASIS_JSON_ERROR, STASIS_JSON_ERROR_TYPE, _ ("not an object"));
  return NULL;
}

static gboolean
take_facts (StasisImage *image, const StasisRecord *record, GError **error)
{
  g_autoptr (GError) cause = NULL;
  image->qemu_facts = parse_json (record, &cause);
  if (image->qemu_facts == NULL || !stasis_image_facts_check (image->qemu_facts, &cause))
    return throw_cause (record, cause, error);
  return TRUE;
}

static gboolean
take_disks (StasisImage *image, const StasisRecord *record, GError **error)
{
  g_autoptr (GError) cause = NULL;
  image->disks = parse_json (record, &cause);
  g_autoptr (GPtrArray) disks
      = image->disks == NULL ? NULL : stasis_image_disks_from_json (image->disks, &cause);
  return disks != NULL || throw_cause (record, cause, error);
}

static gboolean
take_origin (StasisImage *image, const StasisRecord *record, GError **error)
{
  g_autoptr (GError) cause = NULL;
  if (image->origin != NULL)
    return stasis_record_throw (record, _ ("is there twice"), error);
  image->origin = parse_json (record, &cause);
  if (image->origin == NULL || !stasis_image_origin_check (image->origin, &cause))
    return throw_cause (record, cause, error);
  return TRUE;
}

static gboolean
take_parent (StasisImage *image, const StasisRecord *record, GError **error)
{
  g_autoptr (GError) cause = NULL;
  if (image->parent != NULL)
    return stasis_record_throw (record, _ ("is there twice"), error);
  image->parent = parse_json (record, &cause);
  if (image->parent == NULL || !stasis_image_parent_check (image->parent, &cause))
    return throw_cause (record, cause, error);
  return TRUE;
}

static gboolean
take_ram_map (StasisImage *image, const StasisRecord *record, GError **error)
{
  image->map = stasis_image_ram_map_decode (record->body, image->header.body_offset,
                                            stasis_image_header_body_end (&image->header), error);
  return image->map != NULL;
}

static gboolean
take_packed (StasisImage *image, const StasisRecord *record, GError **error)
{
  if (image->packed != NULL)
    return stasis_record_throw (record, _ ("is there twice"), error);
  image->packed = g_new0 (StasisPackedRam, 1);
  image->map
      = stasis_packed_ram_decode (record->body, image->header.body_length, image->packed, error);
  return image->map != NULL;
}

static gboolean
take_hashes (StasisImage *image, const StasisRecord *record, GError **error)
{
  const StasisBody body
      = { image->header.body_offset, stasis_image_header_body_end (&image->header) };
  if (!stasis_hash_table_check (record->body, &body, error))
    return FALSE;
  image->hashes = g_bytes_ref (record->body);
  return TRUE;
}

/* END is checked where the digest is; STATIC_END says nothing but that it is there. */
static gboolean
take_nothing (StasisImage *image, const StasisRecord *record, GError **error)
{
  return TRUE;
}

static gboolean (*const takers[STASIS_RECORD_N_KNOWN]) (StasisImage *image,
                                                        const StasisRecord *record, GError **error)
    = {
        [STASIS_RECORD_END] = take_nothing,         [STASIS_RECORD_DOMAIN_XML] = take_xml,
        [STASIS_RECORD_QEMU_FACTS] = take_facts,    [STASIS_RECORD_STATIC_END] = take_nothing,
        [STASIS_RECORD_RAM_MAP] = take_ram_map,     [STASIS_RECORD_DISKS] = take_disks,
        [STASIS_RECORD_CHUNK_HASHES] = take_hashes,
      };

static gboolean
accept_unknown (StasisImage *image, const StasisRecord *record, GError **error)
{
  if ((record->type & STASIS_RECORD_OPTIONAL) != 0)
    {
      g_debug ("optional record of unknown type %#x at offset %" PRIu64 " skipped", record->type,
               record->offset);
      image->n_unknown++;
      return TRUE;
    }
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_UNSUPPORTED,
               _ ("this program does not know record '%1$s' (%2$#x), which is needed to restore"),
               stasis_record_type_to_string (record->type), record->type);
  return FALSE;
}

/* TRUE where an image with such a body has records of that type. */
static gboolean
is_wanted (const StasisImage *image, guint32 type)
{
  switch (type)
    {
    case STASIS_RECORD_PARENT:
      return image->header.body_kind == STASIS_IMAGE_BODY_MAPPED_RAM
             || image->header.body_kind == STASIS_IMAGE_BODY_PACKED_RAM;
    case STASIS_RECORD_RAM_MAP:
      return image->header.body_kind == STASIS_IMAGE_BODY_MAPPED_RAM;
    case STASIS_RECORD_PACKED_RAM:
      return image->header.body_kind == STASIS_IMAGE_BODY_PACKED_RAM;
    case STASIS_RECORD_CHUNK_HASHES:
      return image->header.body_kind != STASIS_IMAGE_BODY_CHUNKS;
    default:
      return TRUE;
    }
}

static guint
get_places (const StasisImage *image, guint32 type)
{
  /* Who reads from a pipe must see whose image it is before the body comes. */
  if (type == STASIS_RECORD_DOMAIN_XML && image->header.is_stream)
    return STASIS_RECORD_IN_FRONT;
  return stasis_record_type_places (type);
}

/* The next record: that it may stand in @place, and what is in it. */
static gboolean
accept_record (StasisImage *image, StasisRecordPlace place, const StasisRecord *record,
               GError **error)
{
  if (!stasis_record_type_is_known (record->type))
    return accept_unknown (image, record, error);
  if ((get_places (image, record->type) & place) == 0)
    return stasis_record_throw (record, _ ("must not stand here"), error);
  if (!is_wanted (image, record->type))
    return stasis_record_throw (record, _ ("the body has none"), error);
  if (record->type == STASIS_RECORD_ORIGIN)
    return take_origin (image, record, error);
  if (record->type == STASIS_RECORD_PARENT)
    return take_parent (image, record, error);
  if (record->type == STASIS_RECORD_PACKED_RAM)
    return take_packed (image, record, error);
  if ((image->seen & 1u << record->type) != 0)
    return stasis_record_throw (record, _ ("is there twice"), error);

  image->seen |= 1u << record->type;
  return takers[record->type](image, record, error);
}

/* Take in the next record of front or tail. */
gboolean
stasis_image_add_record (StasisImage *image, StasisRecordPlace place, StasisRecord *record_take,
                         StasisRecordDigest *digest, GError **error)
{
  g_autoptr (StasisRecord) record = record_take;
  if (!accept_record (image, place, record, error)
      || (record->type == STASIS_RECORD_END
          && !stasis_record_end_check (record, image->header.uuid, digest, error)))
    return FALSE;

  stasis_record_digest_add (digest, &record->checksum);
  g_clear_pointer (&record->body, g_bytes_unref);
  g_ptr_array_add (image->records, g_steal_pointer (&record));
  return TRUE;
}

static gboolean
throw_missing (guint32 type, GError **error)
{
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
               _ ("record '%1$s' is missing"), stasis_record_type_to_string (type));
  return FALSE;
}

/* TRUE where no record is missing. */
gboolean
stasis_image_check_all_there (const StasisImage *image, GError **error)
{
  const gboolean is_packed = image->header.body_kind == STASIS_IMAGE_BODY_PACKED_RAM;
  for (guint32 type = 0; type < STASIS_RECORD_N_KNOWN; type++)
    if ((image->seen & 1u << type) == 0 && is_wanted (image, type))
      return throw_missing (type, error);
  if (is_packed && image->packed == NULL)
    return throw_missing (STASIS_RECORD_PACKED_RAM, error);
  return !is_packed || image->parent != NULL || throw_missing (STASIS_RECORD_PARENT, error);
}
