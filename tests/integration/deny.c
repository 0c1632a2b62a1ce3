/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * deny.c: run a program on a kernel that seems to lack something
 *
 *   deny readv PROGRAM [ARGUMENT ...]   process_vm_readv(2) fails with EPERM, as in a container
 *   deny scan PROGRAM [ARGUMENT ...]    PAGEMAP_SCAN is unknown, as before Linux 6.7
 *   deny inotify PROGRAM [ARGUMENT ...] no inotify instance is left to its user
 *
 * By a seccomp filter; all else is as it was.  Exit status 77 where the kernel takes no filter.
 */

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SCAN_SIZE    96 /* of the kernel's struct pm_scan_arg, <linux/fs.h> */
#define PAGEMAP_SCAN _IOC (_IOC_READ | _IOC_WRITE, 'f', 16, SCAN_SIZE)

static int
install (struct sock_filter *code, unsigned short length)
{
  const struct sock_fprog filter = { length, code };
  return prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
         && prctl (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

static int
deny_call (unsigned int number, unsigned int error)
{
  struct sock_filter code[] = {
    BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, nr)),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  return install (code, sizeof code / sizeof code[0]);
}

static int
deny_scan (void)
{
  struct sock_filter code[] = {
    BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, nr)),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 3),
    BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, args[1])),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, PAGEMAP_SCAN, 0, 1),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOTTY),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  return install (code, sizeof code / sizeof code[0]);
}

static int
deny (const char *what)
{
  if (strcmp (what, "readv") == 0)
    return deny_call (SYS_process_vm_readv, EPERM);
  return strcmp (what, "inotify") == 0 ? deny_call (SYS_inotify_init1, EMFILE) : deny_scan ();
}

int
main (int argc, char **argv)
{
  if (argc < 3)
    return 2;
  if (!deny (argv[1]))
    {
      perror ("deny");
      return 77;
    }
  execv (argv[2], argv + 2);
  perror (argv[2]);
  return 127;
}
