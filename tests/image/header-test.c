/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * header-test.c: tests of src/image/header.c
 */

#include "config.h"

#include "image/header.h"

#include <string.h>

#include "image/error.h"
#include "image/octets.h"
#include "util/hash.h"

#define MIB G_GUINT64_CONSTANT (1048576)
#define TIB (MIB * MIB)

static const StasisImageHeader sample = {
  .complete = TRUE,
  .uuid = { 1, 2 },
  .domain_uuid = { 3, 4 },
  .created_ns = 0x1112131415161718,
  .file_size = MIB + 8192,
  .front_length = 512,
  .body_offset = MIB / 2,
  .body_length = MIB / 2 + 100,
  .body_kind = STASIS_IMAGE_BODY_STREAM,
  .tail_offset = MIB + 4096,
  .tail_length = 4096,
  .writer = "stasis 0.1",
};

/* Every field at the place that the spec gives it. */
static void
test_spec (void)
{
  guint8 octets[4096];
  g_assert_cmpuint (sizeof octets, ==, STASIS_IMAGE_HEADER_SIZE);
  stasis_image_header_encode (&sample, octets);
  g_assert_cmpmem (octets, 8, "\211STS\r\n\032\n", 8);
  g_assert_cmpuint (stasis_get_le32 (octets + 8), ==, 2);
  g_assert_cmpmem (octets + 12, 4, "DONE", 4);
  g_assert_cmpmem (octets + 16, 16, sample.uuid, 16);
  g_assert_cmpmem (octets + 32, 16, sample.domain_uuid, 16);
  g_assert_cmpuint (stasis_get_le64 (octets + 48), ==, 0);
  g_assert_cmpuint (stasis_get_le64 (octets + 56), ==, sample.created_ns);
  g_assert_cmpuint (stasis_get_le64 (octets + 64), ==, sample.file_size);
  g_assert_cmpuint (stasis_get_le64 (octets + 72), ==, 4096);
  g_assert_cmpuint (stasis_get_le64 (octets + 80), ==, sample.front_length);
  g_assert_cmpuint (stasis_get_le64 (octets + 88), ==, sample.body_offset);
  g_assert_cmpuint (stasis_get_le64 (octets + 96), ==, sample.body_length);
  g_assert_cmpuint (stasis_get_le32 (octets + 104), ==, sample.body_kind);
  g_assert_cmpuint (stasis_get_le32 (octets + 108), ==, 0);
  g_assert_cmpuint (stasis_get_le64 (octets + 112), ==, sample.tail_offset);
  g_assert_cmpuint (stasis_get_le64 (octets + 120), ==, sample.tail_length);
  g_assert_cmpstr ((const char *) octets + 128, ==, "stasis 0.1");
  g_assert_true (stasis_is_zero (octets + 192, 3888));

  g_autofree guint8 *sum = g_memdup2 (octets + 4080, 16);
  memset (octets + 4080, 0, 16);
  const StasisHash expected = stasis_hash (octets, sizeof octets);
  g_assert_cmpmem (sum, 16, expected.octets, 16);
}

#define STREAM .is_stream = TRUE, .body_kind = STASIS_IMAGE_BODY_CHUNKS

static const struct
{
  StasisImageHeader header;
  gboolean ok;
} streams[] = {
  { { STREAM, .front_length = 512, .body_offset = 4608 }, TRUE },
  { { STREAM, .front_length = 4 * TIB - 4096, .body_offset = 4 * TIB }, TRUE },
  { { STREAM, .front_length = 4 * TIB, .body_offset = 4 * TIB + 4096 }, FALSE },
  { { STREAM, .front_length = G_MAXUINT64 - 7, .body_offset = 4088 }, FALSE },
  { { STREAM, .front_length = 511, .body_offset = 4607 }, FALSE },
  { { STREAM, .front_length = 512, .body_offset = 4600 }, FALSE },
  { { STREAM, .front_length = 512, .body_offset = 8192 }, FALSE },
  { { STREAM, .front_length = 512, .body_offset = 4608, .file_size = 1 }, FALSE },
  { { STREAM, .front_length = 512, .body_offset = 4608, .body_length = 1 }, FALSE },
  { { STREAM, .front_length = 512, .body_offset = 4608, .tail_offset = 1 }, FALSE },
  { { STREAM, .front_length = 512, .body_offset = 4608, .tail_length = 1 }, FALSE },
};

/* A streamed image, whose header knows nothing of its end. */
static void
test_stream (gconstpointer data)
{
  const gsize i = GPOINTER_TO_SIZE (data);
  g_autoptr (GError) error = NULL;
  guint8 octets[4096];
  StasisImageHeader header;
  stasis_image_header_encode (&streams[i].header, octets);
  g_assert_cmpmem (octets + 12, 4, "FLOW", 4);
  g_assert_cmpuint (stasis_get_le32 (octets + 104), ==, 3);
  g_assert_true (stasis_image_header_decode (octets, sizeof octets, "x", &header, &error));
  g_assert_true (header.is_stream && !header.complete);
  g_assert_cmpint (stasis_image_header_check_stream (&header, "x", &error), ==, streams[i].ok);
  if (!streams[i].ok)
    g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT);
}

static void
test_round_trip (void)
{
  g_autoptr (GError) error = NULL;
  guint8 octets[4096], again[4096];
  StasisImageHeader header;
  stasis_image_header_encode (&sample, octets);
  g_assert_true (stasis_image_header_decode (octets, sizeof octets, "x", &header, &error));
  g_assert_no_error (error);
  stasis_image_header_encode (&header, again);
  g_assert_cmpmem (octets, sizeof octets, again, sizeof again);
  g_assert_cmpuint (stasis_image_header_find_reserved (octets), ==, 0);
  g_assert_true (stasis_image_header_check_layout (&header, header.file_size, "x", &error));
  g_assert_no_error (error);
}

typedef struct
{
  const char *name;
  gsize at; /* these octets are put there */
  const char *octets;
  gsize size;        /* of them */
  gsize header_size; /* octets that can be read */
  gboolean reseal;   /* the checksum is made right again */
  int code;          /* a StasisImageError; -1: fine */
  const char *message;
} Case;

static const Case cases[] = {
  { "good", 0, "", 0, 4096, TRUE, -1, NULL },
  { "empty", 0, "", 0, 0, FALSE, STASIS_IMAGE_ERROR_NOT_AN_IMAGE, "'x' is not a save image" },
  { "magic-cut", 0, "", 0, 7, FALSE, STASIS_IMAGE_ERROR_CORRUPT, "or cut" },
  { "cut", 0, "", 0, 4095, FALSE, STASIS_IMAGE_ERROR_CORRUPT, "is cut: only 4095 octets" },
  { "lf", 4, "\n\032\n", 3, 4096, FALSE, STASIS_IMAGE_ERROR_CORRUPT, "text mode" },
  { "crlf", 4, "\r\r\n", 3, 4096, FALSE, STASIS_IMAGE_ERROR_CORRUPT, "text mode" },
  { "seven-bit", 0, "\t", 1, 4096, FALSE, STASIS_IMAGE_ERROR_CORRUPT, "text mode" },
  { "elf", 0, "\177ELF\2\1\1\0\0\0\0\0", 12, 4096, FALSE, STASIS_IMAGE_ERROR_NOT_AN_IMAGE,
    "not a save image" },
  { "magic", 0, "\177ELF", 4, 4096, FALSE, STASIS_IMAGE_ERROR_CORRUPT, "magic of 'x' is damaged" },
  { "libvirt", 0, "LibvirtQemudSave", 16, 4096, FALSE, STASIS_IMAGE_ERROR_UNSUPPORTED,
    "'x' is a save image of libvirt, not one of ours" },
  { "libvirt-part", 0, "LibvirtQemudPart", 16, 4096, FALSE, STASIS_IMAGE_ERROR_UNSUPPORTED,
    "an incomplete save image of libvirt" },
  { "qemu", 0, "QEVM\0\0\0\3", 8, 4096, FALSE, STASIS_IMAGE_ERROR_UNSUPPORTED, "QEMU" },
  { "checksum", 4095, "x", 1, 4096, FALSE, STASIS_IMAGE_ERROR_CORRUPT, "checksum" },
  { "damaged-version", 8, "\3", 1, 4096, FALSE, STASIS_IMAGE_ERROR_CORRUPT, "checksum" },
  { "version", 8, "\3", 1, 4096, TRUE, STASIS_IMAGE_ERROR_UNSUPPORTED,
    "'x' has format version 3, this program reads version 2" },
  { "partial", 12, "PART", 4, 4096, TRUE, -1, NULL },
  { "state", 12, "PARE", 4, 4096, TRUE, STASIS_IMAGE_ERROR_CORRUPT, "makes no sense" },
  { "front", 73, "\x20", 1, 4096, TRUE, STASIS_IMAGE_ERROR_CORRUPT, "makes no sense" },
  { "writer-long", 191, "x", 1, 4096, TRUE, STASIS_IMAGE_ERROR_CORRUPT, "makes no sense" },
  { "writer-utf8", 128, "\377", 1, 4096, TRUE, STASIS_IMAGE_ERROR_CORRUPT, "makes no sense" },
};

static void
test_decode (gconstpointer data)
{
  const Case *c = data;
  g_autoptr (GError) error = NULL;
  guint8 octets[4096];
  StasisImageHeader header;
  stasis_image_header_encode (&sample, octets);
  memcpy (octets + c->at, c->octets, c->size);
  if (c->reseal)
    {
      memset (octets + 4080, 0, 16);
      const StasisHash sum = stasis_hash (octets, sizeof octets);
      memcpy (octets + 4080, sum.octets, 16);
    }

  const gboolean ok = stasis_image_header_decode (octets, c->header_size, "x", &header, &error);
  g_assert_cmpint (ok, ==, c->code < 0);
  if (ok)
    return;
  g_assert_error (error, STASIS_IMAGE_ERROR, c->code);
  g_assert_nonnull (strstr (error->message, c->message));
}

typedef struct
{
  const char *name;
  goffset field; /* of a guint64 in StasisImageHeader */
  guint64 value;
} Layout;

#define FIELD(name) G_STRUCT_OFFSET (StasisImageHeader, name)

/* Each of these alone makes the layout wrong. */
static const Layout layouts[] = {
  { "file-longer", FIELD (file_size), MIB + 8193 },
  { "file-shorter", FIELD (file_size), MIB + 8184 },
  { "file-max", FIELD (file_size), G_MAXUINT64 },
  { "front-odd", FIELD (front_length), 511 },
  { "front-over-body", FIELD (front_length), MIB / 2 - 4096 + 8 },
  { "front-max", FIELD (front_length), G_MAXUINT64 - 7 },
  { "body-zero", FIELD (body_offset), 0 },
  { "body-unaligned", FIELD (body_offset), MIB / 2 + 8 },
  { "body-max", FIELD (body_offset), G_MAXUINT64 - 4095 },
  { "body-empty", FIELD (body_length), 0 },
  { "body-over-tail", FIELD (body_length), MIB },
  { "body-short", FIELD (body_length), 1 },
  { "body-length-max", FIELD (body_length), G_MAXUINT64 },
  { "body-above-limit", FIELD (body_length), 4 * TIB - MIB / 2 + 1 },
  { "tail-early", FIELD (tail_offset), MIB },
  { "tail-max", FIELD (tail_offset), G_MAXUINT64 },
  { "tail-longer", FIELD (tail_length), 4104 },
  { "tail-shorter", FIELD (tail_length), 4088 },
  { "tail-length-max", FIELD (tail_length), G_MAXUINT64 - 7 },
};

static void
test_layout (gconstpointer data)
{
  const Layout *layout = data;
  g_autoptr (GError) error = NULL;
  StasisImageHeader header = sample;
  G_STRUCT_MEMBER (guint64, &header, layout->field) = layout->value;
  g_assert_false (stasis_image_header_check_layout (&header, sample.file_size, "x", &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT);
}

/* The largest body that there may be. */
static void
test_layout_max (void)
{
  g_autoptr (GError) error = NULL;
  StasisImageHeader header = sample;
  header.body_length = 4 * TIB - header.body_offset;
  header.tail_offset = 4 * TIB;
  header.file_size = 4 * TIB + header.tail_length;
  g_assert_true (stasis_image_header_check_layout (&header, header.file_size, "x", &error));
  g_assert_no_error (error);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/image/header/spec", test_spec);
  g_test_add_func ("/image/header/round-trip", test_round_trip);
  for (gsize i = 0; i < G_N_ELEMENTS (streams); i++)
    {
      g_autofree char *path = g_strdup_printf ("/image/header/stream/%zu", i);
      g_test_add_data_func (path, GSIZE_TO_POINTER (i), test_stream);
    }
  g_test_add_func ("/image/header/layout/max", test_layout_max);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strdup_printf ("/image/header/decode/%s", cases[i].name);
      g_test_add_data_func (path, &cases[i], test_decode);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (layouts); i++)
    {
      g_autofree char *path = g_strdup_printf ("/image/header/layout/%s", layouts[i].name);
      g_test_add_data_func (path, &layouts[i], test_layout);
    }
  return g_test_run ();
}
