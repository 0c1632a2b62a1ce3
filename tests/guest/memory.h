/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory.h: the guest memory that the tests save and restore
 */

#pragma once

#include <stdint.h>

#define PAGE_OCTETS 4096u

typedef enum
{
  KIND_RANDOM, /* does not compress */
  KIND_TEXT,   /* compresses like a page cache full of text */
  KIND_MIX,    /* every other page */
} Kind;

/* Take `pages` pages and fill them; what was there is given back first.
 * Returns 0, or -1 if the guest has too little memory. */
int memory_fill (uint64_t pages, uint64_t seed, Kind kind);

/* Write this many pages each second from now on; 0 stops. */
void memory_dirty (uint64_t pages_per_second);

/* A checksum over all pages. */
uint64_t memory_sum (void);

/* How many pages do not hold what was last written to them; *out_pages is how
 * many there are, *out_writes how many were written since the fill. */
uint64_t memory_check (uint64_t *out_pages, uint64_t *out_writes);
