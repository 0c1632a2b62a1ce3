/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory.c: the guest memory that the tests save and restore
 *
 * Theory of operation
 *
 * What a page holds follows from the seed, its index and its generation, and
 * writing a page means to raise its generation.  So `check` can tell for every
 * single page whether it holds what was written last, also while the dirty
 * thread runs.  One lock guards all of it; it is never held for longer than a
 * page, except by those who look at all pages.
 */

#include "memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#define WORDS              (PAGE_OCTETS / sizeof (uint64_t))
#define RESERVE_OCTETS     (24u << 20) /* what the rest of the guest keeps */
#define BATCHES_PER_SECOND 50

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t *memory;     /* (guarded by lock) */
static uint32_t *generation; /* (guarded by lock) one for each page */
static uint64_t n_pages, writes, fill_seed;
static Kind fill_kind;
static uint64_t dirty_rate;

static uint64_t
mix (uint64_t x)
{
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

static uint64_t
next (uint64_t *state)
{
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

static void
make_text (uint64_t *page, uint64_t state)
{
  static const char words[32][9] = {
    "the     ", "guest   ",   "goes on ", "exactly ",  "where it", " was,   ",    "and none",
    " of its ", "pages is",   " lost:  ", "this is ",  "a line  ", "of text,",    "and this",
    " another", " one.\n\n ", "memory  ", "console ",  "network ", "a disk  ",    "restored",
    "stopped ", "started ",   "written ", "    \n   ", "        ", "\n\n\n     ", "and then",
    "it is   ", "there   ",   "nothing ", "again.\n ",
  };
  for (unsigned i = 0; i < WORDS; i++)
    memcpy (&page[i], words[next (&state) & 31], sizeof (uint64_t));
}

/* What page `index` holds in its present generation. */
static void
make_page (uint64_t *page, uint64_t index)
{
  uint64_t state = mix (fill_seed ^ mix (index + 1) ^ ((uint64_t) generation[index] << 40)) | 1;
  if (fill_kind == KIND_TEXT || (fill_kind == KIND_MIX && (index & 1)))
    {
      make_text (page, state);
      return;
    }
  for (unsigned i = 0; i < WORDS; i++)
    page[i] = next (&state);
}

static void
release (void)
{
  if (memory != NULL)
    munmap (memory, n_pages * PAGE_OCTETS);
  free (generation);
  memory = NULL;
  generation = NULL;
  n_pages = writes = 0;
}

static int
take (uint64_t pages)
{
  struct sysinfo info;
  if (sysinfo (&info) != 0
      || pages * PAGE_OCTETS + RESERVE_OCTETS > (uint64_t) info.freeram * info.mem_unit)
    return -1;

  generation = calloc (pages + 1, sizeof *generation);
  void *area = mmap (NULL, pages * PAGE_OCTETS + PAGE_OCTETS, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (generation == NULL || area == MAP_FAILED)
    return -1;
  memory = area;
  n_pages = pages;
  return 0;
}

int
memory_fill (uint64_t pages, uint64_t seed, Kind kind)
{
  pthread_mutex_lock (&lock);
  release ();
  const int result = take (pages);
  fill_seed = mix (seed);
  fill_kind = kind;
  for (uint64_t i = 0; i < n_pages; i++)
    make_page (memory + i * WORDS, i);
  pthread_mutex_unlock (&lock);
  return result;
}

uint64_t
memory_sum (void)
{
  uint64_t sum[4] = { 1, 2, 3, 4 };
  pthread_mutex_lock (&lock);
  for (uint64_t i = 0; i < n_pages * WORDS; i += 4)
    for (unsigned lane = 0; lane < 4; lane++)
      sum[lane] = (sum[lane] + memory[i + lane]) * 0x9e3779b97f4a7c15u;
  pthread_mutex_unlock (&lock);
  return mix (sum[0] ^ mix (sum[1] ^ mix (sum[2] ^ mix (sum[3]))));
}

uint64_t
memory_check (uint64_t *out_pages, uint64_t *out_writes)
{
  uint64_t expected[WORDS], bad = 0;
  pthread_mutex_lock (&lock);
  for (uint64_t i = 0; i < n_pages; i++)
    {
      make_page (expected, i);
      bad += memcmp (expected, memory + i * WORDS, PAGE_OCTETS) != 0;
    }
  *out_pages = n_pages;
  *out_writes = writes;
  pthread_mutex_unlock (&lock);
  return bad;
}

static void *
dirty_thread (void *nothing)
{
  uint64_t state = 0x2545f4914f6cdd1du, owed = 0;
  while (1)
    {
      owed += __atomic_load_n (&dirty_rate, __ATOMIC_RELAXED);
      for (; owed >= BATCHES_PER_SECOND; owed -= BATCHES_PER_SECOND)
        {
          pthread_mutex_lock (&lock);
          if (n_pages > 0)
            {
              const uint64_t index = next (&state) % n_pages;
              generation[index]++;
              writes++;
              make_page (memory + index * WORDS, index);
            }
          pthread_mutex_unlock (&lock);
        }
      usleep (1000000 / BATCHES_PER_SECOND);
    }
  return nothing;
}

void
memory_dirty (uint64_t pages_per_second)
{
  static pthread_t thread;
  __atomic_store_n (&dirty_rate, pages_per_second, __ATOMIC_RELAXED);
  if (thread == 0 && pages_per_second > 0)
    pthread_create (&thread, NULL, dirty_thread, NULL);
}
