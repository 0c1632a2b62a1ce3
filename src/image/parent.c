/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * parent.c: the PARENT record: which image the pages are in that an incremental one has not
 *
 * A parent is known by its UUID and by the checksum of its hash table, which covers all of its
 * memory and bitmaps: its definition may be edited, its memory may not be another.
 */

#include "config.h"

#include "image/parent.h"

#include <glib/gi18n-lib.h>

#include "image/error.h"
#include "image/reader-private.h"
#include "util/uuid.h"

static char *
format_hash (const StasisHash *hash)
{
  GString *text = g_string_new (NULL);
  for (guint i = 0; i < STASIS_HASH_SIZE; i++)
    g_string_append_printf (text, "%02x", hash->octets[i]);
  return g_string_free (text, FALSE);
}

/* (transfer full) (nullable) */
static char *
hashes_of (const StasisImage *image)
{
  for (guint i = 0; i < image->records->len; i++)
    {
      const StasisRecord *record = g_ptr_array_index (image->records, i);
      if (record->type == STASIS_RECORD_CHUNK_HASHES)
        return format_hash (&record->checksum);
    }
  return NULL;
}

/* For an image on top of this one. */
StasisJson *
stasis_image_parent_new (const StasisImage *parent, const char *path, GError **error)
{
  if (parent->map == NULL)
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_UNSUPPORTED,
                   _ ("'%s' cannot be the base of an incremental image: its memory does not lie in "
                      "place"),
                   parent->name);
      return NULL;
    }
  g_autofree char *uuid = stasis_uuid_format (parent->header.uuid);
  g_autofree char *hashes = hashes_of (parent);
  StasisJson *json = stasis_json_new_object ();
  stasis_json_set_string (json, STASIS_IMAGE_PARENT_IMAGE, uuid);
  stasis_json_set_string (json, STASIS_IMAGE_PARENT_HASHES, hashes);
  stasis_json_set_string (json, STASIS_IMAGE_PARENT_FILE, path);
  return json;
}

/* TRUE where the members are there. */
gboolean
stasis_image_parent_check (const StasisJson *parent, GError **error)
{
  static const char *const strings[]
      = { STASIS_IMAGE_PARENT_IMAGE, STASIS_IMAGE_PARENT_HASHES, STASIS_IMAGE_PARENT_FILE };
  for (gsize i = 0; i < G_N_ELEMENTS (strings); i++)
    {
      if (stasis_json_string (stasis_json_get (parent, strings[i]), NULL) != NULL)
        continue;
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID,
                   _ ("parent: member '%1$s' is missing or of another type"), strings[i]);
      return FALSE;
    }
  return TRUE;
}

/* TRUE where it is that very one. */
gboolean
stasis_image_parent_match (const StasisJson *parent, const StasisImage *image, GError **error)
{
  g_autofree char *uuid = stasis_uuid_format (image->header.uuid);
  g_autofree char *hashes = hashes_of (image);
  const char *wanted = stasis_json_string (stasis_json_get (parent, STASIS_IMAGE_PARENT_IMAGE), "");
  const char *known = stasis_json_string (stasis_json_get (parent, STASIS_IMAGE_PARENT_HASHES), "");
  if (g_str_equal (uuid, wanted) && g_strcmp0 (hashes, known) == 0)
    return TRUE;
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID,
               g_str_equal (uuid, wanted)
                   ? _ ("'%1$s' has other memory than when it became the base (image %2$s)")
                   : _ ("'%1$s' is another image than the base, which is image %2$s"),
               image->name, wanted);
  return FALSE;
}
