/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-seeds.c: write the corpora of the image fuzz targets (when the format has changed)
 *
 * usage: fuzz-seeds tests/fuzz/corpus
 */

#include "config.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/extents.h"
#include "image/map-stream.h"
#include "image/octets.h"
#include "image/reader-private.h"
#include "sample-chain.h"
#include "sample-edits.h"
#include "sample-plain.h"
#include "sample.h"
#include "util/fd.h"

#define MIB (1024u * 1024)

static void
keep (const char *corpus, const char *target, const char *name, const void *octets, gsize size)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *folder = g_build_filename (corpus, target, NULL);
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_assert_cmpint (g_mkdir_with_parents (folder, 0755), ==, 0);
  g_file_set_contents (path, octets, (gssize) size, &error);
  g_assert_no_error (error);
}

/* The image with its body at 8 KiB instead of 512 KiB. */
static void
keep_image (const char *corpus, const char *name, int fd)
{
  guint8 octets[64 * 1024] = { 0 };
  guint8 number[8];
  struct stat st;
  g_assert_cmpint (fstat (fd, &st), ==, 0);
  const gsize tail_length = (gsize) st.st_size - (512 * 1024 + 4096);
  const gsize size = 12288 + tail_length;
  stasis_put_le64 (number, size);
  sample_patch_header (fd, 64, number, 8);
  stasis_put_le64 (number, 8192);
  sample_patch_header (fd, 88, number, 8);
  stasis_put_le64 (number, 12288);
  sample_patch_header (fd, 112, number, 8);
  g_assert_cmpint (pread (fd, octets, 8192, 0), ==, 8192);
  g_assert_cmpint (pread (fd, octets + 8192, 4096, 512 * 1024), ==, 4096);
  g_assert_cmpint (pread (fd, octets + 12288, tail_length, 512 * 1024 + 4096), ==,
                   (gssize) tail_length);
  keep (corpus, "image-reader", name, octets, size);
}

static void
keep_images (const char *corpus)
{
  static const char *const names[]
      = { "nothing", "xml-in-tail", "unknown-optional", "two-xml", NULL };
  for (gsize i = 0; i < sample_n_cases; i++)
    {
      if (!g_strv_contains (names, sample_cases[i].name))
        continue;
      stasis_autofd int fd = sample_edited (sample_cases[i].kind, sample_cases[i].edit);
      keep_image (corpus, sample_cases[i].name, fd);
    }
}

static void
add_parent (GPtrArray *front, GPtrArray *tail)
{
  static const char parent[]
      = "{\"image\":\"7d444840-9dc0-11d1-b245-5ffdce74fad2\","
        "\"hashes\":\"00112233445566778899aabbccddeeff\",\"file\":\"base.stasis\"}";
  g_ptr_array_insert (front, 1, sample_record (STASIS_RECORD_PARENT, parent, strlen (parent)));
}

/* Only a body whose memory lies in place has one, which would be too large: the kind is enough to
 * have the record looked at. */
static void
keep_parent (const char *corpus)
{
  guint8 kind[4];
  stasis_autofd int fd = sample_edited (STASIS_IMAGE_BODY_STREAM, add_parent);
  stasis_put_le32 (kind, STASIS_IMAGE_BODY_MAPPED_RAM);
  sample_patch_header (fd, 104, kind, sizeof kind);
  keep_image (corpus, "parent", fd);
}

static void
keep_streamed (const char *corpus)
{
  static const char *const names[]
      = { "chunks-nothing", "chunks-optional", "chunks-swapped", "chunk-one",     "chunk-encoding",
          "frame-other",    "frame-two",       "frame-no-size",  "chunks-hashes", NULL };
  for (gsize i = 0; i < sample_n_cases; i++)
    {
      if (!g_strv_contains (names, sample_cases[i].name))
        continue;
      stasis_autofd int fd = sample_edited (sample_cases[i].kind, sample_cases[i].edit);
      g_autoptr (GBytes) octets = sample_octets (fd);
      keep (corpus, "streamed-image", sample_cases[i].name, g_bytes_get_data (octets, NULL),
            g_bytes_get_size (octets));
    }
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_CHUNKS);
  g_autoptr (GBytes) octets = sample_octets (fd);
  keep (corpus, "streamed-image", "cut", g_bytes_get_data (octets, NULL),
        g_bytes_get_size (octets) - 300);
}

static void
keep_headers (const char *corpus)
{
  guint8 octets[STASIS_IMAGE_HEADER_SIZE];
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_STREAM);
  g_assert_cmpint (pread (fd, octets, sizeof octets, 0), ==, sizeof octets);
  keep (corpus, "image-header", "good", octets, sizeof octets);
  keep (corpus, "image-header", "cut", octets, 200);
  sample_patch_header (fd, 12, "PART", 4);
  g_assert_cmpint (pread (fd, octets, sizeof octets, 0), ==, sizeof octets);
  keep (corpus, "image-header", "partial", octets, sizeof octets);
  keep (corpus, "image-header", "libvirt", "LibvirtQemudSave\2\0\0\0", 20);
}

static void
keep_mapped_ram (const char *corpus)
{
  char head[] = "QEVM\0\0\0\3\7\0\0\0\4none"
                "\5\x1a"
                "configuration/capabilities\0\0\0\1\0\0\0\1\x0amapped-ram"
                "\1\0\0\0\2\3ram\0\0\0\0\0\0\0\4\0\0\0\0\0\x11\0\4"
                "\6pc.ram\0\0\0\0\0\x10\0\0\0\0\0\1\0\0\0\0\0\0\x10\0"
                "\0\0\0\0\0\0\0\x8c\0\0\0\0\0\x10\0\0"
                "\377\0\0\0\0\0\0\0"
                "NEXT"
                "\1v\0\0\0\0\0\1\0\0\0\0\0\1\0\0\0\0\0\0\x10\0"
                "\0\0\0\0\0\x20\0\x26\0\0\0\0\0\x30\0\0\3\0";
  char *bitmap = memchr (head, '\377', sizeof head);
  g_assert_cmpint (bitmap - head, <, 256);
  bitmap[-9] = (char) (bitmap - head);
  keep (corpus, "mapped-ram", "two-blocks", head, sizeof head - 1);

  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_MAPPED_RAM);
  g_autoptr (StasisImage) image = sample_open (fd, NULL);
  g_autoptr (GBytes) body = stasis_image_ram_map_encode (image->map);
  g_autoptr (GByteArray) map = g_byte_array_new ();
  g_byte_array_append (map, (const guint8 *) "m", 1);
  g_byte_array_append (map, g_bytes_get_data (body, NULL), (guint) g_bytes_get_size (body));
  keep (corpus, "mapped-ram", "map", map->data, map->len);
}

/* The plain sample with two pages of its eighty, once. */
static GByteArray *
make_small_plain (void)
{
  SamplePlaces places;
  g_autoptr (GByteArray) whole = sample_plain (NULL, &places);
  GByteArray *small = g_byte_array_new ();
  const guint two_pages = 8 + 7 + 4096 + 8 + 1; /* with octets, zero */
  const gsize ram_end = 13;
  g_byte_array_append (small, whole->data, (guint) places.pages);
  g_byte_array_append (small, whole->data + places.pages, two_pages);
  g_byte_array_append (small, whole->data + places.command - ram_end,
                       (guint) (places.end + 5 - (places.command - ram_end)));
  g_byte_array_append (small, whole->data + places.devices - ram_end,
                       (guint) (whole->len - (places.devices - ram_end)));
  return small;
}

/* The data of a file as pieces.h has it; the last piece says how long it is. */
static GByteArray *
make_pieces (int fd, guint64 end)
{
  GByteArray *out = g_byte_array_new ();
  guint64 start, stop;
  for (guint64 at = 0; at < end; at = stop)
    {
      guint8 head[8] = "NEXT";
      g_assert_true (stasis_extent_next (fd, at, end, &start, &stop, NULL));
      g_autofree guint8 *octets = g_malloc (stop - start + 1);
      g_assert_true (stasis_fd_pread_exact (fd, octets, stop - start, start, NULL));
      gsize n = stop - start;
      while (stop < end && n > 0 && octets[n - 1] == 0)
        n--;
      stasis_put_be32 (head + 4, (guint32) start);
      if (start > 0)
        g_byte_array_append (out, head, sizeof head);
      g_byte_array_append (out, octets, (guint) n);
    }
  return out;
}

/* The stream with the first @from replaced, by as many octets. */
static void
keep_edited (const char *corpus, const char *name, const GByteArray *plain, const char *from,
             const char *to)
{
  g_autofree guint8 *octets = g_memdup2 (plain->data, plain->len);
  guint8 *found = memmem (octets, plain->len, from, strlen (from));
  g_assert_nonnull (found);
  memcpy (found, to, strlen (from));
  keep (corpus, "qemu-stream", name, octets, plain->len);
  keep (corpus, "map-stream", name, octets, plain->len);
  keep (corpus, "flat", name, octets, plain->len);
}

static void
keep_streams (const char *corpus)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GByteArray) plain = make_small_plain ();
  g_autoptr (GBytes) bytes = g_bytes_new (plain->data, plain->len);
  g_autoptr (StasisStreamIn) in = stasis_stream_in_new_bytes (bytes);
  stasis_autofd int fd = sample_file ();
  guint64 end;
  stasis_map_stream (in, fd, 0, &end, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  g_autoptr (GByteArray) pieces = make_pieces (fd, end);
  keep (corpus, "qemu-stream", "good", plain->data, plain->len);
  keep (corpus, "qemu-stream", "cut", plain->data, plain->len - 100);
  keep (corpus, "map-stream", "good", plain->data, plain->len);
  keep (corpus, "flat", "good", plain->data, plain->len);
  keep (corpus, "unmap-stream", "good", pieces->data, pieces->len);
  keep_edited (corpus, "undescribed", plain, "\"devices\"", "\"Devices\"");
  keep_edited (corpus, "inexact", plain, "\"size\":8", "\"size\":9");
  keep_edited (corpus, "no-end", plain, "\x7e", "\x7f");
  keep_edited (corpus, "other-device", plain, "timer", "Timer");
}

/* An image as the target image-chain takes it. */
static GByteArray *
read_pieces (const char *path)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = stasis_fd_open (path, O_RDONLY, 0, &error);
  g_assert_no_error (error);
  return make_pieces (fd, (guint64) lseek (fd, 0, SEEK_END));
}

static void
keep_chain (const char *corpus, StasisImageBodyKind kind, const char *name)
{
  static const guint8 root[] = { 0, 10, 11, SAMPLE_CHAIN_END };
  static const guint8 top[] = { 0, 0, 1, 31, SAMPLE_CHAIN_END };
  g_autoptr (GError) error = NULL;
  g_autofree char *folder = g_dir_make_tmp ("stasis-XXXXXX", &error);
  g_assert_no_error (error);
  g_autofree char *here = g_get_current_dir ();
  g_autofree char *out = g_canonicalize_filename (corpus, here);
  g_assert_cmpint (chdir (folder), ==, 0);
  sample_chain_make ("p", NULL, STASIS_IMAGE_BODY_MAPPED_RAM, root);
  sample_chain_make ("c", "p", kind, top);
  g_autoptr (GByteArray) octets = read_pieces ("c");
  g_autoptr (GByteArray) base = read_pieces ("p");
  g_assert_cmpint (chdir (here), ==, 0);
  g_byte_array_append (octets, (const guint8 *) "BASE", 4);
  g_byte_array_append (octets, base->data, base->len);
  keep (out, "image-chain", name, octets->data, octets->len);
  for (guint i = 0; i < 2; i++)
    {
      g_autofree char *path = g_build_filename (folder, i == 0 ? "p" : "c", NULL);
      g_assert_cmpint (unlink (path), ==, 0);
    }
  g_assert_cmpint (rmdir (folder), ==, 0);
}

int
main (int argc, char **argv)
{
  g_assert_cmpint (argc, ==, 2);
  keep_headers (argv[1]);
  keep_images (argv[1]);
  keep_parent (argv[1]);
  keep_chain (argv[1], STASIS_IMAGE_BODY_MAPPED_RAM, "two");
  keep_chain (argv[1], STASIS_IMAGE_BODY_PACKED_RAM, "packed");
  keep_streamed (argv[1]);
  keep_mapped_ram (argv[1]);
  keep_streams (argv[1]);
  return 0;
}
