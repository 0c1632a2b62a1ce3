/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt-header-test.c: tests of src/image/libvirt-header.c
 */

#include "config.h"

#include "image/libvirt-header.h"

#include <string.h>

#include "image/error.h"
#include "libvirt-sample.h"
#include "streams.h"

#define AUTO_LENGTH (sizeof LIBVIRT_XML + sizeof LIBVIRT_COOKIE)

typedef struct
{
  const char *name;
  LibvirtSample sample;
  gsize size; /* octets of it that can be read; 0: all */
  int code;   /* a StasisImageError; -1: fine */
  const char *message;
} Case;

static const Case cases[] = {
  { "good", { .slack = 8 }, 0, -1, NULL },
  { "swapped", { .slack = 8, .is_swapped = TRUE }, 0, -1, NULL },
  { "no-cookie", { .cookie_offset = -1, .slack = 8 }, 0, -1, NULL },
  { "no-slack", { .was_running = 1 }, 0, -1, NULL },
  { "version-1", { .version = 1, .format = 3 }, 0, -1, NULL },
  { "version-1-swapped", { .version = 1, .is_swapped = TRUE }, 0, -1, NULL },
  { "sparse", { .format = 6, .was_running = 1 }, 0, -1, NULL },
  { "part", { .magic = "LibvirtQemudPart" }, 0, STASIS_IMAGE_ERROR_INCOMPLETE, "did not finish" },
  { "part-cut", { .magic = "LibvirtQemudPart" }, 40, STASIS_IMAGE_ERROR_INCOMPLETE, "finish" },
  { "magic", { .magic = "LibvirtQemudSavE" }, 0, STASIS_IMAGE_ERROR_NOT_AN_IMAGE, "not a save" },
  { "magic-cut", { .slack = 8 }, 15, STASIS_IMAGE_ERROR_NOT_AN_IMAGE, "not a save image" },
  { "cut-16", { .slack = 8 }, 16, STASIS_IMAGE_ERROR_CORRUPT, "at offset 16: its header is cut" },
  { "cut-91", { .slack = 8 }, 91, STASIS_IMAGE_ERROR_CORRUPT, "at offset 91: its header is cut" },
  { "version-3", { .version = 3 }, 0, STASIS_IMAGE_ERROR_UNSUPPORTED, "version 3" },
  { "version-3-swapped",
    { .version = 3, .is_swapped = TRUE },
    0,
    STASIS_IMAGE_ERROR_UNSUPPORTED,
    "has version" },
  { "version-twice", { .version = 0x02000002 }, 0, STASIS_IMAGE_ERROR_UNSUPPORTED, "has version" },
  { "version-max", { .version = G_MAXUINT32 }, 0, STASIS_IMAGE_ERROR_UNSUPPORTED, "has version" },
  { "format-7", { .format = 7 }, 0, STASIS_IMAGE_ERROR_UNSUPPORTED, "unknown format 7" },
  { "format-7-swapped",
    { .format = 7, .is_swapped = TRUE },
    0,
    STASIS_IMAGE_ERROR_UNSUPPORTED,
    "unknown format 7" },
  { "format-max", { .format = G_MAXUINT32 }, 0, STASIS_IMAGE_ERROR_UNSUPPORTED, "format 4294967" },
  { "length-1", { .data_length = 1 }, 0, STASIS_IMAGE_ERROR_CORRUPT, "at offset 20" },
  { "length-limit",
    { .data_length = STASIS_LIBVIRT_DATA_MAX + 1 },
    0,
    STASIS_IMAGE_ERROR_CORRUPT,
    "at offset 20" },
  { "length-max", { .data_length = G_MAXUINT32 }, 0, STASIS_IMAGE_ERROR_CORRUPT, "at offset 20" },
  { "xml-no-nul",
    { .data_length = sizeof LIBVIRT_XML - 1, .cookie_offset = -1 },
    0,
    STASIS_IMAGE_ERROR_CORRUPT,
    "at offset 92: its XML does not end" },
  { "xml-over-cookie",
    { .cookie_offset = sizeof LIBVIRT_XML - 1 },
    0,
    STASIS_IMAGE_ERROR_CORRUPT,
    "its XML does not end" },
  { "cookie-1", { .cookie_offset = 1 }, 0, STASIS_IMAGE_ERROR_CORRUPT, "at offset 32" },
  { "cookie-last",
    { .cookie_offset = AUTO_LENGTH - 1 },
    0,
    STASIS_IMAGE_ERROR_CORRUPT,
    "at offset 32" },
  { "cookie-behind",
    { .cookie_offset = AUTO_LENGTH },
    0,
    STASIS_IMAGE_ERROR_CORRUPT,
    "at offset 32" },
  { "cookie-max", { .cookie_offset = G_MAXUINT32 }, 0, STASIS_IMAGE_ERROR_CORRUPT, "at offset 32" },
  { "cookie-empty",
    { .cookie_offset = AUTO_LENGTH, .slack = 8 },
    0,
    STASIS_IMAGE_ERROR_CORRUPT,
    "its cookie is empty" },
  { "cookie-no-nul",
    { .data_length = AUTO_LENGTH - 1 },
    0,
    STASIS_IMAGE_ERROR_CORRUPT,
    "its cookie does not end" },
};

/* As a reader does it, with no octet more than there is. */
static gboolean
decode (GBytes *front, StasisLibvirtHeader *header, GBytes **out_xml, GBytes **out_cookie,
        GError **error)
{
  gsize size;
  const guint8 *octets = g_bytes_get_data (front, &size);
  if (!stasis_libvirt_header_decode (octets, size, "x", header, error))
    return FALSE;
  g_assert_cmpuint (header->data_length, <=, size - 92);
  g_autofree guint8 *data = g_memdup2 (octets + 92, header->data_length);
  return stasis_libvirt_data_decode (header, data, "x", out_xml, out_cookie, error);
}

static void
check_text (GBytes *text, const char *expected)
{
  g_assert_cmpint (text == NULL, ==, expected == NULL);
  if (expected != NULL)
    g_assert_cmpmem (g_bytes_get_data (text, NULL), g_bytes_get_size (text), expected,
                     strlen (expected));
}

static void
test_decode (gconstpointer data)
{
  const Case *c = data;
  const LibvirtSample *sample = &c->sample;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) whole = libvirt_sample_front (sample);
  g_autoptr (GBytes) front = streams_cut (whole, c->size == 0 ? g_bytes_get_size (whole) : c->size);
  g_autoptr (GBytes) xml = NULL;
  g_autoptr (GBytes) cookie = NULL;
  StasisLibvirtHeader header;
  const gboolean ok = decode (front, &header, &xml, &cookie, &error);
  if (c->code >= 0)
    {
      g_assert_error (error, STASIS_IMAGE_ERROR, c->code);
      g_assert_nonnull (strstr (error->message, c->message));
      g_assert_nonnull (strstr (error->message, "'x'"));
      g_assert_false (ok);
      return;
    }

  g_assert_no_error (error);
  check_text (xml, LIBVIRT_XML);
  check_text (cookie, sample->cookie_offset < 0 ? NULL : LIBVIRT_COOKIE);
  g_assert_cmpint (header.was_running, ==, sample->was_running);
  g_assert_cmpint (header.is_swapped, ==, sample->is_swapped);
  g_assert_cmpint (header.format, ==, sample->version == 1 ? 0 : sample->format);
  g_assert_cmpuint (header.strange_at, ==, 0);
}

/* Not UTF-8, or empty. */
static void
test_text (void)
{
  const LibvirtSample sample = { .slack = 8 };
  g_autoptr (GBytes) front = libvirt_sample_front (&sample);
  const gsize at[] = { 95, 92 + sizeof LIBVIRT_XML + 2 };
  for (gsize i = 0; i < G_N_ELEMENTS (at); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GBytes) changed = streams_flip (front, at[i], 7);
      g_autoptr (GBytes) xml = NULL;
      g_autoptr (GBytes) cookie = NULL;
      StasisLibvirtHeader header;
      g_assert_false (decode (changed, &header, &xml, &cookie, &error));
      g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT);
      g_assert_nonnull (strstr (error->message, "not in UTF-8"));
      g_assert_null (xml);
      g_assert_null (cookie);
    }
}

/* What libvirt would have written otherwise is noted with its place, and nothing else of it. */
static void
test_strange (void)
{
  const LibvirtSample sample = { .slack = 8 };
  const gsize xml_end = 92 + sizeof LIBVIRT_XML;
  const gsize cookie_end = xml_end + sizeof LIBVIRT_COOKIE;
  const gsize at[] = { 25, 36, 60, 91, cookie_end, cookie_end + 7 };
  g_autoptr (GBytes) front = libvirt_sample_front (&sample);
  for (gsize i = 0; i < G_N_ELEMENTS (at); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GBytes) changed = streams_flip (front, at[i], 6);
      g_autoptr (GBytes) xml = NULL;
      g_autoptr (GBytes) cookie = NULL;
      StasisLibvirtHeader header;
      g_assert_true (decode (changed, &header, &xml, &cookie, &error));
      g_assert_no_error (error);
      g_assert_cmpuint (header.strange_at, ==, at[i] == 25 ? 24 : at[i]);
    }

  /* A cookie that begins later than right behind the XML. */
  const LibvirtSample late = { .cookie_offset = sizeof LIBVIRT_XML + 1 };
  g_autoptr (GBytes) other = libvirt_sample_front (&late);
  g_autoptr (GBytes) xml = NULL;
  g_autoptr (GBytes) cookie = NULL;
  StasisLibvirtHeader header;
  g_assert_true (decode (other, &header, &xml, &cookie, NULL));
  check_text (cookie, &LIBVIRT_COOKIE[1]);
  g_assert_cmpuint (header.strange_at, ==, xml_end);
}

/* What we write is what was put together by hand; lengths as libvirt chooses them. */
static void
test_encode (void)
{
  for (int with_cookie = 0; with_cookie < 2; with_cookie++)
    {
      const LibvirtSample sample = {
        .slack = 65536, .was_running = 1, .format = 5, .cookie_offset = with_cookie ? 0 : -1
      };
      g_autoptr (GError) error = NULL;
      g_autoptr (GBytes) expected = libvirt_sample_front (&sample);
      g_autoptr (GBytes) xml = g_bytes_new_static (LIBVIRT_XML, sizeof LIBVIRT_XML - 1);
      g_autoptr (GBytes) cookie
          = with_cookie ? g_bytes_new_static (LIBVIRT_COOKIE, sizeof LIBVIRT_COOKIE - 1) : NULL;
      StasisLibvirtHeader header = { .was_running = TRUE, .format = 5 };
      guint8 octets[STASIS_LIBVIRT_HEADER_SIZE];
      g_assert_true (stasis_libvirt_data_measure (xml, cookie, &header, &error));
      stasis_libvirt_header_encode (&header, TRUE, octets);
      g_autoptr (GBytes) head = g_bytes_new_static (octets, sizeof octets);
      g_autoptr (GBytes) data = stasis_libvirt_data_encode (&header, xml, cookie);
      g_autoptr (GBytes) whole
          = streams_append (head, g_bytes_get_data (data, NULL), g_bytes_get_size (data));
      g_assert_true (g_bytes_equal (whole, expected));

      stasis_libvirt_header_encode (&header, FALSE, octets);
      g_assert_cmpmem (octets, 16, "LibvirtQemudPart", 16);
    }
}

static void
check_unwritable (GBytes *xml, GBytes *cookie, int code)
{
  g_autoptr (GError) error = NULL;
  StasisLibvirtHeader header = { 0 };
  g_assert_false (stasis_libvirt_data_measure (xml, cookie, &header, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, code);
}

static void
test_encode_limits (void)
{
  g_autoptr (GBytes) good = g_bytes_new_static ("<x/>", 4);
  g_autoptr (GBytes) empty = g_bytes_new_static ("", 0);
  g_autoptr (GBytes) nul = g_bytes_new_static ("<\0>", 3);
  g_autofree char *text = g_strnfill (STASIS_LIBVIRT_XML_MAX + 1, 'x');
  g_autoptr (GBytes) most = g_bytes_new_static (text, STASIS_LIBVIRT_XML_MAX);
  g_autoptr (GBytes) long_xml = g_bytes_new_static (text, STASIS_LIBVIRT_XML_MAX + 1);
  g_autoptr (GBytes) long_cookie = g_bytes_new_static (text, STASIS_LIBVIRT_COOKIE_MAX + 1);
  check_unwritable (empty, NULL, STASIS_IMAGE_ERROR_INVALID);
  check_unwritable (nul, NULL, STASIS_IMAGE_ERROR_INVALID);
  check_unwritable (good, empty, STASIS_IMAGE_ERROR_INVALID);
  check_unwritable (good, nul, STASIS_IMAGE_ERROR_INVALID);
  check_unwritable (long_xml, NULL, STASIS_IMAGE_ERROR_TOO_LARGE);
  check_unwritable (good, long_cookie, STASIS_IMAGE_ERROR_TOO_LARGE);

  StasisLibvirtHeader header = { 0 };
  g_assert_true (stasis_libvirt_data_measure (most, NULL, &header, NULL));
  g_assert_cmpuint (header.data_length, <, STASIS_LIBVIRT_DATA_MAX);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strdup_printf ("/image/libvirt-header/decode/%s", cases[i].name);
      g_test_add_data_func (path, &cases[i], test_decode);
    }
  g_test_add_func ("/image/libvirt-header/text", test_text);
  g_test_add_func ("/image/libvirt-header/strange", test_strange);
  g_test_add_func ("/image/libvirt-header/encode", test_encode);
  g_test_add_func ("/image/libvirt-header/encode-limits", test_encode_limits);
  return g_test_run ();
}
