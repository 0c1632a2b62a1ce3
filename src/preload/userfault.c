/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * userfault.c: what is preloaded into QEMU, so that the guest's writes can be tracked from outside
 *
 * Theory of operation
 *
 * A userfaultfd belongs to the address space of the process that makes it, so it has to be made
 * inside QEMU, whose sandbox forbids that later.  This constructor makes it before main() and
 * leaves it open; it does nothing until a driver fetches a copy (pidfd_getfd) and registers the
 * guest's memory with it.  It is for user mode only: that needs no privilege, and in the
 * asynchronous mode in which it is used the kernel resolves its own writes by itself.
 *
 * The library is preloaded by descriptor, and takes that away again (forget.h).
 */

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "forget.h"

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

/* Where the kernel makes none there is none, and the driver says so. */
__attribute__ ((constructor)) static void
make_userfaultfd (void)
{
  forget_one ();
  syscall (SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
}
