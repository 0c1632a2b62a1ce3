/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * userfault.c: the userfaultfd that a QEMU was started with, by which its guest's writes are
 * tracked
 *
 * A library that is preloaded (src/preload) has made it before QEMU's own main(), so of several it
 * is the one with the lowest number.
 */

#include "config.h"

#include "driver/userfault.h"

#include <errno.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/process-maps.h"
#include "util/fd.h"

#define USERFAULT_FD "anon_inode:[userfaultfd]"

/* QEMU's descriptor of it, or -1. */
static int
find_userfault (pid_t pid)
{
  g_autofree char *folder = g_strdup_printf ("/proc/%d/fd", (int) pid);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;
  int found = -1;
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);
      g_autofree char *link = g_file_read_link (path, NULL);
      const int fd = (int) g_ascii_strtoll (name, NULL, 10);
      if (g_strcmp0 (link, USERFAULT_FD) == 0 && (found < 0 || fd < found))
        found = fd;
    }
  return found;
}

/* One of our own. */
int
stasis_userfault_fetch (const StasisProcess *qemu, GError **error)
{
  stasis_autofd int pidfd = stasis_process_open (qemu, error);
  if (pidfd < 0)
    return -1;
  const int theirs = find_userfault (qemu->pid);
  if (theirs < 0)
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                           _ ("QEMU has no userfaultfd to track its guest's writes with"));
      return -1;
    }
  const int own = (int) syscall (SYS_pidfd_getfd, pidfd, theirs, 0);
  if (own < 0)
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                 _ ("cannot take over QEMU's userfaultfd: %s"), g_strerror (errno));
  return own;
}

/* Of a mapping that is not tracked, or could not be, the kernel says so or nothing. */
gboolean
stasis_userfault_release (const StasisProcess *qemu, GError **error)
{
  if (find_userfault (qemu->pid) < 0)
    return TRUE;
  stasis_autofd int userfault = stasis_userfault_fetch (qemu, error);
  g_autoptr (GArray) mappings = userfault >= 0 ? stasis_process_maps_read (qemu->pid, error) : NULL;
  for (guint i = 0; mappings != NULL && i < mappings->len; i++)
    {
      const StasisMapping *mapping = &g_array_index (mappings, StasisMapping, i);
      struct uffdio_range range = { mapping->begin, mapping->end - mapping->begin };
      if (ioctl (userfault, UFFDIO_UNREGISTER, &range) < 0 && errno != EINVAL)
        g_debug ("a mapping stays registered: %s", g_strerror (errno));
    }
  return mappings != NULL;
}
