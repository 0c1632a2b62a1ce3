/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory-helper.c: a process with memory of several kinds, in QEMU's stead
 *
 *   memory-helper FILE
 *
 * Maps each kind, fills it (memory-helper.h), lets go of the pages that a file keeps, prints
 * "NAME ADDRESS LENGTH" for each, then "ready", and waits for the end of its standard input.
 */

#include "config.h"

#include "memory-helper.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

static int
make_fd (const char *path)
{
  const int fd = path != NULL ? open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)
                              : memfd_create ("guest", MFD_CLOEXEC);
  return fd >= 0 && ftruncate (fd, MEMORY_LENGTH) == 0 ? fd : -1;
}

/* Where: reserved with a gap around it, so that no two mappings become one. */
static unsigned char *
map (int flags, int fd)
{
  unsigned char *reserved
      = mmap (NULL, 3 * MEMORY_LENGTH, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (reserved == MAP_FAILED)
    return NULL;
  unsigned char *memory = mmap (reserved + MEMORY_LENGTH, MEMORY_LENGTH, PROT_READ | PROT_WRITE,
                                flags | MAP_FIXED, fd, 0);
  if (memory == MAP_FAILED)
    return NULL;
  /* Whole pages at once would fill the pieces that are to stay empty. */
  madvise (memory, MEMORY_LENGTH, MADV_NOHUGEPAGE);
  if (fd < 0 || (flags & MAP_SHARED) != 0)
    memory_fill (memory);
  if (fd >= 0)
    madvise (memory, MEMORY_LENGTH, MADV_DONTNEED);
  return memory;
}

static void
show (const char *name, const unsigned char *memory)
{
  printf ("%s %llu %u\n", name, (unsigned long long) (gsize) memory, MEMORY_LENGTH);
}

int
main (int argc, char **argv)
{
  if (argc != 2)
    return 2;
  prctl (PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
  const int file = make_fd (argv[1]);
  const int memfd = make_fd (NULL);
  if (file < 0 || memfd < 0)
    return 1;
  show ("anonymous", map (MAP_PRIVATE | MAP_ANONYMOUS, -1));
  show ("file", map (MAP_SHARED, file));
  show ("private-file", map (MAP_PRIVATE, file));
  show ("memfd", map (MAP_SHARED, memfd));
  puts ("ready");
  fflush (stdout);

  char octet;
  while (read (0, &octet, 1) > 0)
    continue;
  return 0;
}
