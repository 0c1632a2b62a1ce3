/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * record-test.c: tests of src/image/record.c and record-types.c
 */

#include "config.h"

#include "image/record.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/error.h"
#include "image/octets.h"
#include "sample.h"
#include "util/fd.h"

#define MIB G_GUINT64_CONSTANT (1048576)

/* Framing as the spec has it. */
static void
test_spec (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_file ();
  g_autoptr (GBytes) body = g_bytes_new_static ("<x/>!", 5);
  guint64 offset = 4096;
  g_assert_true (stasis_record_write (fd, &offset, STASIS_RECORD_DOMAIN_XML, body, NULL, &error));
  g_assert_cmpuint (offset, ==, 4096 + 32 + 8);

  guint8 octets[40];
  g_assert_cmpint (pread (fd, octets, sizeof octets, 4096), ==, sizeof octets);
  g_assert_cmpuint (stasis_get_le32 (octets), ==, 1);
  g_assert_cmpuint (stasis_get_le32 (octets + 4), ==, 0);
  g_assert_cmpuint (stasis_get_le64 (octets + 8), ==, 5);
  g_assert_cmpmem (octets + 32, 8, "<x/>!\0\0\0", 8);
  guint8 covered[21];
  memcpy (covered, octets, 16);
  memcpy (covered + 16, octets + 32, 5);
  const StasisHash sum = stasis_hash (covered, sizeof covered);
  g_assert_cmpmem (octets + 16, 16, sum.octets, 16);
}

static void
test_types (void)
{
  g_assert_cmpstr (stasis_record_type_to_string (STASIS_RECORD_END), ==, "end");
  g_assert_cmpstr (stasis_record_type_to_string (STASIS_RECORD_PARENT), ==, "parent");
  g_assert_cmpstr (stasis_record_type_to_string (0x7fffffff), ==, "unknown");
  g_assert_cmpuint (stasis_record_type_max (STASIS_RECORD_CHUNK_HASHES), ==, 64 * MIB + 32);
  g_assert_cmpuint (stasis_record_type_max (STASIS_RECORD_ORIGIN), ==, MIB);
  g_assert_cmpuint (stasis_record_type_max (0x80000002), ==, 64 * MIB);
  g_assert_true (stasis_record_type_is_known (STASIS_RECORD_CHUNK_HASHES));
  g_assert_false (stasis_record_type_is_known (STASIS_RECORD_EXTERNAL_DEVICE));
  g_assert_false (stasis_record_type_is_known (STASIS_RECORD_OPTIONAL));
}

/* A record whose length says something else than there is; the checksum is never reached. */
typedef struct
{
  const char *name;
  guint32 type;
  guint64 length;
  guint64 room; /* octets of the file */
  const char *message;
} Case;

static const Case cases[] = {
  { "no-header", STASIS_RECORD_DISKS, 0, 31, "the records end early" },
  { "empty", STASIS_RECORD_DISKS, 0, 32, "checksum" },
  { "fits", STASIS_RECORD_DISKS, 8, 40, "checksum" },
  { "one-over", STASIS_RECORD_DISKS, 9, 40, "reaches beyond" },
  { "padding-over", STASIS_RECORD_DISKS, 1, 39, "reaches beyond" },
  { "max", STASIS_RECORD_DISKS, MIB, 40, "reaches beyond" },
  { "max-fits", STASIS_RECORD_DISKS, MIB, MIB + 32, "checksum" },
  { "max+1", STASIS_RECORD_DISKS, MIB + 1, 2 * MIB, "too long: 1048577 octets, at most 1048576" },
  { "overflow", STASIS_RECORD_DISKS, G_MAXUINT64, 2 * MIB, "too long" },
  { "overflow-7", STASIS_RECORD_DISKS, G_MAXUINT64 - 7, 2 * MIB, "too long" },
  { "unknown-max+1", 77, 64 * MIB + 1, 100 * MIB, "too long" },
  { "static-end-1", STASIS_RECORD_STATIC_END, 1, 40, "too long" },
};

static void
test_length (gconstpointer data)
{
  const Case *c = data;
  g_autoptr (GError) error = NULL;
  guint8 head[32] = { 0 };
  guint64 offset = 0;
  stasis_autofd int fd = sample_file ();
  stasis_put_le32 (head, c->type);
  stasis_put_le64 (head + 8, c->length);
  g_assert_cmpint (pwrite (fd, head, sizeof head, 0), ==, sizeof head);
  g_assert_cmpint (ftruncate (fd, (off_t) c->room), ==, 0);
  g_assert_null (stasis_record_read (fd, &offset, c->room, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT);
  g_assert_nonnull (strstr (error->message, c->message));
  g_assert_cmpuint (offset, ==, 0);
}

static void
test_write_too_long (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_file ();
  g_autoptr (GBytes) body = g_bytes_new_take (g_malloc0 (MIB + 1), MIB + 1);
  guint64 offset = 0;
  g_assert_false (stasis_record_write (fd, &offset, STASIS_RECORD_DISKS, body, NULL, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_TOO_LARGE);
  g_assert_cmpuint (offset, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/image/record/spec", test_spec);
  g_test_add_func ("/image/record/types", test_types);
  g_test_add_func ("/image/record/write-too-long", test_write_too_long);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strdup_printf ("/image/record/length/%s", cases[i].name);
      g_test_add_data_func (path, &cases[i], test_length);
    }
  return g_test_run ();
}
