/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * front.c: what stands before the body: header and front records
 */

#include "config.h"

#include "image/front.h"

#include "image/facts.h"
#include "image/origin.h"
#include "image/parent.h"

/* Fill what is known of a header. */
void
stasis_image_front_fill_header (StasisImageHeader *header, const StasisImageFacts *facts,
                                StasisImageBodyKind kind)
{
  if (facts->image_uuid != NULL)
    memcpy (header->uuid, facts->image_uuid, sizeof header->uuid);
  else
    stasis_image_uuid_generate (header->uuid);
  memcpy (header->domain_uuid, facts->domain_uuid, sizeof header->domain_uuid);
  header->created_ns
      = (guint64) (facts->created_ns > 0 ? facts->created_ns : g_get_real_time () * 1000);
  header->body_kind = kind;
  g_strlcpy (header->writer, STASIS_IMAGE_WRITER_NAME, sizeof header->writer);
}

static GBytes *
json_body (const StasisJson *json)
{
  char *text = stasis_json_to_string (json);
  return g_bytes_new_take (text, strlen (text));
}

static gboolean
append_origin (const StasisJson *origin, GByteArray *out, StasisRecordDigest *digest,
               GError **error)
{
  if (origin == NULL)
    return TRUE;
  g_autoptr (GBytes) body = json_body (origin);
  return stasis_image_origin_check (origin, error)
         && stasis_record_append (out, STASIS_RECORD_ORIGIN, body, digest, error);
}

static gboolean
append_parent (const StasisJson *parent, GByteArray *out, StasisRecordDigest *digest,
               GError **error)
{
  if (parent == NULL)
    return TRUE;
  g_autoptr (GBytes) body = json_body (parent);
  return stasis_image_parent_check (parent, error)
         && stasis_record_append (out, STASIS_RECORD_PARENT, body, digest, error);
}

/* The front records. */
gboolean
stasis_image_front_encode (const StasisImageFacts *facts, GByteArray *out,
                           StasisRecordDigest *digest, GError **error)
{
  if (!stasis_image_xml_check (facts->xml, error)
      || !stasis_image_facts_check (facts->qemu_facts, error))
    return FALSE;

  g_autoptr (GBytes) qemu_facts = json_body (facts->qemu_facts);
  g_autoptr (GBytes) empty = g_bytes_new (NULL, 0);
  return stasis_record_append (out, STASIS_RECORD_DOMAIN_XML, facts->xml, digest, error)
         && stasis_record_append (out, STASIS_RECORD_QEMU_FACTS, qemu_facts, digest, error)
         && append_origin (facts->origin, out, digest, error)
         && append_parent (facts->parent, out, digest, error)
         && stasis_record_append (out, STASIS_RECORD_STATIC_END, empty, digest, error);
}

/* The body of a DISKS record. */
GBytes *
stasis_image_disks_body (const StasisJson *disks)
{
  if (disks != NULL)
    return json_body (disks);

  g_autoptr (StasisJson) none = stasis_json_new_object ();
  stasis_json_set (none, "disks", stasis_json_new_array ());
  return json_body (none);
}
