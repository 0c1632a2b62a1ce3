/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt-header.c: what stands before the body of libvirt's save images
 *
 * Theory of operation
 *
 * docs/image-formats.md, "libvirt's image", has the layout.  Integers are in the byte order of the
 * host that wrote the image; the version says which that was, as no version above 2 exists. libvirt
 * itself trusts the two lengths; here they are held against limits, and against each other, before
 * anything is allocated or read.
 *
 * There is no checksum.  What libvirt always writes in one way (unused fields and the slack as
 * zero, the cookie right behind the XML) is noted where it is otherwise, but not refused: a later
 * libvirt may have found a use for it.
 */

#include "config.h"

#include "image/libvirt-header.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "image/error.h"
#include "image/types.h"

enum
{
  AT_VERSION = 16,
  AT_DATA_LENGTH = 20,
  AT_WAS_RUNNING = 24,
  AT_FORMAT = 28,
  AT_COOKIE_OFFSET = 32,
  AT_UNUSED = 36,
};

#define VERSION 2u

static const char magic_complete[] = "LibvirtQemudSave";
static const char magic_partial[] = "LibvirtQemudPart";

static const char *const format_names[STASIS_LIBVIRT_FORMATS]
    = { "raw", "gzip", "bzip2", "xz", "lzop", "zstd", "sparse" };

/* libvirt's names. */
const char *
stasis_libvirt_format_to_string (StasisLibvirtFormat format)
{
  return format_names[format];
}

static gboolean
throw_image (GError **error, StasisImageError code, const char *name, const char *what)
{
  g_set_error (error, STASIS_IMAGE_ERROR, code, _ ("libvirt's save image '%1$s': %2$s"), name,
               what);
  return FALSE;
}

static gboolean
throw_corrupt (GError **error, const char *name, guint32 at, const char *what)
{
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
               _ ("libvirt's save image '%1$s', at offset %2$u: %3$s"), name, at, what);
  return FALSE;
}

static guint32
get_u32 (const guint8 *octets, gsize at, gboolean is_swapped)
{
  guint32 value;
  memcpy (&value, octets + at, sizeof value);
  return is_swapped ? GUINT32_SWAP_LE_BE (value) : value;
}

static void
put_u32 (guint8 *octets, gsize at, guint32 value)
{
  memcpy (octets + at, &value, sizeof value);
}

static void
note_strange (StasisLibvirtHeader *header, gsize at)
{
  if (header->strange_at == 0)
    header->strange_at = (guint32) at;
}

/* Note the first octet of [@start, @end) that is not zero, counted from @base. */
static void
note_nonzero (StasisLibvirtHeader *header, const guint8 *octets, gsize start, gsize end, gsize base)
{
  for (gsize i = start; i < end; i++)
    if (octets[i] != 0)
      return note_strange (header, base + i);
}

/* TRUE where the octets begin with the magic, finished or not. */
gboolean
stasis_libvirt_header_has_magic (const guint8 *octets, gsize size)
{
  return size >= STASIS_LIBVIRT_MAGIC_SIZE
         && (memcmp (octets, magic_complete, STASIS_LIBVIRT_MAGIC_SIZE) == 0
             || memcmp (octets, magic_partial, STASIS_LIBVIRT_MAGIC_SIZE) == 0);
}

static gboolean
check_magic (const guint8 *octets, gsize size, const char *name, GError **error)
{
  if (!stasis_libvirt_header_has_magic (octets, size))
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_NOT_AN_IMAGE,
                   _ ("'%1$s' is not a save image of libvirt"), name);
      return FALSE;
    }
  if (memcmp (octets, magic_partial, STASIS_LIBVIRT_MAGIC_SIZE) == 0)
    return throw_image (error, STASIS_IMAGE_ERROR_INCOMPLETE, name,
                        _ ("the save that wrote it did not finish"));
  if (size < STASIS_LIBVIRT_HEADER_SIZE)
    return throw_corrupt (error, name, (guint32) size, _ ("its header is cut"));
  return TRUE;
}

/* The version tells the byte order. */
static gboolean
decode_version (const guint8 *octets, const char *name, StasisLibvirtHeader *header, GError **error)
{
  header->version = get_u32 (octets, AT_VERSION, FALSE);
  header->is_swapped = header->version > VERSION;
  if (header->is_swapped)
    header->version = GUINT32_SWAP_LE_BE (header->version);
  if (header->version >= 1 && header->version <= VERSION)
    return TRUE;

  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_UNSUPPORTED,
               _ ("libvirt's save image '%1$s' has version %2$u; known are 1 and 2"), name,
               get_u32 (octets, AT_VERSION, FALSE));
  return FALSE;
}

static gboolean
decode_format (const guint8 *octets, const char *name, StasisLibvirtHeader *header, GError **error)
{
  const guint32 format = get_u32 (octets, AT_FORMAT, header->is_swapped);
  /* As libvirt does it: only version 2 knows of formats. */
  header->format = header->version == VERSION ? format : STASIS_LIBVIRT_FORMAT_RAW;
  if (header->version != VERSION || format < STASIS_LIBVIRT_FORMATS)
    return TRUE;

  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_UNSUPPORTED,
               _ ("libvirt's save image '%1$s' has the unknown format %2$u"), name, format);
  return FALSE;
}

/* Magic, version, format and numbers. */
gboolean
stasis_libvirt_header_decode (const guint8 *octets, gsize size, const char *name,
                              StasisLibvirtHeader *out_header, GError **error)
{
  StasisLibvirtHeader header = { 0 };
  if (!check_magic (octets, size, name, error) || !decode_version (octets, name, &header, error)
      || !decode_format (octets, name, &header, error))
    return FALSE;

  header.data_length = get_u32 (octets, AT_DATA_LENGTH, header.is_swapped);
  header.cookie_offset = get_u32 (octets, AT_COOKIE_OFFSET, header.is_swapped);
  const guint32 was_running = get_u32 (octets, AT_WAS_RUNNING, header.is_swapped);
  header.was_running = was_running != 0;
  if (header.data_length < 2 || header.data_length > STASIS_LIBVIRT_DATA_MAX)
    return throw_corrupt (error, name, AT_DATA_LENGTH, _ ("the length of its data makes no sense"));
  if (header.cookie_offset != 0
      && (header.cookie_offset < 2 || header.cookie_offset > header.data_length - 2))
    return throw_corrupt (error, name, AT_COOKIE_OFFSET, _ ("its cookie is outside its data"));

  if (was_running > 1)
    note_strange (&header, AT_WAS_RUNNING);
  note_nonzero (&header, octets, AT_UNUSED, STASIS_LIBVIRT_HEADER_SIZE, 0);
  *out_header = header;
  return TRUE;
}

/* Only the magic. */
void
stasis_libvirt_header_put_magic (gboolean is_complete, guint8 octets[STASIS_LIBVIRT_MAGIC_SIZE])
{
  memcpy (octets, is_complete ? magic_complete : magic_partial, STASIS_LIBVIRT_MAGIC_SIZE);
}

/* In this host's byte order. */
void
stasis_libvirt_header_encode (const StasisLibvirtHeader *header, gboolean is_complete,
                              guint8 octets[STASIS_LIBVIRT_HEADER_SIZE])
{
  memset (octets, 0, STASIS_LIBVIRT_HEADER_SIZE);
  stasis_libvirt_header_put_magic (is_complete, octets);
  put_u32 (octets, AT_VERSION, VERSION);
  put_u32 (octets, AT_DATA_LENGTH, header->data_length);
  put_u32 (octets, AT_WAS_RUNNING, header->was_running ? 1 : 0);
  put_u32 (octets, AT_FORMAT, header->format);
  put_u32 (octets, AT_COOKIE_OFFSET, header->cookie_offset);
}

/* The text of [@start, ...) up to its NUL, which must stand before @end; *@out_end is behind it. */
static GBytes *
take_text (const StasisLibvirtHeader *header, const guint8 *data, gsize start, gsize end,
           const char *name, const char *what, gsize *out_end, GError **error)
{
  const char *text = (const char *) data + start;
  const char *nul = memchr (text, '\0', end - start);
  if (nul == NULL || nul == text || !g_utf8_validate (text, nul - text, NULL))
    {
      g_autofree char *why = nul == NULL
                                 ? g_strdup_printf (_ ("its %1$s does not end"), what)
                                 : g_strdup_printf (_ ("its %1$s is empty or not in UTF-8"), what);
      throw_corrupt (error, name, (guint32) (STASIS_LIBVIRT_HEADER_SIZE + start), why);
      return NULL;
    }
  *out_end = start + (gsize) (nul - text) + 1;
  return g_bytes_new (text, (gsize) (nul - text));
}

/* XML and cookie out of the data behind a header. */
gboolean
stasis_libvirt_data_decode (StasisLibvirtHeader *header, const guint8 *data, const char *name,
                            GBytes **out_xml, GBytes **out_cookie, GError **error)
{
  const gsize base = STASIS_LIBVIRT_HEADER_SIZE;
  const gsize xml_limit = header->cookie_offset != 0 ? header->cookie_offset : header->data_length;
  gsize end = 0;
  g_autoptr (GBytes) xml = take_text (header, data, 0, xml_limit, name, "XML", &end, error);
  if (xml == NULL)
    return FALSE;

  g_autoptr (GBytes) cookie = NULL;
  if (header->cookie_offset != 0)
    {
      if (end != header->cookie_offset)
        note_strange (header, base + end);
      cookie = take_text (header, data, header->cookie_offset, header->data_length, name, "cookie",
                          &end, error);
      if (cookie == NULL)
        return FALSE;
    }
  note_nonzero (header, data, end, header->data_length, base);

  *out_xml = g_steal_pointer (&xml);
  *out_cookie = g_steal_pointer (&cookie);
  return TRUE;
}

static gboolean
check_length (gsize length, gsize limit, const char *what, GError **error)
{
  if (length <= limit)
    return TRUE;
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_TOO_LARGE,
               _ ("the %1$s is too long for a save image: %2$zu octets, at most %3$zu"), what,
               length, limit);
  return FALSE;
}

/* Set cookie offset and length. */
gboolean
stasis_libvirt_data_measure (GBytes *xml, GBytes *cookie, StasisLibvirtHeader *header,
                             GError **error)
{
  const gsize xml_size = g_bytes_get_size (xml);
  const gsize cookie_size = cookie == NULL ? 0 : g_bytes_get_size (cookie);
  if (!stasis_image_xml_check (xml, error)
      || !check_length (xml_size, STASIS_LIBVIRT_XML_MAX, "XML", error)
      || !check_length (cookie_size, STASIS_LIBVIRT_COOKIE_MAX, "cookie", error))
    return FALSE;
  if (cookie != NULL && !stasis_image_xml_check (cookie, error))
    return FALSE;

  const gsize needed = xml_size + 1 + (cookie == NULL ? 0 : cookie_size + 1);
  header->cookie_offset = cookie == NULL ? 0 : (guint32) (xml_size + 1);
  if (header->data_length < needed)
    header->data_length = (guint32) (needed + STASIS_LIBVIRT_SLACK);
  return TRUE;
}

/* The data, whose header was measured. */
GBytes *
stasis_libvirt_data_encode (const StasisLibvirtHeader *header, GBytes *xml, GBytes *cookie)
{
  guint8 *data = g_malloc0 (header->data_length);
  memcpy (data, g_bytes_get_data (xml, NULL), g_bytes_get_size (xml));
  if (cookie != NULL)
    memcpy (data + header->cookie_offset, g_bytes_get_data (cookie, NULL),
            g_bytes_get_size (cookie));
  return g_bytes_new_take (data, header->data_length);
}
