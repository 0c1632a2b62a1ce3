/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reader.c: opening a save image
 *
 * Theory of operation
 *
 * Opening reads all but the body: the header, then the front and the tail as sequences of records.
 * Each record is checked by its framing (record.c), held against the table of types (where it may
 * stand, how often), and handed to the one function that knows its body.  END seals the whole.  See
 * docs/save-image.md, "What a reader checks".
 *
 * An image may come from anywhere; nothing in it is trusted.
 */

#include "config.h"

#include "image/reader.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "image/error.h"
#include "image/facts.h"
#include "image/disks.h"
#include "image/hash-table.h"
#include "image/reader-private.h"
#include "util/fd.h"

static gboolean
throw_corrupt (const StasisRecord *record, const char *what, GError **error)
{
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
               _ ("record '%1$s' at offset %2$" PRIu64 ": %3$s"),
               stasis_record_type_to_string (record->type), record->offset, what);
  return FALSE;
}

/* A body that the format does not allow, although its checksum is right. */
static gboolean
throw_cause (const StasisRecord *record, const GError *cause, GError **error)
{
  return throw_corrupt (record, cause->message, error);
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
take_ram_map (StasisImage *image, const StasisRecord *record, GError **error)
{
  if (image->header.body_kind != STASIS_IMAGE_BODY_MAPPED_RAM)
    return throw_corrupt (record, _ ("the body has none"), error);
  image->map = stasis_image_ram_map_decode (record->body, image->header.body_offset,
                                            stasis_image_header_body_end (&image->header), error);
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

static gboolean
accept_record (StasisImage *image, StasisRecordPlace place, const StasisRecord *record,
               GError **error)
{
  if (!stasis_record_type_is_known (record->type))
    return accept_unknown (image, record, error);
  if ((stasis_record_type_places (record->type) & place) == 0)
    return throw_corrupt (record, _ ("must not stand here"), error);
  if ((image->seen & 1u << record->type) != 0)
    return throw_corrupt (record, _ ("is there twice"), error);

  image->seen |= 1u << record->type;
  return takers[record->type](image, record, error);
}

/* Keep what is known of a record, but not its body. */
static void
keep_record (StasisImage *image, StasisRecord *record_take)
{
  g_clear_pointer (&record_take->body, g_bytes_unref);
  g_ptr_array_add (image->records, record_take);
}

/* The records in [@offset, @end), of which the last must be the one of type @last. */
static gboolean
read_records (StasisImage *image, StasisRecordPlace place, guint64 offset, guint64 end,
              guint32 last, StasisRecordDigest *digest, GError **error)
{
  for (guint n = 1;; n++)
    {
      g_autoptr (StasisRecord) record = stasis_record_read (image->fd, &offset, end, error);
      if (record == NULL || !accept_record (image, place, record, error))
        return FALSE;
      if (n > STASIS_RECORDS_MAX || (record->type == last && offset != end))
        return throw_corrupt (record, _ ("there are more records than there may be"), error);
      if (record->type == STASIS_RECORD_END
          && !stasis_record_end_check (record, image->header.uuid, digest, error))
        return FALSE;

      const gboolean is_last = record->type == last;
      stasis_record_digest_add (digest, &record->checksum);
      keep_record (image, g_steal_pointer (&record));
      if (is_last)
        return TRUE;
    }
}

static gboolean
check_all_there (const StasisImage *image, GError **error)
{
  for (guint32 type = 0; type < STASIS_RECORD_N_KNOWN; type++)
    {
      if ((image->seen & 1u << type) != 0
          || (type == STASIS_RECORD_RAM_MAP && image->header.body_kind == STASIS_IMAGE_BODY_STREAM))
        continue;
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
                   _ ("record '%1$s' is missing"), stasis_record_type_to_string (type));
      return FALSE;
    }
  return TRUE;
}

static gboolean
load_records (StasisImage *image, GError **error)
{
  const StasisImageHeader *header = &image->header;
  g_auto (StasisRecordDigest) digest = { NULL, 0 };
  stasis_record_digest_init (&digest);
  if (read_records (image, STASIS_RECORD_IN_FRONT, STASIS_IMAGE_HEADER_SIZE,
                    stasis_image_header_front_end (header), STASIS_RECORD_STATIC_END, &digest,
                    error)
      && read_records (image, STASIS_RECORD_IN_TAIL, header->tail_offset, header->file_size,
                       STASIS_RECORD_END, &digest, error)
      && check_all_there (image, error))
    return TRUE;

  g_prefix_error (error, "'%s': ", image->name);
  return FALSE;
}

/* Up to 4096 octets from the beginning; fewer where the file is shorter. */
static gboolean
read_beginning (int fd, guint64 file_size, guint8 *octets, gsize *out_size, GError **error)
{
  *out_size = MIN (file_size, STASIS_IMAGE_HEADER_SIZE);
  return stasis_fd_pread_exact (fd, octets, *out_size, 0, error);
}

static gboolean
load_header (StasisImage *image, GError **error)
{
  struct stat st;
  if (fstat (image->fd, &st) < 0)
    return stasis_throw_errno (error, _ ("cannot look at '%s'"), image->name);
  if (!S_ISREG (st.st_mode))
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_NOT_AN_IMAGE,
                   _ ("'%1$s' is not a regular file"), image->name);
      return FALSE;
    }

  guint8 octets[STASIS_IMAGE_HEADER_SIZE];
  gsize size;
  if (!read_beginning (image->fd, (guint64) st.st_size, octets, &size, error))
    {
      g_prefix_error (error, "'%s': ", image->name);
      return FALSE;
    }
  if (!stasis_image_header_decode (octets, size, image->name, &image->header, error))
    return FALSE;
  if (!image->header.complete)
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INCOMPLETE,
                   _ ("'%1$s' is incomplete: the save that wrote it did not finish"), image->name);
      return FALSE;
    }
  if (image->header.body_kind != STASIS_IMAGE_BODY_MAPPED_RAM
      && image->header.body_kind != STASIS_IMAGE_BODY_STREAM)
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_UNSUPPORTED,
                   _ ("'%1$s' has a body of unknown kind %2$u"), image->name,
                   image->header.body_kind);
      return FALSE;
    }
  return stasis_image_header_check_layout (&image->header, (guint64) st.st_size, image->name,
                                           error);
}

static void
free_record (gpointer record)
{
  stasis_record_free (record);
}

/* Read and check everything but the body. */
StasisImage *
stasis_image_open_fd (int fd_take, const char *name, GError **error)
{
  g_autoptr (StasisImage) image = g_new0 (StasisImage, 1);
  image->fd = fd_take;
  image->name = g_strdup (name);
  image->records = g_ptr_array_new_with_free_func (free_record);
  if (!load_header (image, error) || !load_records (image, error))
    return NULL;
  return g_steal_pointer (&image);
}

/* The same for a file by its path. */
StasisImage *
stasis_image_open (const char *path, GError **error)
{
  /* O_NONBLOCK: a FIFO by that name must not hold us up before it can be refused. */
  const int fd = stasis_fd_open (path, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0, error);
  return fd < 0 ? NULL : stasis_image_open_fd (fd, path, error);
}

/* TRUE where the file begins with a header of ours, whatever else is wrong with it. */
gboolean
stasis_image_is_image_fd (int fd)
{
  guint8 octets[8];
  return pread (fd, octets, sizeof octets, 0) == sizeof octets
         && stasis_image_header_has_magic (octets, sizeof octets);
}

/* NULL is fine. */
void
stasis_image_free (StasisImage *image)
{
  if (image == NULL)
    return;

  stasis_fd_clear (&image->fd);
  g_free (image->name);
  g_ptr_array_unref (image->records);
  g_clear_pointer (&image->xml, g_bytes_unref);
  stasis_json_unref (image->qemu_facts);
  stasis_json_unref (image->disks);
  stasis_image_ram_map_free (image->map);
  g_clear_pointer (&image->hashes, g_bytes_unref);
  g_free (image);
}
