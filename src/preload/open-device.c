/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * open-device.c: QEMU's own userfaultfd, by /dev/userfaultfd, which belongs to root
 *
 * Theory of operation
 *
 * For a background snapshot, and as the destination of a postcopy migration, QEMU needs a
 * userfaultfd of its own that also gets the kernel's faults (KVM's, a vhost's), and makes one by
 * /dev/userfaultfd, which its user may not open.  Neither that
 * file's permissions are changed nor QEMU's user: a driver that may open it sends the descriptor
 * through the monitor right before (getfd), and where QEMU is refused it gets a copy of that one.
 * So only those QEMUs have it that need it, and no other process of anybody's.
 *
 * QEMU asks once in its life, and keeps what it got.  One before 8.0 does not know the device: it
 * makes a userfaultfd by the system call, each time that it needs one, and where the kernel refuses
 * it gets one that is made by that device.  All other files and calls are libc's business.
 */

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEVICE      "/dev/userfaultfd"
#define N_ARGUMENTS 6 /* of a system call, at most */

#ifndef USERFAULTFD_IOC_NEW
#define USERFAULTFD_IOC_NEW _IO (0xAA, 0x00)
#endif

/* By other names than libc's headers have for them, which may make functions of them. */
int stasis_open64 (const char *path, int flags, ...) __asm__("open64");
long stasis_syscall (long number, ...) __asm__("syscall");

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

/* By the device that somebody has sent: @flags are the same; or -1. */
static long
make_by_device (int flags)
{
  const int device = copy_sent ();
  const long made = device >= 0 ? ioctl (device, USERFAULTFD_IOC_NEW, flags) : -1;
  if (device >= 0)
    close (device);
  return made;
}

__attribute__ ((visibility ("default"))) long
stasis_syscall (long number, ...)
{
  static long (*libc_syscall) (long number, ...);
  long (*call) (long number, ...) = __atomic_load_n (&libc_syscall, __ATOMIC_RELAXED);
  long arguments[N_ARGUMENTS];
  va_list args;
  if (call == NULL)
    {
      *(void **) &call = dlsym (RTLD_NEXT, "syscall");
      __atomic_store_n (&libc_syscall, call, __ATOMIC_RELAXED);
    }
  va_start (args, number);
  for (int i = 0; i < N_ARGUMENTS; i++)
    arguments[i] = va_arg (args, long); /* as libc: what was not given is nobody's */
  va_end (args);
  const long result = call (number, arguments[0], arguments[1], arguments[2], arguments[3],
                            arguments[4], arguments[5]);
  if (number != SYS_userfaultfd || result >= 0 || errno != EPERM)
    return result;
  const int why = errno;
  const long made = make_by_device ((int) arguments[0]);
  errno = why;
  return made;
}
