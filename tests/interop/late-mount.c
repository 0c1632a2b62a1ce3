/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * late-mount.c: preloaded, somebody who mounts the folder $LATE_MOUNT_FROM over $LATE_MOUNT_AT
 * right behind the moment in which that is watched for the first time
 */

#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

__attribute__ ((visibility ("default"))) int
inotify_add_watch (int fd, const char *path, uint32_t mask)
{
  static int is_mounted;
  const char *at = getenv ("LATE_MOUNT_AT");
  const int watch = (int) syscall (SYS_inotify_add_watch, fd, path, mask);
  if (watch >= 0 && !is_mounted && at != NULL && strcmp (path, at) == 0)
    is_mounted = mount (getenv ("LATE_MOUNT_FROM"), at, NULL, MS_BIND, NULL) == 0;
  return watch;
}
