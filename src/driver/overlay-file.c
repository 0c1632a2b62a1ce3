/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * overlay-file.c: the octets of a file that lies on top of a disk
 *
 * Theory of operation
 *
 * An empty qcow2 file on top of a disk is made by qemu-img, in memory.  It names the disk and its
 * format, both from the definition: nothing is guessed from octets that a guest has written.
 * qemu-img is told the size, and does not open the disk, for that is ours to do (util/safe-open.h).
 */

#include "config.h"

#include "driver/overlay-file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "util/fd.h"
#include "util/safe-open.h"

#define TOOL          "qemu-img"
#define TOOL_FD       3
#define FILE_SIZE_MAX (64u * 1024 * 1024) /* octets: of an empty overlay, of variables */
#define QCOW2_SIZE_AT 24u                 /* u64: of the disk (docs/interop/qcow2.txt) */

/* All of a file that is small. */
GBytes *
stasis_overlay_file_read (int fd, const char *path, GError **error)
{
  struct stat st;
  if (fstat (fd, &st) < 0)
    {
      stasis_throw_errno (error, "'%s'", path);
      return NULL;
    }
  if (!S_ISREG (st.st_mode) || st.st_size > (off_t) FILE_SIZE_MAX)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                   _ ("'%s' is not a regular file, or too large"), path);
      return NULL;
    }
  g_autofree guint8 *octets = g_malloc (MAX (st.st_size, 1));
  if (!stasis_fd_pread_exact (fd, octets, (gsize) st.st_size, 0, error))
    return NULL;
  return g_bytes_new_take (g_steal_pointer (&octets), (gsize) st.st_size);
}

/* How large the disk is to the guest. */
static gboolean
read_size (const StasisDiskDef *disk, guint64 *out_size, GError **error)
{
  stasis_autofd int fd = stasis_safe_open (disk->source, O_RDONLY | O_NONBLOCK, error);
  struct stat st;
  if (fd < 0)
    return FALSE;
  if (fstat (fd, &st) < 0)
    return stasis_throw_errno (error, "'%s'", disk->source);
  if (!S_ISREG (st.st_mode))
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                   _ ("'%s' is not a regular file, and nothing can be laid over it"), disk->source);
      return FALSE;
    }
  *out_size = (guint64) st.st_size;
  if (disk->format != STASIS_DISK_FORMAT_QCOW2)
    return TRUE;
  guint64 size;
  if (!stasis_fd_pread_exact (fd, &size, sizeof size, QCOW2_SIZE_AT, error))
    return FALSE;
  *out_size = GUINT64_FROM_BE (size);
  return TRUE;
}

/* qemu-img writes to a file in memory. */
static gboolean
run_tool (const char *backing, const char *format, guint64 size, int fd, GCancellable *cancellable,
          GError **error)
{
  g_autofree char *output = g_strdup_printf ("/proc/self/fd/%d", TOOL_FD);
  g_autofree char *octets = g_strdup_printf ("%" G_GUINT64_FORMAT, size);
  const char *const on_top[] = { TOOL,   "create", "-q",    "-u",   "-f",   "qcow2", "-F",
                                 format, "-b",     backing, output, octets, NULL };
  const char *const alone[] = { TOOL, "create", "-q", "-f", "qcow2", output, octets, NULL };
  const char *const *argv = backing != NULL ? on_top : alone;
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (
      G_SUBPROCESS_FLAGS_STDOUT_SILENCE | G_SUBPROCESS_FLAGS_STDERR_PIPE);
  const int copy = fcntl (fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0)
    return stasis_throw_errno (error, _ ("cannot make a memory file"));
  g_subprocess_launcher_take_fd (launcher, copy, TOOL_FD);
  g_autoptr (GSubprocess) process = g_subprocess_launcher_spawnv (launcher, argv, error);
  g_autofree char *said = NULL;
  if (process == NULL)
    {
      g_prefix_error (error, _ ("qemu-img (package qemu-utils) cannot be started: "));
      return FALSE;
    }
  if (!g_subprocess_communicate_utf8 (process, NULL, cancellable, NULL, &said, error))
    {
      g_subprocess_force_exit (process);
      return FALSE;
    }
  if (g_subprocess_get_successful (process))
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_FAILED, "%s", g_strstrip (said));
  return FALSE;
}

/* An empty file on top of the disk. */
GBytes *
stasis_overlay_file_empty (const StasisDiskDef *disk, GCancellable *cancellable, GError **error)
{
  if (disk->type != STASIS_DISK_TYPE_FILE)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                   _ ("'%s' is a block device, and nothing can be laid over it"), disk->source);
      return NULL;
    }
  guint64 size = 0;
  const char *format = disk->format == STASIS_DISK_FORMAT_QCOW2 ? "qcow2" : "raw";
  if (!read_size (disk, &size, error))
    return NULL;
  return stasis_overlay_file_make (disk->source, format, size, cancellable, error);
}

GBytes *
stasis_overlay_file_make (const char *backing, const char *backing_format, guint64 size,
                          GCancellable *cancellable, GError **error)
{
  stasis_autofd int fd = memfd_create ("stasis-overlay", MFD_CLOEXEC);
  if (fd < 0)
    {
      stasis_throw_errno (error, _ ("cannot make a memory file"));
      return NULL;
    }
  if (!run_tool (backing, backing_format, size, fd, cancellable, error))
    return NULL;
  return stasis_overlay_file_read (fd, TOOL, error);
}
