/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * convert-test.c: images of all kinds out of each other, and of no part of one
 */

#include "config.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/convert.h"
#include "image/error.h"
#include "image/input-verify.h"
#include "image/origin.h"
#include "image/trailer.h"
#include "libvirt-sample.h"
#include "sample-plain.h"
#include "sample.h"
#include "streams.h"
#include "util/fd.h"

/* Cuts: of images whose bodies other programs decompress (a process each), and of those whose
 * memory lies in place, mostly in holes.  Of all others every octet is the end once. */
#define SAMPLE_STEP  7 /* octets between cuts, where not all are asked for */
#define N_CUTS_SLOW  40u
#define N_CUTS_HOLES 1500u
#define FRONT        160u /* octets, all of which are cut */

static gboolean
is_slow (StasisImageKind kind)
{
  return kind == STASIS_IMAGE_KIND_LIBVIRT_BZIP2 || kind == STASIS_IMAGE_KIND_LIBVIRT_XZ
         || kind == STASIS_IMAGE_KIND_LIBVIRT_LZOP;
}

static gboolean
can (StasisImageKind kind)
{
  return !stasis_image_kind_is_libvirt (kind)
         || libvirt_sample_can (stasis_image_kind_libvirt_format (kind));
}

/* The form of 2007 of a stream of QEMU. */
static int
trailer_image (void)
{
  static const guint8 uuid[STASIS_UUID_SIZE] = { 1, 2, 3 };
  g_autoptr (GByteArray) octets = sample_plain (NULL, NULL);
  g_autoptr (StasisStreamOut) out = streams_collect (octets);
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_trailer_write (out, uuid, NULL, &error));
  g_assert_no_error (error);
  g_autoptr (GBytes) bytes = g_bytes_new (octets->data, octets->len);
  return streams_file (bytes);
}

/* @fd (borrowed) as an image of @kind in another unnamed file; -1 and @error on failure. */
static int
convert (int fd, StasisImageKind kind, GError **error)
{
  g_autoptr (StasisImageInput) input = stasis_image_input_open (dup (fd), "old", NULL, error);
  if (input == NULL)
    return -1;
  g_autoptr (GBytes) xml = g_bytes_new_static (SAMPLE_XML, strlen (SAMPLE_XML));
  g_autoptr (StasisJson) facts = sample_facts ();
  g_autoptr (StasisJson) origin = stasis_image_origin_new (
      stasis_image_kind_to_string (stasis_image_input_kind (input)), NULL, NULL);
  stasis_autofd int out = sample_file ();
  const StasisImageOutput output = { .kind = kind,
                                     .fd = out,
                                     .mapped = TRUE,
                                     .xml = xml,
                                     .domain_uuid = { 1, 2, 3 },
                                     .has_uuid = TRUE,
                                     .facts = facts,
                                     .origin = origin };
  if (!stasis_image_convert_input (input, &output, FALSE, NULL, NULL, NULL, error))
    return -1;
  return stasis_fd_steal (&out);
}

static gboolean
is_good (int fd)
{
  g_autoptr (StasisImageInput) input = stasis_image_input_open (dup (fd), "image", NULL, NULL);
  g_autoptr (GPtrArray) faults
      = input == NULL ? NULL : stasis_image_input_verify (input, NULL, NULL, NULL, NULL);
  return faults != NULL && faults->len == 0;
}

static void
test_back (gconstpointer data)
{
  const StasisImageKind kind = GPOINTER_TO_UINT (data);
  if (!can (kind))
    return;
  g_autoptr (GError) error = NULL;
  stasis_autofd int first = trailer_image ();
  stasis_autofd int there = convert (first, kind, &error);
  g_assert_no_error (error);
  g_assert_true (is_good (there));

  g_autoptr (StasisImageInput) input = stasis_image_input_open (dup (there), "new", NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (stasis_image_input_kind (input), ==, kind);
  g_autofree char *machine = stasis_image_input_read_machine (input, NULL, &error);
  g_assert_no_error (error);
  g_assert_nonnull (machine);

  /* In place the pages have another order: what comes back has that one, and keeps it. */
  stasis_autofd int back = convert (there, STASIS_IMAGE_KIND_TRAILER, &error);
  g_assert_no_error (error);
  stasis_autofd int mapped = convert (first, STASIS_IMAGE_KIND_LIBVIRT_SPARSE, &error);
  g_assert_no_error (error);
  stasis_autofd int ordered = convert (mapped, STASIS_IMAGE_KIND_TRAILER, &error);
  g_assert_no_error (error);
  g_autoptr (GBytes) came = streams_read_file (back);
  g_autoptr (GBytes) wanted
      = streams_read_file (stasis_image_kind_needs_file (kind) ? ordered : first);
  g_assert_true (g_bytes_equal (came, wanted));
}

/* No image that was cut becomes a whole one of another kind, or is called good. */
static void
test_prefixes (gconstpointer data)
{
  const StasisImageKind kind = GPOINTER_TO_UINT (data);
  if (!can (kind))
    return;
  g_autoptr (GError) error = NULL;
  stasis_autofd int first = trailer_image ();
  stasis_autofd int image = convert (first, kind, &error);
  g_assert_no_error (error);
  struct stat st;
  g_assert_cmpint (fstat (image, &st), ==, 0);
  const off_t fine = g_getenv ("STASIS_TEST_SOAK") != NULL ? 1 : SAMPLE_STEP;
  off_t step = fine;
  if (is_slow (kind) || stasis_image_kind_needs_file (kind))
    step = MAX (fine, st.st_size / (is_slow (kind) ? N_CUTS_SLOW : N_CUTS_HOLES));
  for (off_t size = st.st_size - 1; size >= 0;
       size -= size <= (off_t) FRONT || st.st_size - size < (off_t) FRONT / 2 ? fine : step)
    {
      g_assert_cmpint (ftruncate (image, size), ==, 0);
      stasis_autofd int out = convert (image, STASIS_IMAGE_KIND_TRAILER, NULL);
      if (out >= 0 || is_good (image))
        g_error ("the first %" G_GINT64_FORMAT " octets of %" G_GINT64_FORMAT " pass",
                 (gint64) size, (gint64) st.st_size);
    }
}

static void
test_itself (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int image = trailer_image ();
  g_autoptr (StasisImageInput) input = stasis_image_input_open (dup (image), "one", NULL, &error);
  g_assert_no_error (error);
  const StasisImageOutput output
      = { .kind = STASIS_IMAGE_KIND_TRAILER, .fd = image, .has_uuid = TRUE };
  g_assert_false (stasis_image_convert_input (input, &output, FALSE, NULL, NULL, NULL, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID);
  g_assert_true (is_good (image));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/image/convert/into-itself", test_itself);
  for (guint kind = 0; kind < STASIS_IMAGE_KINDS; kind++)
    {
      const char *name = stasis_image_kind_to_string (kind);
      g_autofree char *back = g_strdup_printf ("/image/convert/there-and-back/%s", name);
      g_autofree char *prefixes = g_strdup_printf ("/image/convert/prefixes/%s", name);
      g_test_add_data_func (back, GUINT_TO_POINTER (kind), test_back);
      g_test_add_data_func (prefixes, GUINT_TO_POINTER (kind), test_prefixes);
    }
  return g_test_run ();
}
