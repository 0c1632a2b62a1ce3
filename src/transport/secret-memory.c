/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * secret-memory.c: libssh2's memory, which is wiped when it is given back
 */

#include "config.h"

#include "transport/secret-memory.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* NULL: there is none. */
void *
stasis_secret_alloc (size_t size, void **abstract)
{
  return malloc (size);
}

/* NULL is fine. */
void
stasis_secret_free (void *memory, void **abstract)
{
  if (memory != NULL)
    explicit_bzero (memory, malloc_usable_size (memory));
  free (memory);
}

/* Never in place: what is moved by realloc(3) is not wiped where it was. */
void *
stasis_secret_realloc (void *memory, size_t size, void **abstract)
{
  void *moved = malloc (size);
  if (moved == NULL || memory == NULL)
    return moved;
  memcpy (moved, memory, MIN (size, malloc_usable_size (memory)));
  stasis_secret_free (memory, abstract);
  return moved;
}
