/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * deny-readv.c: run a program that may not read the memory of others
 *
 *   deny-readv PROGRAM [ARGUMENT ...]
 *
 * Under a seccomp filter process_vm_readv(2) fails with EPERM, as a container's may have it; all
 * else is as it was.  Exit status 77 where the kernel takes no filter.
 */

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int
main (int argc, char **argv)
{
  struct sock_filter code[] = {
    BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, nr)),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 0, 1),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const struct sock_fprog filter = { sizeof code / sizeof code[0], code };
  if (argc < 2)
    return 2;
  if (prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0
      || prctl (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
    {
      perror ("deny-readv");
      return 77;
    }
  execv (argv[1], argv + 1);
  perror (argv[1]);
  return 127;
}
