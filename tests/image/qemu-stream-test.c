/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu-stream-test.c: tests of src/image/qemu-{input,head,pages,sections,devices,stream}.c
 */

#include "config.h"

#include "image/qemu-stream.h"

#include <string.h>

#include "image/error.h"
#include "image/qemu-wire.h"
#include "sample-plain.h"

static StasisQemuStreamInfo *
scan (const GByteArray *octets, gsize step, GError **error)
{
  g_autoptr (StasisStreamIn) in = sample_plain_in (octets, step);
  return stasis_qemu_stream_scan (in, NULL, error);
}

static void
assert_corrupt (const GByteArray *octets)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisQemuStreamInfo) info = scan (octets, 0, &error);
  g_assert_null (info);
  g_assert_nonnull (error);
  g_assert_true (g_error_matches (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT)
                 || g_error_matches (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_UNSUPPORTED));
  g_assert_nonnull (strstr (error->message, "at offset "));
}

static void
check_device (const StasisQemuStreamInfo *info, guint index, const char *name, guint32 instance,
              guint32 version, guint64 size)
{
  const StasisQemuDevice *device = g_ptr_array_index (info->devices, index);
  g_assert_cmpstr (device->name, ==, name);
  g_assert_cmpuint (device->instance, ==, instance);
  g_assert_cmpuint (device->version, ==, version);
  g_assert_cmpuint (device->size, ==, size);
}

static void
check_info (const StasisQemuStreamInfo *info)
{
  g_assert_cmpstr (info->machine, ==, "none");
  g_assert_cmpuint (info->map->n_blocks, ==, SAMPLE_PLAIN_N_BLOCKS);
  g_assert_cmpstr (info->map->blocks[1].name, ==, "pc.rom");
  g_assert_cmpuint (info->map->blocks[1].used_length, ==, 16 * 4096);
  const StasisQemuPageCounts total = stasis_qemu_stream_total (info);
  g_assert_cmpuint (total.n_stored, ==, SAMPLE_PLAIN_N_STORED);
  g_assert_cmpuint (total.n_zero, ==, SAMPLE_PLAIN_N_ZERO);
  g_assert_cmpuint (total.n_filled, ==, 0);
  g_assert_cmpuint (info->devices->len, ==, SAMPLE_PLAIN_N_DEVICES);
  check_device (info, 0, "timer", 0, 2, 16);
  check_device (info, 1, "cpu", 3, 12, 55);
  check_device (info, 2, "old", 0, 0, 7);
}

static void
test_good (void)
{
  static const gsize steps[] = { 0, 1, 7, 4096 };
  SamplePlaces places;
  g_autoptr (GByteArray) octets = sample_plain (NULL, &places);
  for (gsize i = 0; i < G_N_ELEMENTS (steps); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (StasisQemuStreamInfo) info = scan (octets, steps[i], &error);
      g_assert_no_error (error);
      check_info (info);
      g_assert_true (info->described);
      g_assert_cmpuint (info->length, ==, octets->len);
      const StasisQemuDevice *timer = g_ptr_array_index (info->devices, 0);
      g_assert_cmpuint (timer->offset, ==, places.devices);
      g_assert_true (timer->exact);
    }
}

static gboolean
is_content (const GArray *content, gsize at, gsize *out_left)
{
  for (guint i = 0; i < content->len; i++)
    {
      const SampleRange *range = &g_array_index (content, SampleRange, i);
      if (at >= range->start && at < range->end)
        {
          *out_left = range->end - at;
          return TRUE;
        }
    }
  *out_left = 0;
  return FALSE;
}

/* Every one that cuts the structure, some that cut pages. */
static void
test_prefixes (void)
{
  g_autoptr (GArray) content = g_array_new (FALSE, FALSE, sizeof (SampleRange));
  g_autoptr (GByteArray) octets = sample_plain (content, NULL);
  const guint whole = octets->len;
  gsize left;
  for (guint size = 0; size < whole;
       size += is_content (content, size, &left) && left > 700 ? 599 : 1)
    {
      octets->len = size;
      assert_corrupt (octets);
    }
  octets->len = whole;
}

static void
test_trailing (void)
{
  g_autoptr (GByteArray) octets = sample_plain (NULL, NULL);
  for (guint octet = 0; octet < 256; octet += 5)
    {
      const guint8 more = (guint8) octet;
      g_byte_array_append (octets, &more, 1);
      assert_corrupt (octets);
      octets->len--;
    }
}

/* Every flipped bit is noticed, but in what the structure says nothing of. */
static void
test_flips (void)
{
  g_autoptr (GArray) content = g_array_new (FALSE, FALSE, sizeof (SampleRange));
  g_autoptr (GByteArray) octets = sample_plain (content, NULL);
  for (gsize at = 0; at < octets->len; at++)
    for (guint bit = 0; bit < 8; bit++)
      {
        gsize left;
        if (!is_content (content, at, &left))
          {
            octets->data[at] ^= (guint8) (1u << bit);
            assert_corrupt (octets);
            octets->data[at] ^= (guint8) (1u << bit);
          }
        else if (left > 8)
          at += left - 9;
      }
}

/* In heads of pages, devices and the description: any answer, but one. */
static void
test_flips_in_content (void)
{
  g_autoptr (GArray) content = g_array_new (FALSE, FALSE, sizeof (SampleRange));
  g_autoptr (GByteArray) octets = sample_plain (content, NULL);
  for (guint i = 0; i < content->len; i++)
    {
      const SampleRange *range = &g_array_index (content, SampleRange, i);
      for (gsize at = range->start; range->end - range->start < 4096 && at < range->end; at++)
        {
          g_autoptr (GError) error = NULL;
          octets->data[at] ^= (guint8) (1u << at % 8);
          g_autoptr (StasisQemuStreamInfo) info = scan (octets, 0, &error);
          g_assert_true ((info == NULL) == (error != NULL));
          octets->data[at] ^= (guint8) (1u << at % 8);
        }
    }
}

/* What stands at @at is replaced. */
typedef struct
{
  const char *name;
  gsize place; /* offset of a member in SamplePlaces */
  int delta;
  const char *octets;
  gsize size;
  int code;
  const char *message;
} Case;

#define AT(member) offsetof (SamplePlaces, member)
#define BAD        STASIS_IMAGE_ERROR_CORRUPT
#define OTHER      STASIS_IMAGE_ERROR_UNSUPPORTED

static const Case cases[] = {
  { "total-zero", AT (list), 0, "\0\0\0\0\0\0\0\4", 8, BAD, "total of the RAM" },
  { "total-max", AT (list), 0, "\377\377\377\377\377\377\360\4", 8, BAD, "total of the RAM" },
  { "total-8-tib", AT (list), 0, "\0\0\x08\0\0\0\0\4", 8, BAD, "total of the RAM" },
  { "name-twice", AT (list), 8 + 15, "\6pc.ram", 7, BAD, "two RAM blocks" },
  { "length-odd", AT (list), 8 + 14, "\1", 1, BAD, "length of a RAM block" },
  { "length-zero", AT (list), 8 + 7, "\0\0\0\0\0\0\0\0", 8, BAD, "length of a RAM block" },
  { "length-max", AT (list), 8 + 7, "\377\377\377\377\377\377\360\0", 8, BAD,
    "length of a RAM block" },
  { "footer", AT (list_end), 8, "\x7f", 1, BAD, "footer" },
  { "footer-id", AT (list_end), 12, "\3", 1, BAD, "unknown section" },
  { "part-id", AT (list_end), 17, "\3", 1, BAD, "unknown section" },
  { "xbzrle", AT (pages), 7, "\x40", 1, OTHER, "XBZRLE" },
  { "xbzrle-continued", AT (pages), 7, "\x60", 1, OTHER, "XBZRLE" },
  { "rdma", AT (pages), 7, "\x80", 1, OTHER, "RDMA" },
  { "compress", AT (pages), 6, "\1\0", 2, OTHER, "compress" },
  { "mem-size", AT (pages), 7, "\4", 1, OTHER, "MEM_SIZE" },
  { "zero-and-page", AT (pages), 7, "\x0a", 1, BAD, "unknown flags of a page: 0xa" },
  { "no-flags", AT (pages), 7, "\0", 1, BAD, "unknown flags" },
  { "eos-elsewhere", AT (pages), 6, "\x10\x10", 2, BAD, "unknown flags of a page: 0x10" },
  { "no-block", AT (pages), 7, "\x28", 1, BAD, "has no RAM block" },
  { "other-block", AT (pages), 9, "PC", 2, BAD, "unknown RAM block" },
  { "behind-block", AT (pages), 5, "\4\0\x08", 3, BAD, "no page at 0x40000" },
  { "address-max", AT (pages), 0, "\377\377\377\377\377\377\360\x08", 8, BAD, "no page at" },
  { "command", AT (command), 2, "\5", 1, OTHER, "command 5" },
  { "command-length", AT (command), 4, "\1", 1, OTHER, "command 11" },
  { "section", AT (command), 0, "\x09", 1, BAD, "no section begins" },
  { "vfio", AT (command), 0, "\1\0\0\0\5\x04vfio", 10, OTHER, "'vfio' sends its state in parts" },
  { "no-end", AT (end), 0, "\4", 1, BAD, "last part of the RAM is missing" },
  { "end-of-stream", AT (end), 0, "\0", 1, BAD, "last part of the RAM is missing" },
  { "end-twice", AT (devices), 0, "\3", 1, BAD, "section of 'timer' does not begin" },
  { "device-name", AT (devices), 6, "T", 1, BAD, "section of 'timer' does not begin" },
  { "device-id", AT (devices), 4, "\5", 1, BAD, "section of 'timer' does not end" },
  { "description", AT (description), 1, "\7", 1, BAD, "description is missing" },
  { "description-length", AT (description), 5, "\0", 1, BAD, "description is missing" },
  { "description-text", AT (description), 7, "\1", 1, BAD, "not JSON" },
};

static void
test_bad (gconstpointer data)
{
  const Case *c = data;
  g_autoptr (GError) error = NULL;
  SamplePlaces places;
  g_autoptr (GByteArray) octets = sample_plain (NULL, &places);
  const gsize at = G_STRUCT_MEMBER (gsize, &places, c->place) + (gsize) c->delta;
  memcpy (octets->data + at, c->octets, c->size);
  g_autoptr (StasisQemuStreamInfo) info = scan (octets, 0, &error);
  g_assert_null (info);
  g_assert_error (error, STASIS_IMAGE_ERROR, c->code);
  g_assert_nonnull (strstr (error->message, c->message));
}

/* Replace the first @from by @to, of the same length. */
static void
edit (GByteArray *octets, gsize at, const char *from, const char *to)
{
  guint8 *found = memmem (octets->data + at, octets->len - at, from, strlen (from));
  g_assert_nonnull (found);
  g_assert_cmpuint (strlen (from), ==, strlen (to));
  memcpy (found, to, strlen (to));
}

/* A description of nothing: the devices are not known, but they must be there and end. */
static void
test_undescribed (void)
{
  g_autoptr (GError) error = NULL;
  SamplePlaces places;
  g_autoptr (GByteArray) octets = sample_plain (NULL, &places);
  edit (octets, places.description, "\"devices\"", "\"Devices\"");
  g_autoptr (StasisQemuStreamInfo) info = scan (octets, 0, &error);
  g_assert_no_error (error);
  g_assert_false (info->described);
  g_assert_cmpuint (info->devices->len, ==, 0);
  octets->data[places.description - 5] ^= 1;
  assert_corrupt (octets);
}

/* A size that is not right: the device's end is looked for, and found. */
static void
test_inexact (void)
{
  g_autoptr (GError) error = NULL;
  SamplePlaces places;
  g_autoptr (GByteArray) octets = sample_plain (NULL, &places);
  edit (octets, places.description, "\"size\":8", "\"size\":9");
  g_autoptr (StasisQemuStreamInfo) info = scan (octets, 0, &error);
  g_assert_no_error (error);
  check_info (info);
  const StasisQemuDevice *device = g_ptr_array_index (info->devices, 0);
  g_assert_false (device->exact);
}

/* Sizes that would overflow a sum, or are none. */
static void
test_description_limits (void)
{
  static const char *const sizes[] = { "18446744073709551615", "-1                  ",
                                       "1e9                 ", "\"8\"                 " };
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (GError) error = NULL;
      SamplePlaces places;
      g_autoptr (GByteArray) octets = sample_plain (NULL, &places);
      g_autofree char *a = g_strdup_printf ("{\"size\":%s       }", sizes[i]);
      g_autofree char *b = g_strdup_printf ("{\"array_len\":%s,\"size\":9999999  }", sizes[i]);
      edit (octets, places.description, "{\"name\":\"a\",\"type\":\"int64\",\"size\":8}", a);
      edit (octets, places.description,
            "{\"name\":\"b\",\"array_len\":2,\"type\":\"uint32\",\"size\":4}", b);
      g_autoptr (StasisQemuStreamInfo) info = scan (octets, 0, &error);
      g_assert_no_error (error);
      check_info (info);
    }
}

/* A stream that never ends. */
typedef struct
{
  StasisStreamIn base;
  GByteArray *octets;
  gsize at;
} Endless;

static gssize
read_endless (StasisStreamIn *base, void *octets, gsize size, GCancellable *cancellable,
              GError **error)
{
  Endless *self = (Endless *) base;
  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return -1;
  const gsize n = MIN (size, self->octets->len - self->at);
  memcpy (octets, self->octets->data + self->at, n);
  self->at += n;
  if (n > 0)
    return (gssize) n;
  memset (octets, 0, size);
  if (cancellable != NULL)
    g_cancellable_cancel (cancellable);
  return (gssize) size;
}

static void
test_too_long (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GByteArray) octets = sample_plain (NULL, NULL);
  Endless in = { { .read = read_endless }, octets, 0 };
  g_autoptr (StasisQemuStreamInfo) info = stasis_qemu_stream_scan (&in.base, NULL, &error);
  g_assert_null (info);
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_TOO_LARGE);
  g_assert_cmpuint (in.base.position, <=, STASIS_QEMU_REST_MAX + 2 * 1024 * 1024);
}

static void
test_cancel (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GByteArray) octets = sample_plain (NULL, NULL);
  Endless in = { { .read = read_endless }, octets, 0 };
  g_autoptr (StasisQemuStreamInfo) info = stasis_qemu_stream_scan (&in.base, cancellable, &error);
  g_assert_null (info);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

/* The pages of a mapped body lie elsewhere. */
static void
test_mapped_head (void)
{
  static const char list[] = "\x1a"
                             "configuration/capabilities\0\0\0\1\0\0\0\1\x0amapped-ram";
  g_autoptr (GError) error = NULL;
  SamplePlaces places;
  g_autoptr (GByteArray) octets = sample_plain (NULL, &places);
  g_autoptr (GByteArray) changed = g_byte_array_new ();
  g_byte_array_append (changed, octets->data, 18);
  g_byte_array_append (changed, (const guint8 *) list, sizeof list - 1);
  g_byte_array_append (changed, octets->data + 17, octets->len - 17);
  g_autoptr (StasisQemuStreamInfo) info = scan (changed, 0, &error);
  g_assert_null (info);
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_UNSUPPORTED);
  g_assert_nonnull (strstr (error->message, "mapped-ram"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/image/qemu-stream/good", test_good);
  g_test_add_func ("/image/qemu-stream/prefixes", test_prefixes);
  g_test_add_func ("/image/qemu-stream/trailing", test_trailing);
  g_test_add_func ("/image/qemu-stream/flips", test_flips);
  g_test_add_func ("/image/qemu-stream/flips-in-content", test_flips_in_content);
  g_test_add_func ("/image/qemu-stream/undescribed", test_undescribed);
  g_test_add_func ("/image/qemu-stream/inexact", test_inexact);
  g_test_add_func ("/image/qemu-stream/description-limits", test_description_limits);
  g_test_add_func ("/image/qemu-stream/too-long", test_too_long);
  g_test_add_func ("/image/qemu-stream/cancel", test_cancel);
  g_test_add_func ("/image/qemu-stream/mapped-head", test_mapped_head);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strdup_printf ("/image/qemu-stream/bad/%s", cases[i].name);
      g_test_add_data_func (path, &cases[i], test_bad);
    }
  return g_test_run ();
}
