/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu-devices.c: the sections of the devices in QEMU's stream
 *
 * Theory of operation
 *
 * A device's section is a head (04, id, name, instance, version), the device's fields, and a footer
 * (7e, id).  Its length is nowhere.  But behind the last one QEMU writes a description of all of
 * them, in their order, as JSON: the octet 00 (end), 06, a length, the text.  It is found from the
 * end.  It has the size of every field and names the subsections that were sent, so the size of a
 * section is a sum (scripts/analyze-migration.py in QEMU's tree reads it the same way).  Where the
 * sum leads nowhere, a footer is looked for that is followed by the next section's head, exactly.
 */

#include "config.h"

#include "image/qemu-devices.h"

#include <inttypes.h>
#include <string.h>

#include <glib/gi18n-lib.h>

#include "image/error.h"
#include "image/octets.h"
#include "image/qemu-wire.h"
#include "util/json.h"

#define FOOTER_SIZE      5u
#define DESCRIPTION_HEAD 6u  /* 00, 06, length */
#define FULL_HEAD        14u /* without the name */

void
stasis_qemu_device_free (StasisQemuDevice *device)
{
  if (device == NULL)
    return;

  g_free (device->name);
  g_free (device);
}

/* What is searched. */
typedef struct
{
  const guint8 *octets;
  gsize size;     /* as far as the end mark in front of the description */
  guint64 offset; /* of the first octet, for messages */
} Area;

static gboolean
throw_at (const Area *area, gsize at, const char *what, GError **error)
{
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
               _ ("QEMU's stream, at offset %1$" PRIu64 ": %2$s"), area->offset + at, what);
  return FALSE;
}

/* A device as the description has it. */
typedef struct
{
  const char *name;
  gsize name_length;
  guint32 instance;
  gboolean has_version; /* devices of the oldest kind have none there */
  guint32 version;
} Head;

static gboolean
read_number (const StasisJson *device, const char *key, guint32 *out)
{
  const gint64 value = stasis_json_int (stasis_json_get (device, key), -1);
  *out = (guint32) value;
  return value >= 0 && value <= G_MAXUINT32;
}

static gboolean
read_head (const StasisJson *device, Head *head)
{
  head->name = stasis_json_string (stasis_json_get (device, "name"), "");
  head->name_length = strlen (head->name);
  head->has_version = stasis_json_get (device, "version") != NULL;
  return head->name_length >= 1 && head->name_length <= 255
         && read_number (device, "instance_id", &head->instance)
         && (!head->has_version || read_number (device, "version", &head->version));
}

/* Whether the section of @head begins at @at; the length of its head, or 0. */
static gsize
match_head (const Area *area, gsize at, const Head *head)
{
  const gsize size = FULL_HEAD + head->name_length;
  if (at > area->size || area->size - at < size)
    return 0;
  const guint8 *octets = area->octets + at;
  const guint8 *behind = octets + 6 + head->name_length;
  return octets[0] == STASIS_QEMU_SECTION_FULL && octets[5] == head->name_length
                 && memcmp (octets + 6, head->name, head->name_length) == 0
                 && stasis_get_be32 (behind) == head->instance
                 && (!head->has_version || stasis_get_be32 (behind + 4) == head->version)
             ? size
             : 0;
}

/* Whether the footer of section @id stands at @at. */
static gboolean
match_footer (const Area *area, gsize at, guint32 id)
{
  return at <= area->size && area->size - at >= FOOTER_SIZE
         && area->octets[at] == STASIS_QEMU_FOOTER && stasis_get_be32 (area->octets + at + 1) == id;
}

/* Whether the next section (NULL: nothing) stands behind a footer at @at. */
static gboolean
match_next (const Area *area, gsize at, const Head *next)
{
  if (at > area->size || area->size - at < FOOTER_SIZE)
    return FALSE;
  return next != NULL ? match_head (area, at + FOOTER_SIZE, next) > 0
                      : at + FOOTER_SIZE == area->size;
}

/* Where the footer stands; @area->size where nowhere. */
static gsize
search_end (const Area *area, gsize at, guint32 id, const Head *next)
{
  while (at < area->size)
    {
      const guint8 *found = memchr (area->octets + at, STASIS_QEMU_FOOTER, area->size - at);
      if (found == NULL)
        break;
      at = (gsize) (found - area->octets);
      if (match_footer (area, at, id) && match_next (area, at, next))
        return at;
      at++;
    }
  return area->size;
}

/* @a + @b * @n, at most G_MAXUINT32: more than there can be. */
static guint64
add_capped (guint64 a, guint64 b, guint64 n)
{
  guint64 product, sum;
  if (!g_uint64_checked_mul (&product, b, n) || !g_uint64_checked_add (&sum, a, product))
    return G_MAXUINT32;
  return MIN (sum, G_MAXUINT32);
}

/* How many octets the description says that a device, or a subsection, takes.  The depth is
 * limited by that of JSON. */
static guint64
described_size (const StasisJson *node)
{
  const StasisJson *fields = stasis_json_get (node, "fields");
  const StasisJson *subsections = stasis_json_get (node, "subsections");
  guint64 size = 0;
  for (guint i = 0; i < stasis_json_array_length (fields); i++)
    {
      const StasisJson *field = stasis_json_array_get (fields, i);
      size = add_capped (size, stasis_json_uint (stasis_json_get (field, "size"), 0),
                         stasis_json_uint (stasis_json_get (field, "array_len"), 1));
    }
  for (guint i = 0; i < stasis_json_array_length (subsections); i++)
    {
      const StasisJson *sub = stasis_json_array_get (subsections, i);
      const char *name = stasis_json_string (stasis_json_get (sub, "vmsd_name"), "");
      size = add_capped (size, 6 + strlen (name), 1); /* 05, length, name, version */
      size = add_capped (size, described_size (sub), 1);
    }
  return size;
}

/* Where the end mark in front of the description stands; FALSE where there is none. */
static gboolean
find_description (const guint8 *octets, gsize size, gsize *out_at)
{
  if (size < DESCRIPTION_HEAD + 2)
    return FALSE;
  for (gsize at = size - DESCRIPTION_HEAD - 1; at-- > 0;)
    if (octets[at] == STASIS_QEMU_EOF && octets[at + 1] == STASIS_QEMU_DESCRIPTION
        && stasis_get_be32 (octets + at + 2) == size - at - DESCRIPTION_HEAD
        && octets[at + DESCRIPTION_HEAD] == '{')
      {
        *out_at = at;
        return TRUE;
      }
  return FALSE;
}

/* Where the footer stands of a device whose fields begin at @start; @area->size where nowhere.  If
 * either footer or next section is where the description says, both must be; the caller looks at
 * the next one. */
static gsize
find_end (const Area *area, gsize start, guint64 described, guint32 id, const Head *next)
{
  if (described <= area->size - start)
    {
      const gsize at = start + (gsize) described;
      const gboolean footer = match_footer (area, at, id);
      const gboolean follows = match_next (area, at, next);
      if (footer && next != NULL)
        return at;
      if (footer || follows)
        return footer && follows ? at : area->size;
    }
  return search_end (area, start, id, next);
}

/* The device of @head at @at; where the next one begins, or 0 with an error. */
static gsize
add_device (const Area *area, gsize at, const StasisJson *json, const Head *head, const Head *next,
            GPtrArray *devices, GError **error)
{
  const gsize head_size = match_head (area, at, head);
  if (head_size == 0)
    {
      g_autofree char *what
          = g_strdup_printf (_ ("the section of '%1$s' does not begin here"), head->name);
      throw_at (area, at, what, error);
      return 0;
    }

  const guint32 id = stasis_get_be32 (area->octets + at + 1);
  const guint64 described = described_size (json);
  const gsize start = at + head_size;
  const gsize end = find_end (area, start, described, id, next);
  if (end == area->size)
    {
      g_autofree char *what
          = g_strdup_printf (_ ("the section of '%1$s' does not end"), head->name);
      throw_at (area, start, what, error);
      return 0;
    }

  StasisQemuDevice *device = g_new0 (StasisQemuDevice, 1);
  device->name = g_strdup (head->name);
  device->instance = head->instance;
  device->version = stasis_get_be32 (area->octets + start - 4);
  device->section_id = id;
  device->offset = area->offset + at;
  device->size = end - start;
  device->exact = described == device->size;
  g_ptr_array_add (devices, device);
  return end + FOOTER_SIZE;
}

static gboolean
add_devices (const Area *area, const StasisJson *list, GPtrArray *devices, GError **error)
{
  const guint n = stasis_json_array_length (list);
  Head head = { .name = NULL }, next = { .name = NULL };
  gsize at = 0;
  if (n == 0 && area->size > 0)
    return throw_at (area, 0, _ ("devices that are not described"), error);
  for (guint i = 0; i < n; i++, head = next)
    {
      const StasisJson *json = stasis_json_array_get (list, i);
      const gboolean is_last = i + 1 == n;
      if ((i == 0 && !read_head (json, &head))
          || (!is_last && !read_head (stasis_json_array_get (list, i + 1), &next)))
        return throw_at (area, area->size, _ ("the description of a device makes no sense"), error);
      at = add_device (area, at, json, &head, is_last ? NULL : &next, devices, error);
      if (at == 0)
        return FALSE;
    }
  return TRUE;
}

/* Sections that nothing describes: at least the last one must end. */
static gboolean
check_undescribed (const Area *area, GError **error)
{
  const gboolean ends
      = area->size == 0
        || (area->octets[0] == STASIS_QEMU_SECTION_FULL && area->size >= FULL_HEAD + 1 + FOOTER_SIZE
            && area->octets[area->size - FOOTER_SIZE] == STASIS_QEMU_FOOTER);
  return ends || throw_at (area, 0, _ ("the sections of the devices make no sense"), error);
}

/* Find the devices in what follows the last part of the RAM. */
GPtrArray *
stasis_qemu_devices_find (const guint8 *octets, gsize size, guint64 offset, gboolean *out_described,
                          GError **error)
{
  Area area = { .octets = octets, .size = size, .offset = offset };
  gsize at = 0;
  if (!find_description (octets, size, &at))
    {
      throw_at (&area, size, _ ("QEMU's stream ends early, or its description is missing"), error);
      return NULL;
    }

  area.size = at;
  g_autoptr (StasisJson) json = stasis_json_parse ((const char *) octets + at + DESCRIPTION_HEAD,
                                                   (gssize) (size - at - DESCRIPTION_HEAD), NULL);
  if (json == NULL || stasis_json_kind (json) != STASIS_JSON_OBJECT)
    {
      throw_at (&area, at + DESCRIPTION_HEAD, _ ("the description of the devices is not JSON"),
                error);
      return NULL;
    }

  g_autoptr (GPtrArray) devices
      = g_ptr_array_new_with_free_func ((GDestroyNotify) stasis_qemu_device_free);
  const StasisJson *list = stasis_json_get (json, "devices");
  *out_described = list != NULL && stasis_json_kind (list) == STASIS_JSON_ARRAY;
  const gboolean ok = *out_described ? add_devices (&area, list, devices, error)
                                     : check_undescribed (&area, error);
  return ok ? g_steal_pointer (&devices) : NULL;
}
