/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * types.c: numbers and names that all of src/image shares
 */

#include "config.h"

#include "image/types.h"

#include <string.h>
#include <sys/random.h>

#include <glib/gi18n-lib.h>

#include "image/error.h"

/* The name of a body kind, for messages and `stasis image info`. */
const char *
stasis_image_body_kind_to_string (guint32 kind)
{
  switch (kind)
    {
    case STASIS_IMAGE_BODY_MAPPED_RAM:
      return "mapped-ram";
    case STASIS_IMAGE_BODY_STREAM:
      return "stream";
    case STASIS_IMAGE_BODY_PACKED_RAM:
      return "packed-ram";
    case STASIS_IMAGE_BODY_CHUNKS:
      return "chunks";
    default:
      return "unknown";
    }
}

/* A random UUID (version 4). */
void
stasis_image_uuid_generate (guint8 uuid[STASIS_IMAGE_UUID_SIZE])
{
  /* So few octets never come short, and never block once the machine is up. */
  const gssize n = getrandom (uuid, STASIS_IMAGE_UUID_SIZE, 0);
  g_assert (n == STASIS_IMAGE_UUID_SIZE);
  uuid[6] = (guint8) ((uuid[6] & 0x0f) | 0x40);
  uuid[8] = (guint8) ((uuid[8] & 0x3f) | 0x80);
}

/* TRUE where the octets can be a DOMAIN_XML record. */
gboolean
stasis_image_xml_check (GBytes *xml, GError **error)
{
  gsize size = 0;
  const char *text = g_bytes_get_data (xml, &size);
  if (size > 0 && g_utf8_validate (text, (gssize) size, NULL))
    return TRUE;

  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID,
               _ ("the domain XML is empty or not in UTF-8"));
  return FALSE;
}
