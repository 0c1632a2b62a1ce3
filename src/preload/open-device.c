/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * open-device.c: QEMU's opening of /dev/userfaultfd, which belongs to root
 *
 * Theory of operation
 *
 * For a background snapshot QEMU needs a userfaultfd of its own that also gets the kernel's faults
 * (KVM's, a vhost's), and makes one by /dev/userfaultfd, which its user may not open.  Neither that
 * file's permissions are changed nor QEMU's user: a driver that may open it sends the descriptor
 * through the monitor right before (getfd), and where QEMU is refused it gets a copy of that one.
 * So only those QEMUs have it that need it, and no other process of anybody's.
 *
 * QEMU asks once in its life, and keeps what it got.  All other files are libc's business.
 */

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEVICE "/dev/userfaultfd"

/* By another name than libc's headers have for it, which make a function of it. */
int stasis_open64 (const char *path, int flags, ...) __asm__("open64");

/* A copy of a descriptor of that device which somebody has sent, or -1. */
static int
copy_sent (void)
{
  struct stat device;
  struct stat st;
  DIR *dir
      = stat (DEVICE, &device) == 0 && S_ISCHR (device.st_mode) ? opendir ("/proc/self/fd") : NULL;
  const struct dirent *entry;
  int copy = -1;
  while (copy < 0 && dir != NULL && (entry = readdir (dir)) != NULL)
    {
      const int fd = atoi (entry->d_name);
      if (fd > 2 && fstat (fd, &st) == 0 && S_ISCHR (st.st_mode) && st.st_rdev == device.st_rdev)
        copy = fcntl (fd, F_DUPFD_CLOEXEC, 3);
    }
  if (dir != NULL)
    closedir (dir);
  return copy;
}

__attribute__ ((visibility ("default"))) int
stasis_open64 (const char *path, int flags, ...)
{
  int (*libc_open) (const char *path, int flags, ...);
  *(void **) &libc_open = dlsym (RTLD_NEXT, "open64");
  mode_t mode = 0;
  if ((flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE)
    {
      va_list args;
      va_start (args, flags);
      mode = va_arg (args, mode_t);
      va_end (args);
    }
  const int fd = libc_open (path, flags, mode);
  if (fd >= 0 || (errno != EACCES && errno != EPERM) || strcmp (path, DEVICE) != 0)
    return fd;
  const int why = errno;
  const int copy = copy_sent ();
  errno = why;
  return copy;
}
