/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest-memory.c: reading a guest's memory from outside
 *
 * Theory of operation
 *
 * process_vm_readv copies what lies in QEMU's address space, and has QEMU's pages made where there
 * are none: of memory that the guest never touched, and of the holes of an image that it is mapped
 * from, which is most of a large guest.  So /proc/PID/pagemap is looked at first:
 *
 * - anonymous memory: a piece without any page is zero;
 * - a private mapping of the image: a page is either the guest's own, which is anonymous, or the
 *   image's, present or not.  The image's are read from the file, whose holes are zero;
 * - a shared mapping of a file in memory (memfd): the file is read, whose holes are zero and stay
 * so;
 * - anything else is read as it is.
 */

#include "config.h"

#include "driver/guest-memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/process-maps.h"
#include "image/extents.h"
#include "util/fd.h"

#define READ_SIZE      (256u * 1024u) /* octets in one call: larger ones are slower */
#define READ_RANGES    64u            /* of a page each that is the same */
#define HOST_PAGE_SIZE 4096u
#define PAGES_MAX      (STASIS_GUEST_MEMORY_PIECE / HOST_PAGE_SIZE)

/* /proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst). */
#define PAGEMAP_POPULATED (G_GUINT64_CONSTANT (3) << 62) /* present, or swapped out */
#define PAGEMAP_FILE      (G_GUINT64_CONSTANT (1) << 61) /* of a file, or shared */

typedef enum
{
  BACKING_OTHER,
  BACKING_ANONYMOUS,
  BACKING_IMAGE, /* a private mapping of it */
  BACKING_FILE,  /* a shared mapping of a file that QEMU has open */
} Backing;

typedef struct
{
  guint64 address;
  Backing backing;
  int file;             /* (owned) that, or -1 */
  guint64 image_offset; /* where the block begins in the image, or in that file */
} Block;

struct _StasisGuestMemory
{
  StasisProcess qemu;
  int image;        /* (borrowed) or -1 */
  GArray *all;      /* (owned) (nullable) QEMU's mappings */
  GArray *of_image; /* (owned) (nullable) those of the image */
  int pagemap;      /* (owned) or -1 */
  GArray *blocks;   /* (owned) of Block */
};

static void
block_clear (gpointer data)
{
  Block *block = data;
  stasis_fd_clear (&block->file);
}

/* The memory of this QEMU. */
StasisGuestMemory *
stasis_guest_memory_new (const StasisProcess *qemu, int image)
{
  StasisGuestMemory *self = g_new0 (StasisGuestMemory, 1);
  g_autofree char *pagemap = g_strdup_printf ("/proc/%d/pagemap", (int) qemu->pid);
  self->qemu = *qemu;
  self->image = image;
  self->all = stasis_process_maps_read (qemu->pid, NULL);
  if (image >= 0)
    self->of_image = stasis_process_maps_of_file (qemu->pid, image, NULL);
  self->pagemap = stasis_fd_open (pagemap, O_RDONLY, 0, NULL);
  self->blocks = g_array_new (FALSE, FALSE, sizeof (Block));
  g_array_set_clear_func (self->blocks, block_clear);
  return self;
}

/* The mapping that the whole range lies in, or NULL. */
static const StasisMapping *
find_mapping (const GArray *mappings, guint64 address, guint64 length)
{
  for (guint i = 0; mappings != NULL && i < mappings->len; i++)
    {
      const StasisMapping *mapping = &g_array_index (mappings, StasisMapping, i);
      if (mapping->begin <= address && address + length <= mapping->end)
        return mapping;
    }
  return NULL;
}

static void
find_backing (const StasisGuestMemory *self, Block *block, guint64 length)
{
  const StasisMapping *mapping = find_mapping (self->of_image, block->address, length);
  if (mapping != NULL && stasis_mapping_is_private (mapping))
    {
      block->backing = BACKING_IMAGE;
      block->image_offset = mapping->offset + (block->address - mapping->begin);
      return;
    }
  mapping = find_mapping (self->all, block->address, length);
  if (mapping == NULL)
    return;
  if (mapping->inode == 0 && stasis_mapping_is_private (mapping))
    block->backing = BACKING_ANONYMOUS;
  if (mapping->inode == 0 || !stasis_mapping_is_shared (mapping))
    return;
  block->file = stasis_process_maps_open_file (self->qemu.pid, mapping);
  if (block->file < 0)
    return;
  block->backing = BACKING_FILE;
  block->image_offset = mapping->offset + (block->address - mapping->begin);
}

/* One more block. */
guint
stasis_guest_memory_add (StasisGuestMemory *self, const StasisRamBlock *ram)
{
  Block block = { .address = ram->host_address, .backing = BACKING_OTHER, .file = -1 };
  if (self->pagemap >= 0)
    find_backing (self, &block, ram->used_length);
  g_array_append_val (self->blocks, block);
  return self->blocks->len - 1;
}

static gboolean
read_memory (const StasisGuestMemory *self, guint64 address, guint8 *octets, gsize length,
             GError **error)
{
  gsize done = 0;
  while (done < length)
    {
      struct iovec local = { octets + done, MIN (READ_SIZE, length - done) };
      struct iovec remote = { (void *) (gsize) (address + done), local.iov_len };
      const gssize n = process_vm_readv (self->qemu.pid, &local, 1, &remote, 1, 0);
      if (n <= 0)
        return stasis_throw_errno (error, _ ("cannot read the memory of QEMU (process %d)"),
                                   (int) self->qemu.pid);
      done += (gsize) n;
    }
  return TRUE;
}

static gboolean
read_pagemap (const StasisGuestMemory *self, guint64 address, guint64 *entries, gsize n_pages)
{
  const guint64 offset = address / HOST_PAGE_SIZE * sizeof entries[0];
  const gsize size = n_pages * sizeof entries[0];
  return pread (self->pagemap, entries, size, (off_t) offset) == (gssize) size;
}

static gboolean
is_any_populated (const guint64 *entries, gsize n_pages)
{
  for (gsize i = 0; i < n_pages; i++)
    if (entries[i] & PAGEMAP_POPULATED)
      return TRUE;
  return FALSE;
}

/* The guest has written to it: it is not the image's any more. */
static gboolean
is_own (guint64 entry)
{
  return (entry & PAGEMAP_POPULATED) != 0 && (entry & PAGEMAP_FILE) == 0;
}

/* What the file has there; *@out_is_zero: nothing, and @octets are not filled. */
static gboolean
read_file (int file, guint64 offset, guint8 *octets, gsize length, gboolean *out_is_zero,
           GError **error)
{
  const guint64 end = offset + length;
  guint64 data, stop;
  if (!stasis_extent_next (file, offset, end, &data, &stop, error))
    return FALSE;
  *out_is_zero = data == end;
  if (*out_is_zero)
    return TRUE;
  memset (octets, 0, length);
  while (data < end)
    if (!stasis_fd_pread_exact (file, octets + (data - offset), stop - data, data, error)
        || !stasis_extent_next (file, stop, end, &data, &stop, error))
      return FALSE;
  return TRUE;
}

/* The image's pages, and over them the guest's own. */
static gboolean
read_mapped (const StasisGuestMemory *self, const Block *block, guint64 offset,
             const guint64 *entries, guint8 *octets, gsize length, gboolean *out_is_zero,
             GError **error)
{
  if (!read_file (self->image, block->image_offset + offset, octets, length, out_is_zero, error))
    return FALSE;
  const gsize n_pages = length / HOST_PAGE_SIZE;
  gsize stop;
  for (gsize page = 0; page < n_pages; page = stop)
    {
      for (stop = page + 1; stop < n_pages && is_own (entries[stop]) == is_own (entries[page]);)
        stop++;
      if (!is_own (entries[page]))
        continue;
      if (*out_is_zero)
        memset (octets, 0, length);
      *out_is_zero = FALSE;
      const gsize at = page * HOST_PAGE_SIZE;
      if (!read_memory (self, block->address + offset + at, octets + at,
                        (stop - page) * HOST_PAGE_SIZE, error))
        return FALSE;
    }
  return TRUE;
}

/* Read a piece of a block. */
gboolean
stasis_guest_memory_read (const StasisGuestMemory *self, guint number, guint64 offset,
                          guint8 *octets, gsize length, gboolean *out_is_zero, GError **error)
{
  const Block *block = &g_array_index (self->blocks, Block, number);
  const guint64 address = block->address + offset;
  guint64 entries[PAGES_MAX];
  const gsize n_pages = length / HOST_PAGE_SIZE;
  *out_is_zero = FALSE;
  if (block->backing == BACKING_FILE)
    return read_file (block->file, block->image_offset + offset, octets, length, out_is_zero,
                      error);
  if (block->backing != BACKING_OTHER && length % HOST_PAGE_SIZE == 0
      && read_pagemap (self, address, entries, n_pages))
    {
      if (block->backing == BACKING_IMAGE)
        return read_mapped (self, block, offset, entries, octets, length, out_is_zero, error);
      *out_is_zero = !is_any_populated (entries, n_pages);
      if (*out_is_zero)
        return TRUE;
    }
  return read_memory (self, address, octets, length, error);
}

/* What the pages are that are not there. */
gboolean
stasis_guest_memory_is_mapped (const StasisGuestMemory *self, guint number)
{
  return g_array_index (self->blocks, Block, number).backing == BACKING_IMAGE;
}

/* The guest's own pages. */
gboolean
stasis_guest_memory_own (const StasisGuestMemory *self, guint number, guint64 offset, gsize length,
                         GArray *ranges)
{
  const Block *block = &g_array_index (self->blocks, Block, number);
  guint64 entries[PAGES_MAX];
  const gsize n_pages = length / HOST_PAGE_SIZE;
  if (block->backing != BACKING_IMAGE || length % HOST_PAGE_SIZE != 0
      || !read_pagemap (self, block->address + offset, entries, n_pages))
    return FALSE;
  gsize stop;
  for (gsize page = 0; page < n_pages; page = stop)
    {
      for (stop = page + 1; stop < n_pages && is_own (entries[stop]) == is_own (entries[page]);)
        stop++;
      const StasisGuestRange range
          = { number, offset + page * HOST_PAGE_SIZE, (stop - page) * HOST_PAGE_SIZE };
      if (is_own (entries[page]))
        g_array_append_val (ranges, range);
    }
  return TRUE;
}

/* One call's worth of [*index, n): what is left of *index is not read yet. */
static gsize
gather (const StasisGuestMemory *self, const StasisGuestRange *ranges, guint n, guint *index,
        guint64 *done, struct iovec *remote, gulong *out_count)
{
  gsize size = 0;
  gulong count = 0;
  while (*index < n && count < READ_RANGES && size < READ_SIZE)
    {
      const StasisGuestRange *range = &ranges[*index];
      const Block *block = &g_array_index (self->blocks, Block, range->block);
      const gsize length = MIN (range->length - *done, READ_SIZE - size);
      remote[count++]
          = (struct iovec){ (void *) (gsize) (block->address + range->offset + *done), length };
      size += length;
      *done += length;
      if (*done < range->length)
        break;
      (*index)++;
      *done = 0;
    }
  *out_count = count;
  return size;
}

/* Read many ranges. */
gboolean
stasis_guest_memory_read_ranges (const StasisGuestMemory *self, const StasisGuestRange *ranges,
                                 guint n, guint8 *octets, GError **error)
{
  guint index = 0;
  guint64 done = 0;
  while (index < n)
    {
      struct iovec remote[READ_RANGES];
      gulong count;
      struct iovec local = { octets, gather (self, ranges, n, &index, &done, remote, &count) };
      const gssize got = process_vm_readv (self->qemu.pid, &local, 1, remote, count, 0);
      if (got >= 0 && (gsize) got != local.iov_len)
        errno = EFAULT; /* the rest is not there */
      if (got < 0 || (gsize) got != local.iov_len)
        return stasis_throw_errno (error, _ ("cannot read the memory of QEMU (process %d)"),
                                   (int) self->qemu.pid);
      octets += local.iov_len;
    }
  return TRUE;
}

/* NULL is fine. */
void
stasis_guest_memory_free (StasisGuestMemory *self)
{
  if (self == NULL)
    return;
  stasis_fd_clear (&self->pagemap);
  g_clear_pointer (&self->all, g_array_unref);
  g_clear_pointer (&self->of_image, g_array_unref);
  g_array_unref (self->blocks);
  g_free (self);
}
