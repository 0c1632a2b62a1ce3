/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt-tool.c: what an integration test does with images of others, by the library
 *
 * show IMAGE                       kind, state, lengths; checked strictly
 * xml IMAGE                        the domain XML
 * body IMAGE                       QEMU's plain stream to standard output
 * convert IMAGE KIND NEW           the same guest as another of libvirt's kinds
 * rewrite IMAGE XML-FILE STATE NEW with another XML; STATE: running or paused
 * trailer IMAGE UUID               QEMU's plain stream with a trailer to standard output
 * untrailer                        from standard input without the trailer to standard output
 * sparse XML-FILE NEW              prints where the body goes, waits for a line, finishes
 */

#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image/kind.h"
#include "image/libvirt-image.h"
#include "image/libvirt-rewrite.h"
#include "image/libvirt-writer.h"
#include "image/trailer.h"
#include "util/fd.h"

/* Every failure ends the program; the message is for the test. */
static void
check (gboolean ok, GError **error)
{
  if (ok)
    return;
  fprintf (stderr, "error: %s: %s\n", g_quark_to_string ((*error)->domain), (*error)->message);
  exit (1);
}

static StasisLibvirtImage *
open_image (const char *path)
{
  GError *error = NULL;
  StasisLibvirtImage *image = stasis_libvirt_image_open (path, &error);
  check (image != NULL, &error);
  return image;
}

static int
create (const char *path)
{
  GError *error = NULL;
  const int fd = stasis_fd_open (path, O_RDWR | O_CREAT | O_EXCL, 0600, &error);
  check (fd >= 0, &error);
  return fd;
}

static GBytes *
read_text (const char *path)
{
  GError *error = NULL;
  char *text = NULL;
  gsize size = 0;
  check (g_file_get_contents (path, &text, &size, &error), &error);
  return g_bytes_new_take (text, size);
}

static void
copy (StasisStreamIn *in, StasisStreamOut *out)
{
  GError *error = NULL;
  check (stasis_stream_copy (in, out, NULL, NULL, NULL, &error), &error);
}

static void
show (const char *path)
{
  GError *error = NULL;
  StasisImageKind kind;
  stasis_autofd int fd = stasis_fd_open (path, O_RDONLY, 0, &error);
  check (fd >= 0 && stasis_image_kind_detect (fd, path, &kind, &error), &error);
  g_autoptr (StasisLibvirtImage) image = open_image (path);
  check (stasis_libvirt_image_check_strictly (image, &error), &error);
  GBytes *cookie = stasis_libvirt_image_cookie (image);
  printf ("%s %s %" G_GUINT64_FORMAT " %zu\n", stasis_image_kind_to_string (kind),
          stasis_libvirt_image_was_running (image) ? "running" : "paused",
          stasis_libvirt_image_body_offset (image), cookie == NULL ? 0 : g_bytes_get_size (cookie));
  if (kind == STASIS_IMAGE_KIND_LIBVIRT_SPARSE)
    {
      g_autoptr (StasisImageRamMap) map = stasis_libvirt_image_ram_map (image, &error);
      check (map != NULL, &error);
      for (guint i = 0; i < map->n_blocks; i++)
        printf ("%s\n", map->blocks[i].name);
    }
}

static void
body (const char *path, const char *uuid)
{
  GError *error = NULL;
  guint8 octets[STASIS_UUID_SIZE];
  g_autoptr (StasisLibvirtImage) image = open_image (path);
  g_autoptr (StasisStreamIn) in = stasis_libvirt_image_body (image, &error);
  check (in != NULL, &error);
  g_autoptr (StasisStreamOut) out = stasis_stream_out_new_pipe (STDOUT_FILENO);
  copy (in, out);
  if (uuid != NULL)
    check (stasis_uuid_parse (uuid, octets, &error)
               && stasis_trailer_write (out, octets, NULL, &error),
           &error);
}

static void
untrailer (void)
{
  g_autoptr (StasisStreamIn) in = stasis_stream_in_new_pipe (STDIN_FILENO);
  g_autoptr (StasisStreamIn) stream = stasis_trailer_body_new (in, "standard input");
  g_autoptr (StasisStreamOut) out = stasis_stream_out_new_pipe (STDOUT_FILENO);
  copy (stream, out);
  g_autofree char *uuid = stasis_uuid_format (stasis_trailer_body_uuid (stream));
  fprintf (stderr, "%s\n", uuid);
}

static void
convert (const char *path, const char *name, const char *target)
{
  GError *error = NULL;
  StasisImageKind kind;
  check (stasis_image_kind_from_string (name, &kind, &error), &error);
  g_autoptr (StasisLibvirtImage) image = open_image (path);
  const StasisLibvirtFacts facts = { .format = stasis_image_kind_libvirt_format (kind),
                                     .xml = stasis_libvirt_image_xml (image),
                                     .cookie = stasis_libvirt_image_cookie (image),
                                     .was_running = stasis_libvirt_image_was_running (image) };
  stasis_autofd int fd = create (target);
  g_autoptr (StasisLibvirtWriter) writer = stasis_libvirt_writer_begin (fd, &facts, &error);
  check (writer != NULL, &error);
  g_autoptr (StasisStreamIn) in = stasis_libvirt_image_body (image, &error);
  check (in != NULL, &error);
  copy (in, stasis_libvirt_writer_body (writer));
  check (stasis_libvirt_writer_finish (writer, NULL, &error), &error);
}

static void
rewrite (const char *path, const char *xml_path, const char *state, const char *target)
{
  GError *error = NULL;
  g_autoptr (GBytes) xml = read_text (xml_path);
  g_autoptr (StasisLibvirtImage) image = open_image (path);
  stasis_autofd int fd = create (target);
  check (stasis_libvirt_rewrite (image, xml, g_str_equal (state, "running"), fd, NULL, NULL, NULL,
                                 &error),
         &error);
}

static void
sparse (const char *xml_path, const char *target)
{
  GError *error = NULL;
  g_autoptr (GBytes) xml = read_text (xml_path);
  const StasisLibvirtFacts facts
      = { .format = STASIS_LIBVIRT_FORMAT_SPARSE, .xml = xml, .was_running = TRUE };
  stasis_autofd int fd = create (target);
  g_autoptr (StasisLibvirtWriter) writer = stasis_libvirt_writer_begin (fd, &facts, &error);
  check (writer != NULL, &error);
  printf ("%" G_GUINT64_FORMAT "\n", stasis_libvirt_writer_body_offset (writer));
  fflush (stdout);
  getchar ();
  check (stasis_libvirt_writer_finish (writer, NULL, &error), &error);
}

int
main (int argc, char **argv)
{
  const char *word = argc > 1 ? argv[1] : "";
  signal (SIGPIPE, SIG_IGN);
  if (g_str_equal (word, "show") && argc == 3)
    show (argv[2]);
  else if (g_str_equal (word, "xml") && argc == 3)
    {
      g_autoptr (StasisLibvirtImage) image = open_image (argv[2]);
      GBytes *xml = stasis_libvirt_image_xml (image);
      fwrite (g_bytes_get_data (xml, NULL), 1, g_bytes_get_size (xml), stdout);
    }
  else if (g_str_equal (word, "body") && argc == 3)
    body (argv[2], NULL);
  else if (g_str_equal (word, "trailer") && argc == 4)
    body (argv[2], argv[3]);
  else if (g_str_equal (word, "untrailer") && argc == 2)
    untrailer ();
  else if (g_str_equal (word, "convert") && argc == 5)
    convert (argv[2], argv[3], argv[4]);
  else if (g_str_equal (word, "rewrite") && argc == 6)
    rewrite (argv[2], argv[3], argv[4], argv[5]);
  else if (g_str_equal (word, "sparse") && argc == 4)
    sparse (argv[2], argv[3]);
  else
    return 2;
  return 0;
}
