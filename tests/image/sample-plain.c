/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sample-plain.c: a small plain stream as QEMU writes it, octet by octet
 */

#include "config.h"

#include "sample-plain.h"

#include <string.h>

#define PAGE 4096u

const char *const sample_plain_names[SAMPLE_PLAIN_N_BLOCKS] = { "pc.ram", "pc.rom" };
const guint sample_plain_pages[SAMPLE_PLAIN_N_BLOCKS] = { 64, 16 };

static const char description[]
    = "{\"configuration\":{\"vmsd_name\":\"configuration\"},\"page_size\":4096,\"devices\":["
      "{\"name\":\"timer\",\"instance_id\":0,\"vmsd_name\":\"timer\",\"version\":2,\"fields\":["
      "{\"name\":\"a\",\"type\":\"int64\",\"size\":8},"
      "{\"name\":\"b\",\"array_len\":2,\"type\":\"uint32\",\"size\":4}]},"
      "{\"name\":\"cpu\",\"instance_id\":3,\"vmsd_name\":\"cpu\",\"version\":12,\"fields\":["
      "{\"name\":\"regs\",\"type\":\"buffer\",\"size\":40}],\"subsections\":["
      "{\"vmsd_name\":\"cpu/x\",\"version\":1,\"fields\":[{\"name\":\"x\",\"size\":4}]}]},"
      "{\"name\":\"old\",\"instance_id\":0,\"size\":7,\"fields\":["
      "{\"name\":\"data\",\"size\":7,\"type\":\"buffer\"}]}]}";

typedef struct
{
  GByteArray *out;
  GArray *content; /* (nullable) */
} Build;

static void
put_be (Build *build, guint64 value, guint n_octets)
{
  for (guint i = n_octets; i > 0; i--)
    {
      const guint8 octet = (guint8) (value >> (8 * (i - 1)));
      g_byte_array_append (build->out, &octet, 1);
    }
}

static void
put (Build *build, const char *octets, gsize size)
{
  g_byte_array_append (build->out, (const guint8 *) octets, (guint) size);
}

static void
put_name (Build *build, const char *name)
{
  put_be (build, strlen (name), 1);
  put (build, name, strlen (name));
}

/* The last @size octets mean nothing to a reader of the structure. */
static void
mark (Build *build, gsize size)
{
  const SampleRange range = { build->out->len - size, build->out->len };
  if (build->content != NULL)
    g_array_append_val (build->content, range);
}

static void
put_head (Build *build)
{
  put (build, "QEVM\0\0\0\3\7\0\0\0\4", 13);
  put (build, "none", 4);
  mark (build, 4);
  put_be (build, 5, 1);
  put_name (build, "configuration/uuid");
  put_be (build, 1, 4);
  put (build, "0123456789abcdef", 16);
  mark (build, 16);
  put_be (build, 1, 1);
  put_be (build, 2, 4);
  put_name (build, "ram");
  put_be (build, 0, 4);
  put_be (build, 4, 4);
}

static void
put_list (Build *build)
{
  put_be (build, (sample_plain_pages[0] + sample_plain_pages[1]) * PAGE | 4, 8);
  for (guint i = 0; i < SAMPLE_PLAIN_N_BLOCKS; i++)
    {
      put_name (build, sample_plain_names[i]);
      put_be (build, sample_plain_pages[i] * PAGE, 8);
    }
}

static void
put_ram_end (Build *build)
{
  put_be (build, 0x10, 8);
  put_be (build, 0x7e, 1);
  put_be (build, 2, 4);
}

static void
make_page (guint block, guint page, guint generation, guint8 octets[PAGE])
{
  for (guint i = 0; i < PAGE; i++)
    octets[i] = (guint8) (block * 101 + page * 31 + generation * 7 + i * i + i / 3);
}

static void
put_page_head (Build *build, guint block, guint page, guint kind, gboolean named)
{
  put_be (build, (guint64) page * PAGE | kind | (named ? 0 : 0x20), 8);
  mark (build, 8);
  if (named)
    put_name (build, sample_plain_names[block]);
}

static void
put_stored (Build *build, guint block, guint page, guint generation, gboolean named)
{
  guint8 octets[PAGE];
  make_page (block, page, generation, octets);
  put_page_head (build, block, page, 8, named);
  put (build, (const char *) octets, sizeof octets);
  mark (build, sizeof octets);
}

static void
put_zero (Build *build, guint block, guint page, gboolean named)
{
  put_page_head (build, block, page, 2, named);
  put_be (build, 0, 1);
  mark (build, 1);
}

static gboolean
is_stored_at_first (guint page)
{
  return page % 5 == 0 || page == 63;
}

static void
put_pages (Build *build)
{
  for (guint block = 0; block < SAMPLE_PLAIN_N_BLOCKS; block++)
    for (guint page = 0; page < sample_plain_pages[block]; page++)
      if (is_stored_at_first (page))
        put_stored (build, block, page, 0, page == 0);
      else
        put_zero (build, block, page, page == 0);
}

/* What the guest did meanwhile. */
static void
put_second_pass (Build *build)
{
  put_stored (build, 0, 1, 1, TRUE);
  put_zero (build, 0, 5, FALSE);
  put_stored (build, 0, 10, 1, FALSE);
}

/* What a page has in the end. */
gboolean
sample_plain_page (guint block, guint page, guint8 octets[PAGE])
{
  memset (octets, 0, PAGE);
  const gboolean again = block == 0 && (page == 1 || page == 10);
  if ((!again && !is_stored_at_first (page)) || (block == 0 && page == 5))
    return FALSE;
  make_page (block, page, again ? 1 : 0, octets);
  return TRUE;
}

static void
put_device (Build *build, guint32 id, const char *name, guint32 instance, guint32 version,
            const char *octets, gsize size)
{
  put_be (build, 4, 1);
  put_be (build, id, 4);
  put_name (build, name);
  put_be (build, instance, 4);
  put_be (build, version, 4);
  if (version == 0) /* not in the description: an old device has none there */
    mark (build, 4);
  put (build, octets, size);
  mark (build, size);
  put_be (build, 0x7e, 1);
  put_be (build, id, 4);
}

/* The second one has in it what looks like its own end. */
static void
put_devices (Build *build)
{
  put_device (build, 4, "timer", 0, 2, "0123456789abcdef", 16);
  put_device (build, 7, "cpu", 3, 12,
              "\x7e\0\0\0\7\4\0\0\0\x09\3old\0\0\0\0\0\0\0\1........\x7e\0\0\0\7 "
              "\5\5cpu/x\0\0\0\1...."
              "                                                 ",
              40 + 15);
  put_device (build, 9, "old", 0, 0, "1234567", 7);
}

GByteArray *
sample_plain (GArray *content, SamplePlaces *places)
{
  Build build = { g_byte_array_new (), content };
  SamplePlaces at = { .list = 0 };
  put_head (&build);
  at.list = build.out->len;
  put_list (&build);
  at.list_end = build.out->len;
  put_ram_end (&build);
  put (&build, "\2\0\0\0\2", 5);
  at.pages = build.out->len;
  put_pages (&build);
  put_ram_end (&build);
  at.command = build.out->len;
  put (&build, "\x08\0\x0b\0\0", 5);
  at.end = build.out->len;
  put (&build, "\3\0\0\0\2", 5);
  put_second_pass (&build);
  put_ram_end (&build);
  at.devices = build.out->len;
  put_devices (&build);
  at.description = build.out->len;
  put (&build, "\0\6", 2);
  put_be (&build, sizeof description - 1, 4);
  put (&build, description, sizeof description - 1);
  mark (&build, sizeof description - 1);
  if (places != NULL)
    *places = at;
  return build.out;
}

typedef struct
{
  StasisStreamIn base;
  const GByteArray *octets; /* (borrowed) */
  gsize at;
  gsize step;
} In;

static gssize
read_in (StasisStreamIn *base, void *octets, gsize size, G_GNUC_UNUSED GCancellable *cancellable,
         G_GNUC_UNUSED GError **error)
{
  In *self = (In *) base;
  gsize n = MIN (size, self->octets->len - self->at);
  if (self->step > 0)
    n = MIN (n, self->step);
  if (n > 0)
    memcpy (octets, self->octets->data + self->at, n);
  self->at += n;
  return (gssize) n;
}

static void
free_in (StasisStreamIn *base)
{
  g_free (base);
}

/* The octets as a stream. */
StasisStreamIn *
sample_plain_in (const GByteArray *octets, gsize step)
{
  In *self = g_new0 (In, 1);
  self->base.read = read_in;
  self->base.free = free_in;
  self->octets = octets;
  self->step = step;
  return &self->base;
}
