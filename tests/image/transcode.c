/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * transcode.c: scanner and transcoders as a program, for tests with real guests
 *
 * usage: transcode scan FILE
 *        transcode scan-mapped FILE OFFSET
 *        transcode unmap FILE OFFSET OUT
 *        transcode map FILE OUT OFFSET
 *        transcode draw FILE OFFSET TITLE OUT.png|OUT.svg
 *        transcode remap FILE OFFSET OUT NEW-OFFSET
 * Offsets are in octets; a body ends with its file.
 */

#include "config.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/draw-map.h"
#include "image/map-stream.h"
#include "image/mapped-ram.h"
#include "image/qemu-stream.h"
#include "image/remap.h"
#include "image/unmap-stream.h"
#include "util/fd.h"

static guint64
size_of (int fd)
{
  struct stat st;
  return fstat (fd, &st) == 0 ? (guint64) st.st_size : 0;
}

static gboolean
print_info (const StasisQemuStreamInfo *info)
{
  if (info == NULL)
    return FALSE;
  g_print ("machine %s\nlength %" PRIu64 "\n", info->machine, info->length);
  for (guint i = 0; i < info->map->n_blocks; i++)
    g_print ("block %s %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
             info->map->blocks[i].name, info->map->blocks[i].used_length, info->counts[i].n_stored,
             info->counts[i].n_zero, info->counts[i].n_filled);
  for (guint i = 0; i < info->devices->len; i++)
    {
      const StasisQemuDevice *device = g_ptr_array_index (info->devices, i);
      g_print ("device %s %u %u %" PRIu64 " %" PRIu64 "%s\n", device->name, device->instance,
               device->version, device->offset, device->size, device->exact ? "" : " inexact");
    }
  return TRUE;
}

static gboolean
scan (char **args, GError **error)
{
  stasis_autofd int fd = stasis_fd_open (args[0], O_RDONLY, 0, error);
  if (fd < 0)
    return FALSE;
  g_autoptr (StasisStreamIn) in = stasis_stream_in_new_pipe (fd);
  g_autoptr (StasisQemuStreamInfo) info = stasis_qemu_stream_scan (in, NULL, error);
  return print_info (info);
}

static gboolean
scan_mapped (char **args, GError **error)
{
  stasis_autofd int fd = stasis_fd_open (args[0], O_RDONLY, 0, error);
  if (fd < 0)
    return FALSE;
  g_autoptr (StasisQemuStreamInfo) info = stasis_qemu_stream_scan_mapped (
      fd, strtoull (args[1], NULL, 10), size_of (fd), NULL, error);
  return print_info (info);
}

/* "-" is the standard output. */
static int
open_out (const char *path, GError **error)
{
  return g_str_equal (path, "-") ? dup (STDOUT_FILENO)
                                 : stasis_fd_open (path, O_RDWR | O_CREAT | O_TRUNC, 0600, error);
}

static gboolean
unmap (char **args, GError **error)
{
  stasis_autofd int fd = stasis_fd_open (args[0], O_RDONLY, 0, error);
  stasis_autofd int out_fd = fd < 0 ? -1 : open_out (args[2], error);
  if (out_fd < 0)
    return FALSE;
  g_autoptr (StasisStreamIn) in
      = stasis_unmap_stream_new (fd, strtoull (args[1], NULL, 10), size_of (fd), NULL, error);
  g_autoptr (StasisStreamOut) out = stasis_stream_out_new_pipe (out_fd);
  if (in == NULL || !stasis_stream_copy (in, out, NULL, NULL, NULL, error))
    return FALSE;
  g_assert_cmpuint (in->position, ==, stasis_unmap_stream_length (in));
  return TRUE;
}

static gboolean
map (char **args, GError **error)
{
  stasis_autofd int fd = stasis_fd_open (args[0], O_RDONLY, 0, error);
  stasis_autofd int out = fd < 0 ? -1 : open_out (args[1], error);
  if (out < 0)
    return FALSE;
  g_autoptr (StasisStreamIn) in = stasis_stream_in_new_pipe (fd);
  const gint64 start = g_get_monotonic_time ();
  guint64 end;
  if (!stasis_map_stream (in, out, strtoull (args[2], NULL, 10), &end, NULL, NULL, NULL, error))
    return FALSE;
  g_print ("end %" PRIu64 "\nMB/s %.0f\n", end,
           (double) in->position / (double) (g_get_monotonic_time () - start));
  return TRUE;
}

static gboolean
remap (char **args, GError **error)
{
  stasis_autofd int fd = stasis_fd_open (args[0], O_RDONLY, 0, error);
  stasis_autofd int out = fd < 0 ? -1 : open_out (args[2], error);
  guint64 end;
  if (out < 0
      || !stasis_remap (fd, strtoull (args[1], NULL, 10), size_of (fd), out,
                        strtoull (args[3], NULL, 10), &end, NULL, NULL, NULL, error))
    return FALSE;
  g_print ("end %" PRIu64 "\n", end);
  return TRUE;
}

static gboolean
draw (char **args, GError **error)
{
  stasis_autofd int fd = stasis_fd_open (args[0], O_RDONLY, 0, error);
  if (fd < 0)
    return FALSE;
  g_autoptr (StasisMemoryPicture) picture = stasis_memory_picture_new (args[2]);
  g_autoptr (StasisImageRamMap) blocks
      = stasis_mapped_ram_parse (fd, strtoull (args[1], NULL, 10), size_of (fd), error);
  if (blocks == NULL
      || !stasis_memory_picture_add_map (picture, fd, blocks, NULL, NULL, NULL, error))
    return FALSE;
  g_autoptr (GBytes) bytes = g_str_has_suffix (args[3], ".svg")
                                 ? stasis_memory_picture_to_svg (picture)
                                 : stasis_memory_picture_to_png (picture, error);
  return bytes != NULL
         && g_file_set_contents (args[3], g_bytes_get_data (bytes, NULL),
                                 (gssize) g_bytes_get_size (bytes), error);
}

static const struct
{
  const char *name;
  int n_args;
  gboolean (*run) (char **args, GError **error);
} verbs[] = {
  { "scan", 1, scan },   { "scan-mapped", 2, scan_mapped },
  { "unmap", 3, unmap }, { "map", 3, map },
  { "remap", 4, remap }, { "draw", 4, draw },
};

int
main (int argc, char **argv)
{
  for (gsize i = 0; i < G_N_ELEMENTS (verbs); i++)
    if (argc == verbs[i].n_args + 2 && g_str_equal (argv[1], verbs[i].name))
      {
        g_autoptr (GError) error = NULL;
        const gboolean ok = verbs[i].run (argv + 2, &error);
        if (!ok)
          g_printerr ("%s\n", error->message);
        return ok ? 0 : 1;
      }
  g_printerr ("usage: see the beginning of transcode.c\n");
  return 2;
}
