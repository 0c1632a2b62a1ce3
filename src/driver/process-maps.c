/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process-maps.c: the mappings of another process
 *
 * /proc/PID/maps names a file by device and inode, but by the device that the file system is
 * mounted from, and stat(2) says another one on btrfs or overlayfs.  So which lines are of a file
 * is found by example: we map a page of it ourselves, and look at what the kernel calls that.
 */

#include "config.h"

#include "driver/process-maps.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "util/fd.h"

static gboolean
parse_line (const char *line, StasisMapping *out_mapping)
{
  unsigned long begin;
  unsigned long end;
  unsigned long offset;
  unsigned long inode;
  StasisMapping mapping = { 0 };
  if (sscanf (line, "%lx-%lx %4s %lx %x:%x %lu", &begin, &end, mapping.mode, &offset,
              &mapping.major, &mapping.minor, &inode)
      != 7)
    return FALSE;
  mapping.begin = begin;
  mapping.end = end;
  mapping.offset = offset;
  mapping.inode = inode;
  *out_mapping = mapping;
  return TRUE;
}

/* All of them. */
GArray *
stasis_process_maps_read (pid_t pid, GError **error)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/maps", (int) pid);
  FILE *file = fopen (path, "re");
  if (file == NULL)
    {
      stasis_throw_errno (error, _ ("cannot look at the memory of process %d"), (int) pid);
      return NULL;
    }
  GArray *mappings = g_array_new (FALSE, FALSE, sizeof (StasisMapping));
  StasisMapping mapping;
  char line[512]; /* the rest of a longer one is no mapping */
  while (fgets (line, sizeof line, file) != NULL)
    if (parse_line (line, &mapping))
      g_array_append_val (mappings, mapping);
  fclose (file);
  return mappings;
}

/* What the kernel calls the file. */
static gboolean
find_example (int fd, StasisMapping *out_mapping, GError **error)
{
  const gsize size = (gsize) sysconf (_SC_PAGESIZE);
  void *page = mmap (NULL, size, PROT_READ, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED)
    return stasis_throw_errno (error, _ ("cannot map the file"));
  gboolean is_found = FALSE;
  g_autoptr (GArray) own = stasis_process_maps_read (getpid (), error);
  for (guint i = 0; own != NULL && !is_found && i < own->len; i++)
    {
      *out_mapping = g_array_index (own, StasisMapping, i);
      is_found = out_mapping->begin <= (gsize) page && (gsize) page < out_mapping->end;
    }
  munmap (page, size);
  if (own != NULL && !is_found)
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                         _ ("the kernel does not tell of a mapping"));
  return is_found;
}

/* Those of a file. */
GArray *
stasis_process_maps_of_file (pid_t pid, int fd, GError **error)
{
  StasisMapping example = { 0 };
  g_autoptr (GArray) all
      = find_example (fd, &example, error) ? stasis_process_maps_read (pid, error) : NULL;
  if (all == NULL)
    return NULL;
  GArray *found = g_array_new (FALSE, FALSE, sizeof (StasisMapping));
  for (guint i = 0; i < all->len; i++)
    {
      const StasisMapping *mapping = &g_array_index (all, StasisMapping, i);
      if (mapping->inode == example.inode && mapping->major == example.major
          && mapping->minor == example.minor)
        g_array_append_val (found, *mapping);
    }
  return found;
}

/* Where it has it open. */
int
stasis_process_maps_open_file (pid_t pid, const StasisMapping *mapping)
{
  g_autofree char *folder = g_strdup_printf ("/proc/%d/fd", (int) pid);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);
      struct stat st;
      if (stat (path, &st) == 0 && S_ISREG (st.st_mode) && st.st_ino == mapping->inode
          && major (st.st_dev) == mapping->major && minor (st.st_dev) == mapping->minor)
        return stasis_fd_open (path, O_RDONLY, 0, NULL);
    }
  return -1;
}

/* TRUE where what is written stays the process's own. */
gboolean
stasis_mapping_is_private (const StasisMapping *mapping)
{
  return mapping->mode[1] == 'w' && mapping->mode[3] == 'p';
}

/* TRUE where it is the file's. */
gboolean
stasis_mapping_is_shared (const StasisMapping *mapping)
{
  return mapping->mode[3] == 's';
}
