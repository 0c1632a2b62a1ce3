/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dirty-track.c: which pages of a guest were written to, seen from outside QEMU
 *
 * Theory of operation
 *
 * The userfaultfd that was left in QEMU (src/preload) is fetched by pidfd_getfd, and the guest's
 * memory is registered with it for asynchronous write protection: the first write to a protected
 * page takes the protection away, inside the kernel and with nobody waiting, so a tracker that dies
 * harms nobody.  PAGEMAP_SCAN on /proc/PID/pagemap tells the pages that exist and whether they are
 * protected, and protects them in the same step: no write falls in between.
 *
 * Only pages that exist are protected.  A page that comes into being later has no protection, so it
 * counts as written; one that has gone (a balloon gave it back) is told by comparison with the
 * pages that were there before.
 *
 * The protection outlives the tracker, if it is left so: the userfaultfd stays in QEMU.  Another
 * tracker takes it over and sees what was written to since it was last asked for; the pages that
 * were there then it has to be told (expect).  That holds for memory of QEMU's own, whose pages
 * stay in its page tables until they are given back.  Pages of shared memory leave them when memory
 * is short: one that was new and has left is not seen again.
 *
 * Sources: Documentation/admin-guide/mm/userfaultfd.rst and pagemap.rst of the kernel.  Its headers
 * know both since 6.7, so what they name is named here.
 */

#include "config.h"

#include "driver/dirty-track.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/userfault.h"
#include "util/fd.h"

#define PAGE_SIZE   G_GUINT64_CONSTANT (4096)
#define REGIONS_MAX 4096u

/* linux/userfaultfd.h */
#define FEATURE_WP                 (G_GUINT64_CONSTANT (1) << 0)
#define FEATURE_WP_HUGETLBFS_SHMEM (G_GUINT64_CONSTANT (1) << 12)
#define FEATURE_WP_UNPOPULATED     (G_GUINT64_CONSTANT (1) << 13)
#define FEATURE_WP_ASYNC           (G_GUINT64_CONSTANT (1) << 15)

/* linux/fs.h */
typedef struct
{
  guint64 start;
  guint64 end;
  guint64 categories;
} Region;

typedef struct
{
  guint64 size;
  guint64 flags;
  guint64 start;
  guint64 end;
  guint64 walk_end;
  guint64 vec;
  guint64 vec_len;
  guint64 max_pages;
  guint64 category_inverted;
  guint64 category_mask;
  guint64 category_anyof_mask;
  guint64 return_mask;
} Scan;

#define SCAN             _IOWR ('f', 16, Scan)
#define SCAN_PROTECT     (1u << 0)
#define SCAN_CHECK_ASYNC (1u << 1)
#define CATEGORY_WRITTEN (1u << 1)
#define CATEGORY_FILE    (1u << 2)
#define CATEGORY_PRESENT (1u << 3)
#define CATEGORY_SWAPPED (1u << 4)

typedef struct
{
  guint64 address;
  guint64 length; /* whole pages */
  guint64 *there; /* (owned) a bit for each page that exists */
  gsize n_words;
  gboolean is_private_file; /* a page that is the file's was not written to */
} Block;

struct _StasisDirtyTrack
{
  pid_t pid;
  int userfault;  /* (owned) */
  int pagemap;    /* (owned) */
  GArray *blocks; /* (owned) of Block */
};

static void
block_clear (gpointer data)
{
  Block *block = data;
  g_free (block->there);
}

/* Once for each userfaultfd: a second time is refused, and was the same the first time. */
static gboolean
enable_async (int userfault, GError **error)
{
  struct uffdio_api api = {
    .api = UFFD_API,
    .features = FEATURE_WP | FEATURE_WP_HUGETLBFS_SHMEM | FEATURE_WP_UNPOPULATED | FEATURE_WP_ASYNC,
  };
  if (ioctl (userfault, UFFDIO_API, &api) == 0)
    return TRUE;
  /* Of a kernel that does not know a feature it is EINVAL as well, and registering will tell. */
  if (errno == EINVAL || errno == EPERM)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
               _ ("this kernel has no asynchronous write protection: %s"), g_strerror (errno));
  return FALSE;
}

/* Get ready. */
StasisDirtyTrack *
stasis_dirty_track_new (const StasisProcess *qemu, GError **error)
{
  g_autoptr (StasisDirtyTrack) self = g_new0 (StasisDirtyTrack, 1);
  self->pid = qemu->pid;
  self->userfault = -1;
  self->blocks = g_array_new (FALSE, FALSE, sizeof (Block));
  g_array_set_clear_func (self->blocks, block_clear);
  g_autofree char *pagemap = g_strdup_printf ("/proc/%d/pagemap", (int) qemu->pid);
  self->pagemap = stasis_fd_open (pagemap, O_RDONLY, 0, error);
  if (self->pagemap < 0)
    return NULL;
  self->userfault = stasis_userfault_fetch (qemu, error);
  if (self->userfault < 0 || !enable_async (self->userfault, error))
    return NULL;
  return g_steal_pointer (&self);
}

static gboolean
register_block (const StasisDirtyTrack *self, const Block *block, const char *name, GError **error)
{
  struct uffdio_register request = {
    .range = { block->address, block->length },
    .mode = UFFDIO_REGISTER_MODE_WP,
  };
  if (ioctl (self->userfault, UFFDIO_REGISTER, &request) == 0)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
               _ ("writes to the RAM block '%1$s' cannot be tracked: %2$s"), name,
               g_strerror (errno));
  return FALSE;
}

/* Bits [@begin, @end) of the pages that exist. */
static void
set_bits (guint64 *words, guint64 begin, guint64 end)
{
  for (guint64 at = begin; at < end;)
    {
      const guint shift = at % 64;
      const guint n = (guint) MIN (64 - shift, end - at);
      const guint64 mask = n == 64 ? ~G_GUINT64_CONSTANT (0) : ((G_GUINT64_CONSTANT (1) << n) - 1);
      words[at / 64] |= mask << shift;
      at += n;
    }
}

static void
append_range (GArray *ranges, guint block, guint64 offset, guint64 length, guint64 *octets)
{
  StasisGuestRange *last
      = ranges->len > 0 ? &g_array_index (ranges, StasisGuestRange, ranges->len - 1) : NULL;
  *octets += length;
  if (last != NULL && last->block == block && last->offset + last->length == offset)
    {
      last->length += length;
      return;
    }
  const StasisGuestRange range = { block, offset, length };
  g_array_append_val (ranges, range);
}

static gboolean
throw_scan (GError **error)
{
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
               _ ("the kernel does not tell which pages were written to: %s"), g_strerror (errno));
  return FALSE;
}

static gboolean
is_written (const Block *block, guint64 categories)
{
  return (categories & CATEGORY_WRITTEN) != 0
         && (!block->is_private_file || (categories & CATEGORY_FILE) == 0);
}

/* What exists, and of it what was written to; all of it is protected then, if @protect says so. */
static gboolean
scan_block (const StasisDirtyTrack *self, guint number, guint64 protect, guint64 *there,
            GArray *ranges, guint64 *octets, GError **error)
{
  const Block *block = &g_array_index (self->blocks, Block, number);
  g_autofree Region *regions = g_new (Region, REGIONS_MAX);
  Scan scan = {
    .size = sizeof scan,
    .flags = protect | SCAN_CHECK_ASYNC,
    .start = block->address,
    .end = block->address + block->length,
    .vec = (guint64) (gsize) regions,
    .vec_len = REGIONS_MAX,
    .category_anyof_mask = CATEGORY_PRESENT | CATEGORY_SWAPPED,
    .return_mask = CATEGORY_WRITTEN | (block->is_private_file ? CATEGORY_FILE : 0),
  };
  while (scan.start < scan.end)
    {
      const int n = ioctl (self->pagemap, SCAN, &scan);
      if (n < 0)
        return throw_scan (error);
      for (int i = 0; i < n; i++)
        {
          const guint64 offset = regions[i].start - block->address;
          const guint64 end = regions[i].end - block->address;
          set_bits (there, offset / PAGE_SIZE, end / PAGE_SIZE);
          if (ranges != NULL && is_written (block, regions[i].categories))
            append_range (ranges, number, offset, end - offset, octets);
        }
      scan.start = scan.walk_end;
    }
  return TRUE;
}

static guint64
whole_pages (guint64 length)
{
  return (length + PAGE_SIZE - 1) / PAGE_SIZE * PAGE_SIZE;
}

static Block
block_init (const StasisRamBlock *ram)
{
  const guint64 length = whole_pages (ram->used_length);
  return (Block){ .address = ram->host_address,
                  .length = length,
                  .n_words = (length / PAGE_SIZE + 63) / 64 };
}

static guint
append_block (StasisDirtyTrack *self, Block *block)
{
  block->there = g_new0 (guint64, block->n_words);
  g_array_append_val (self->blocks, *block);
  return self->blocks->len - 1;
}

/* One more block. */
int
stasis_dirty_track_add (StasisDirtyTrack *self, const StasisRamBlock *ram, GError **error)
{
  Block block = block_init (ram);
  if (!register_block (self, &block, ram->name, error))
    return -1;
  const guint number = append_block (self, &block);
  const Block *own = &g_array_index (self->blocks, Block, number);
  return scan_block (self, number, SCAN_PROTECT, own->there, NULL, NULL, error) ? (int) number : -1;
}

/* Looks for pages that are present and swapped out, of which there are none, where all of it is to
 * be tracked. */
static gboolean
check_registered (const StasisDirtyTrack *self, const Block *block, const char *name,
                  GError **error)
{
  Region region;
  Scan scan = {
    .size = sizeof scan,
    .flags = SCAN_CHECK_ASYNC,
    .start = block->address,
    .end = block->address + block->length,
    .vec = (guint64) (gsize) &region,
    .vec_len = 1,
    .category_mask = CATEGORY_PRESENT | CATEGORY_SWAPPED,
    .return_mask = CATEGORY_WRITTEN,
  };
  if (ioctl (self->pagemap, SCAN, &scan) >= 0)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
               _ ("the RAM block '%1$s' is not tracked: %2$s"), name, g_strerror (errno));
  return FALSE;
}

/* One more block that is tracked already. */
int
stasis_dirty_track_adopt (StasisDirtyTrack *self, const StasisRamBlock *ram, GError **error)
{
  Block block = block_init (ram);
  if (!check_registered (self, &block, ram->name, error))
    return -1;
  return (int) append_block (self, &block);
}

/* What was only read in from the file does not count. */
void
stasis_dirty_track_set_private_file (StasisDirtyTrack *self, guint number)
{
  g_array_index (self->blocks, Block, number).is_private_file = TRUE;
}

static void
unregister (const StasisDirtyTrack *self, const Block *block)
{
  struct uffdio_range range = { block->address, block->length };
  if (ioctl (self->userfault, UFFDIO_UNREGISTER, &range) < 0)
    g_debug ("a RAM block stays registered: %s", g_strerror (errno));
}

static void
drop_blocks (StasisDirtyTrack *self)
{
  for (guint i = 0; i < self->blocks->len; i++)
    unregister (self, &g_array_index (self->blocks, Block, i));
  g_array_set_size (self->blocks, 0);
}

/* Whether that will do. */
gboolean
stasis_dirty_track_probe (StasisDirtyTrack *self, const GPtrArray *ram_blocks, GError **error)
{
  gboolean ok = TRUE;
  for (guint i = 0; ok && i < ram_blocks->len; i++)
    {
      StasisRamBlock first = *(const StasisRamBlock *) g_ptr_array_index (ram_blocks, i);
      first.used_length = MIN (first.used_length, MAX (first.page_size, PAGE_SIZE));
      ok = first.host_address == 0 || stasis_dirty_track_add (self, &first, error) >= 0;
    }
  drop_blocks (self);
  return ok;
}

/* Pages that were there. */
void
stasis_dirty_track_expect (StasisDirtyTrack *self, guint number, const guint8 *pages,
                           gsize n_octets)
{
  const Block *block = &g_array_index (self->blocks, Block, number);
  guint8 *there = (guint8 *) block->there; /* hosts are little-endian, as bitmaps of images are */
  const gsize n = MIN (n_octets, block->n_words * sizeof block->there[0]);
  for (gsize i = 0; i < n; i++)
    there[i] |= pages[i];
}

/* Pages that were there and are not. */
static void
append_gone (const Block *block, guint number, const guint64 *there, GArray *ranges,
             guint64 *octets)
{
  for (gsize i = 0; i < block->n_words; i++)
    {
      const guint64 gone = block->there[i] & ~there[i];
      for (guint bit = 0; gone != 0 && bit < 64; bit++)
        if ((gone >> bit & 1) != 0)
          append_range (ranges, number, (i * 64 + bit) * PAGE_SIZE, PAGE_SIZE, octets);
    }
}

static gboolean
collect (StasisDirtyTrack *self, guint64 protect, GArray *ranges, guint64 *out_octets,
         GError **error)
{
  *out_octets = 0;
  for (guint i = 0; i < self->blocks->len; i++)
    {
      Block *block = &g_array_index (self->blocks, Block, i);
      g_autofree guint64 *there = g_new0 (guint64, block->n_words);
      if (!scan_block (self, i, protect, there, ranges, out_octets, error))
        return FALSE;
      append_gone (block, i, there, ranges, out_octets);
      if (protect == 0)
        continue;
      g_free (block->there);
      block->there = g_steal_pointer (&there);
    }
  return TRUE;
}

/* What was written to. */
gboolean
stasis_dirty_track_take (StasisDirtyTrack *self, GArray *ranges, guint64 *out_octets,
                         GError **error)
{
  return collect (self, SCAN_PROTECT, ranges, out_octets, error);
}

/* The same, to be told again. */
gboolean
stasis_dirty_track_look (StasisDirtyTrack *self, GArray *ranges, guint64 *out_octets,
                         GError **error)
{
  return collect (self, 0, ranges, out_octets, error);
}

/* It stays tracked. */
void
stasis_dirty_track_leave (StasisDirtyTrack *self)
{
  if (self != NULL)
    g_array_set_size (self->blocks, 0);
  stasis_dirty_track_free (self);
}

/* NULL is fine. */
void
stasis_dirty_track_free (StasisDirtyTrack *self)
{
  if (self == NULL)
    return;
  drop_blocks (self);
  stasis_fd_clear (&self->userfault);
  stasis_fd_clear (&self->pagemap);
  g_array_unref (self->blocks);
  g_free (self);
}
