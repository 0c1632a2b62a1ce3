/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * read-only.c: what is preloaded into a QEMU that maps a flat file, so that it opens it for reading
 *
 * Theory of operation
 *
 * A QEMU before 9.0 has two ways to map a file as memory: readonly=on, which makes the guest's
 * memory read-only, and readonly=off, which opens the file for writing, although a private mapping
 * never writes to it.  The latter would be the end of all other guests on the same file: a balloon
 * punches holes into a file that it may write to.  So the one path that STASIS_READ_ONLY names is
 * opened for reading, whatever QEMU asks for; a private mapping that can be written to needs no
 * more.  Everything else goes by unchanged.
 *
 * QEMU opens it before it begins to work, by whichever of open's names its compiler has chosen.
 */

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>

#include "forget.h"

#define VARIABLE "STASIS_READ_ONLY"

static char read_only_path[64]; /* empty: none */

__attribute__ ((constructor)) static void
take_path (void)
{
  const char *path = getenv (VARIABLE);
  if (path != NULL && strlen (path) < sizeof read_only_path)
    memcpy (read_only_path, path, strlen (path) + 1);
  unsetenv (VARIABLE);
  forget_one ();
}

static int
open_file (const char *path, int flags, mode_t mode)
{
  if (*read_only_path != '\0' && strcmp (path, read_only_path) == 0)
    flags = (flags & ~(O_ACCMODE | O_CREAT | O_TRUNC)) | O_RDONLY;
  return openat (AT_FDCWD, path, flags, mode);
}

/* The names are given to the assembler: in C the headers have other ideas of them. */
#define EXPORT __attribute__ ((visibility ("default")))

EXPORT int replace_open (const char *path, int flags, ...) __asm__("open");
EXPORT int replace_open64 (const char *path, int flags, ...) __asm__("open64");
EXPORT int replace_open_2 (const char *path, int flags) __asm__("__open_2");
EXPORT int replace_open64_2 (const char *path, int flags) __asm__("__open64_2");

/* There is a mode only where a file may be made. */
static mode_t
get_mode (int flags, va_list args)
{
  const int may_make = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
  return may_make ? va_arg (args, mode_t) : 0;
}

int
replace_open (const char *path, int flags, ...)
{
  va_list args;
  va_start (args, flags);
  const mode_t mode = get_mode (flags, args);
  va_end (args);
  return open_file (path, flags, mode);
}

int
replace_open64 (const char *path, int flags, ...)
{
  va_list args;
  va_start (args, flags);
  const mode_t mode = get_mode (flags, args);
  va_end (args);
  return open_file (path, flags | O_LARGEFILE, mode);
}

int
replace_open_2 (const char *path, int flags)
{
  return open_file (path, flags, 0);
}

int
replace_open64_2 (const char *path, int flags)
{
  return open_file (path, flags | O_LARGEFILE, 0);
}
