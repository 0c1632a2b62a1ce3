/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * shared-ram.c: guest memory that another process can have as well
 *
 * Theory of operation
 *
 * Shared memory is a file in memory (memfd).  QEMU can make one by itself, but one that it is told
 * to open it calls a named file, and only that it leaves out of a migration that ignores shared
 * memory (QEMU 8.1 and later; 7.2 leaves out any).  So the driver makes it, and QEMU opens it by
 * /proc/self/fd.  Who takes the guest over finds it among the descriptors of the QEMU that has it.
 */

#include "config.h"

#include "driver/shared-ram.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/command.h"
#include "util/fd.h"

#define RAM_NAME "stasis-ram"
/* The driver's, and QEMU's own of 7.2. */
static const char *const links[] = { "/memfd:" RAM_NAME, "/memfd:memory-backend-memfd" };

/* Huge pages are QEMU's to find. */
gboolean
stasis_shared_ram_is_wanted (const StasisDomainDef *def)
{
  const StasisMemoryBackingDef *backing = &def->memory_backing;
  return !backing->hugepages
         && (backing->access == STASIS_MEMORY_ACCESS_SHARED
             || (backing->access == STASIS_MEMORY_ACCESS_UNSET
                 && backing->source == STASIS_MEMORY_SOURCE_MEMFD));
}

int
stasis_shared_ram_make (const StasisDomainDef *def, GError **error)
{
  stasis_autofd int fd = memfd_create (RAM_NAME, MFD_CLOEXEC);
  if (fd >= 0 && ftruncate (fd, (off_t) stasis_command_ram_size (def)) == 0)
    return stasis_fd_steal (&fd);
  stasis_throw_errno (error, _ ("cannot make memory for the guest"));
  return -1;
}

static gboolean
is_ram (const char *folder, const char *name)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_autofree char *target = g_file_read_link (path, NULL);
  for (gsize i = 0; target != NULL && i < G_N_ELEMENTS (links); i++)
    if (g_str_has_prefix (target, links[i]))
      return TRUE;
  return FALSE;
}

/* -1: it is another file, or one of another size. */
static int
open_one (const char *folder, const char *name, guint64 size)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  stasis_autofd int fd = stasis_fd_open (path, O_RDWR, 0, NULL);
  struct stat st;
  if (fd < 0 || fstat (fd, &st) < 0 || (guint64) st.st_size != size)
    return -1;
  return stasis_fd_steal (&fd);
}

int
stasis_shared_ram_open (const StasisProcess *qemu, guint64 size, GError **error)
{
  g_autofree char *folder = g_strdup_printf ("/proc/%d/fd", (int) qemu->pid);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, error);
  if (dir == NULL)
    return -1;
  const char *name;
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      const int fd = is_ram (folder, name) ? open_one (folder, name, size) : -1;
      if (fd >= 0)
        return fd;
    }
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                       _ ("QEMU has the guest's memory from no file in memory"));
  return -1;
}
