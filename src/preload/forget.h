/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * forget.h: take a preloaded library out of LD_PRELOAD again
 *
 * Libraries are preloaded by descriptor, LD_PRELOAD=/proc/self/fd/N[:...], for QEMU's user may not
 * walk down to their folder.  Each takes away one descriptor and the first name in the variable:
 * not necessarily its own, but in the end all of them.
 */

#pragma once

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PRELOAD_VARIABLE "LD_PRELOAD"
#define PRELOAD_PREFIX   "/proc/self/fd/"

static inline void
forget_one (void)
{
  const char *value = getenv (PRELOAD_VARIABLE);
  if (value == NULL || strncmp (value, PRELOAD_PREFIX, sizeof PRELOAD_PREFIX - 1) != 0)
    return;
  char *end;
  const long fd = strtol (value + sizeof PRELOAD_PREFIX - 1, &end, 10);
  if (fd > 2)
    close ((int) fd);
  if (*end == ':')
    setenv (PRELOAD_VARIABLE, end + 1, 1);
  else
    unsetenv (PRELOAD_VARIABLE);
}
