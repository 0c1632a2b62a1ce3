/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device-disk.c: a disk must be describable, and be ours alone
 *
 * A save notes what each writable disk is, so that a restore can tell that it has moved on; a
 * disk that is neither a regular file nor a block device has nothing to note and says no.  On
 * restore, somebody else who has the disk open for writing says no as well: QEMU marks its use
 * by locks on octets 100 to 300 of the file (block/file-posix.c).
 *
 * Disks that are copied along with a migration take all steps: they are mirrored to the destination
 * while the guest runs (1), the mirrors end once it stands still (2), and then the copies are what
 * the disks are (3).
 */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/devices.h"
#include "driver/disk-writers.h"
#include "util/fd.h"
#include "util/safe-open.h"

#define QEMU_LOCK_FIRST 100
#define QEMU_LOCK_COUNT 200

static gboolean
refuse (GError **error, const StasisDiskDef *disk, const char *reason)
{
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED, _ ("disk '%1$s' ('%2$s'): %3$s"),
               disk->target, disk->source, reason);
  return FALSE;
}

/* TRUE where some process has it open as QEMU does. */
static gboolean
is_in_use (int fd)
{
  struct flock lock = {
    .l_type = F_WRLCK,
    .l_whence = SEEK_SET,
    .l_start = QEMU_LOCK_FIRST,
    .l_len = QEMU_LOCK_COUNT,
  };
  return fcntl (fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

static gboolean
refuse_in_use (const StasisDiskDef *disk, StasisDriver *driver, GError **error)
{
  g_autofree char *users
      = driver != NULL ? stasis_disk_writers_name_users (driver, disk->source) : NULL;
  return refuse (error, disk, users != NULL ? users : _ ("another process is using it"));
}

static gboolean
test_disk (const StasisDiskDef *disk, const StasisDeviceRequest *request, GError **error)
{
  stasis_autofd int fd = stasis_safe_open (disk->source, O_RDWR | O_NONBLOCK, error);
  if (fd < 0)
    {
      g_prefix_error (error, _ ("disk '%s': "), disk->target);
      return FALSE;
    }
  struct stat st;
  if (fstat (fd, &st) < 0)
    return stasis_throw_errno (error, _ ("disk '%s'"), disk->target);
  if (!S_ISREG (st.st_mode) && !S_ISBLK (st.st_mode))
    return refuse (error, disk, _ ("neither a regular file nor a block device"));
  if (request->operation == STASIS_DEVICE_RESTORE && !disk->shareable && is_in_use (fd))
    return refuse_in_use (disk, request->driver, error);
  return TRUE;
}

static gboolean
test (const StasisDeviceRequest *request, GError **error)
{
  for (guint i = 0; i < request->def->disks->len; i++)
    {
      const StasisDiskDef *disk = g_ptr_array_index (request->def->disks, i);
      if (disk->source != NULL && !disk->readonly && disk->device != STASIS_DISK_DEVICE_CDROM
          && !test_disk (disk, request, error))
        return FALSE;
    }
  return TRUE;
}

/* Those that are copied. */
static gboolean
prepare (const StasisDeviceRequest *request, GError **error)
{
  return request->mirrors == NULL || stasis_migrate_mirrors_start (request->mirrors, error);
}

static gboolean
transfer (const StasisDeviceRequest *request, GError **error)
{
  return request->mirrors == NULL || stasis_migrate_mirrors_finish (request->mirrors, error);
}

static gboolean
sync_copies (const StasisDeviceRequest *request, GError **error)
{
  return request->mirrors == NULL || stasis_migrate_mirrors_await (request->mirrors, error);
}

static void
recover (const StasisDeviceRequest *request)
{
  /* What was mirrored is ended from the journal: by whoever undoes the migration. */
}

const StasisDeviceOps stasis_device_disk
    = { "disk", test, prepare, transfer, sync_copies, recover };
