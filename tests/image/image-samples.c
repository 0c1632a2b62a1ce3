/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-samples.c: write all kinds of images, and what the library thinks of each
 *
 * usage: image-samples FOLDER.  For tests/verify/agree.py: prints `NAME VERDICT` lines.
 */

#include "config.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/error.h"
#include "image/octets.h"
#include "image/reader-private.h"
#include "image/rewrite.h"
#include "image/streamed-writer.h"
#include "sample-edits.h"
#include "sample.h"
#include "util/fd.h"

#define MIB     (1024u * 1024)
#define N_FLIPS 100

static const char *folder;

static const char *
verdict (int fd)
{
  static const char *const names[] = {
    [STASIS_IMAGE_ERROR_NOT_AN_IMAGE] = "not-an-image",
    [STASIS_IMAGE_ERROR_INCOMPLETE] = "incomplete",
    [STASIS_IMAGE_ERROR_UNSUPPORTED] = "unsupported",
    [STASIS_IMAGE_ERROR_CORRUPT] = "corrupt",
  };
  g_autoptr (GError) error = NULL;
  if (sample_verify (fd, &error))
    return "good";
  g_assert_true (error->domain == STASIS_IMAGE_ERROR);
  return names[error->code];
}

/* Keep a copy of @fd under that name, and say what the library thinks of it. */
static void keep (int fd, const char *format, ...) G_GNUC_PRINTF (2, 3);

static void
keep (int fd, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *name = g_strdup_vprintf (format, args);
  va_end (args);

  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_autoptr (GError) error = NULL;
  stasis_autofd int out = stasis_fd_open (path, O_RDWR | O_CREAT | O_EXCL, 0600, &error);
  g_assert_no_error (error);
  sample_copy_to (fd, out);
  g_print ("%s %s\n", name, verdict (fd));
}

static void
keep_flips (StasisImageBodyKind kind)
{
  stasis_autofd int fd = sample_image (kind);
  struct stat st;
  g_assert_cmpint (fstat (fd, &st), ==, 0);
  keep (fd, "%s", stasis_image_body_kind_to_string (kind));
  for (guint i = 0; i < N_FLIPS; i++)
    {
      /* Half of them in the header and the front, where most of the structure is. */
      const guint64 at = (guint64) g_random_double_range (
          0, i % 2 == 0 ? MIN (5000, (double) st.st_size) : (double) st.st_size);
      guint8 octet, changed;
      g_assert_cmpint (pread (fd, &octet, 1, (off_t) at), ==, 1);
      changed = octet ^ (guint8) (1u << i % 8);
      g_assert_cmpint (pwrite (fd, &changed, 1, (off_t) at), ==, 1);
      keep (fd, "%s-flip-%u-at-%" G_GUINT64_FORMAT, stasis_image_body_kind_to_string (kind), i, at);
      g_assert_cmpint (pwrite (fd, &octet, 1, (off_t) at), ==, 1);
    }
}

static void
keep_cuts (void)
{
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_STREAM);
  struct stat st;
  g_assert_cmpint (fstat (fd, &st), ==, 0);
  for (off_t size = st.st_size - 1; size > 0; size -= size > 8192 ? 4999 : size > 16 ? 83 : 1)
    {
      g_assert_cmpint (ftruncate (fd, size), ==, 0);
      keep (fd, "cut-at-%ld", (long) size);
    }
}

/* Every prefix of the records and some of the header. */
static void
keep_stream_cuts (void)
{
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_CHUNKS);
  struct stat st;
  g_assert_cmpint (fstat (fd, &st), ==, 0);
  g_assert_cmpint (lseek (fd, 0, SEEK_END), >, 0);
  g_assert_cmpint (write (fd, "", 1), ==, 1);
  keep (fd, "chunks-trailing");
  for (off_t size = st.st_size - 1; size > 4090; size -= 7)
    {
      g_assert_cmpint (ftruncate (fd, size), ==, 0);
      keep (fd, "chunks-cut-at-%ld", (long) size);
    }
}

static void
keep_stream_headers (void)
{
  static const struct
  {
    const char *name;
    gsize at;
    const char *octets;
    gsize size;
  } patches[] = {
    { "done", 12, "DONE", 4 },
    { "partial", 12, "PART", 4 },
    { "kind-1", 104, "\1", 1 },
    { "kind-2", 104, "\2", 1 },
    { "kind-4", 104, "\4", 1 },
    { "kind-5", 104, "\5", 1 },
    { "file-size", 64, "\1", 1 },
    { "front-length", 80, "\1", 1 },
    { "front-length-max", 80, "\377\377\377\377\377\377\377\377", 8 },
    { "body-offset", 88, "\10", 1 },
    { "body-length", 96, "\1", 1 },
    { "tail-offset", 112, "\1", 1 },
    { "tail-length", 120, "\1", 1 },
    { "reserved", 108, "\1", 1 },
    { "nothing", 0, "", 0 },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (patches); i++)
    {
      stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_CHUNKS);
      sample_patch_header (fd, patches[i].at, patches[i].octets, patches[i].size);
      keep (fd, "chunks-header-%s", patches[i].name);
    }
}

static void
keep_headers (void)
{
  static const struct
  {
    const char *name;
    gsize at;
    const char *octets;
    gsize size;
  } patches[] = {
    { "version-3", 8, "\3", 1 },       { "version-1", 8, "\1", 1 },
    { "state", 12, "WHAT", 4 },        { "partial", 12, "PART", 4 },
    { "flags", 48, "\1", 1 },          { "file-size", 64, "\1", 1 },
    { "front-offset", 72, "\1", 1 },   { "front-length", 80, "\1", 1 },
    { "body-offset", 88, "\1", 1 },    { "body-length", 103, "\377", 1 },
    { "body-kind-0", 104, "\0", 1 },   { "body-kind-3", 104, "\3", 1 },
    { "body-kind-4", 104, "\4", 1 },   { "stream", 12, "FLOW", 4 },
    { "reserved", 108, "\1", 1 },      { "tail-offset", 112, "\1", 1 },
    { "tail-length", 120, "\1", 1 },   { "writer-full", 191, "x", 1 },
    { "writer-utf8", 128, "\377", 1 }, { "writer-rest", 190, "x", 1 },
    { "rest", 4079, "x", 1 },          { "nothing", 0, "", 0 },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (patches); i++)
    {
      stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_STREAM);
      sample_patch_header (fd, patches[i].at, patches[i].octets, patches[i].size);
      keep (fd, "header-%s", patches[i].name);
    }
}

static void
keep_strangers (void)
{
  static const char *const beginnings[] = { "LibvirtQemudSave", "LibvirtQemudPart", "QEVM....",
                                            "\211STS\n\032\n",  "\tSTS\r\n\032\n",  "\211STS",
                                            "\211ST",           "\177ELF",          "" };
  for (gsize i = 0; i < G_N_ELEMENTS (beginnings); i++)
    {
      stasis_autofd int fd = sample_file ();
      g_assert_cmpint (write (fd, beginnings[i], strlen (beginnings[i])), >=, 0);
      keep (fd, "stranger-%zu", i);
    }
}

static void
keep_rewritten (StasisImageBodyKind kind, gsize xml_size)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_image (kind);
  stasis_autofd int out = sample_file ();
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  g_autoptr (GBytes) xml = g_bytes_new_take (g_strnfill (xml_size, 'x'), xml_size);
  stasis_image_rewrite (image, xml, NULL, out, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  keep (out, "%s-rewritten-%zu", stasis_image_body_kind_to_string (kind), xml_size);
}

/* Data where the bitmap says zero, hashed as it is. */
static void
keep_stale (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_file ();
  g_autoptr (StasisImageWriter) writer = sample_begin (fd, STASIS_IMAGE_BODY_MAPPED_RAM);
  sample_write_mapped_ram (fd, stasis_image_writer_body_offset (writer));
  g_autofree guint8 *pages = g_malloc (MIB);
  memset (pages, 'x', MIB);
  g_assert_cmpint (pwrite (fd, pages, MIB, 2 * MIB), ==, MIB);
  const StasisImageTail tail = { .disks = NULL };
  stasis_image_writer_finish (writer, 0, &tail, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  keep (fd, "stale");
}

/* By our own writer, at several levels. */
static void
keep_written (void)
{
  for (int level = 0; level <= STASIS_STREAMED_LEVEL_MAX; level += 6)
    {
      stasis_autofd int fd = sample_written (level, 5 * MIB + 1);
      keep (fd, "written-at-%d", level);
    }
}

static void
keep_flags (void)
{
  stasis_autofd int fd = sample_edited (STASIS_IMAGE_BODY_STREAM, sample_edit_flags);
  keep (fd, "record-flags");
  stasis_autofd int stream = sample_edited (STASIS_IMAGE_BODY_CHUNKS, sample_edit_flags);
  keep (stream, "chunks-record-flags");
}

int
main (int argc, char **argv)
{
  g_assert_cmpint (argc, ==, 2);
  folder = argv[1];
  keep_flips (STASIS_IMAGE_BODY_STREAM);
  keep_flips (STASIS_IMAGE_BODY_MAPPED_RAM);
  keep_flips (STASIS_IMAGE_BODY_CHUNKS);
  keep_flips (STASIS_IMAGE_BODY_PACKED_RAM);
  keep_stream_cuts ();
  keep_stream_headers ();
  keep_cuts ();
  keep_headers ();
  keep_strangers ();
  keep_rewritten (STASIS_IMAGE_BODY_MAPPED_RAM, 1);
  keep_rewritten (STASIS_IMAGE_BODY_MAPPED_RAM, 600000);
  keep_rewritten (STASIS_IMAGE_BODY_CHUNKS, 1);
  keep_rewritten (STASIS_IMAGE_BODY_CHUNKS, 600000);
  keep_written ();
  keep_stale ();
  keep_flags ();
  for (gsize i = 0; i < sample_n_cases; i++)
    {
      stasis_autofd int fd = sample_edited (sample_cases[i].kind, sample_cases[i].edit);
      keep (fd, "records-%s", sample_cases[i].name);
    }
  for (gsize i = 0; i < sample_n_packed_cases; i++)
    {
      stasis_autofd int fd
          = sample_edited (sample_packed_cases[i].kind, sample_packed_cases[i].edit);
      keep (fd, "records-%s", sample_packed_cases[i].name);
    }
  return 0;
}
