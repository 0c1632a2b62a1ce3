/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory-hash.c: hashes of a paused guest's memory, taken from outside
 *
 * Theory of operation
 *
 * The hash table of a save image is to tell what the guest's memory was, not what arrived in
 * the file: only then does it notice a write that went wrong.  The CPUs are stopped, so the
 * memory holds still while QEMU writes it and we read it with process_vm_readv.  A RAMBlock is
 * hashed in pieces of 1 MiB, which are the chunks of the image's hash table (docs/save-image.md).
 *
 * Memory that the guest never touched would be made by reading it: where a block lies in
 * anonymous memory, /proc/PID/pagemap tells which pieces have no page at all, and their hash is
 * that of zeros.  In a mapping of a file a missing page means nothing, and all is read.
 */

#include "config.h"

#include "driver/memory-hash.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/process-maps.h"
#include "util/fd.h"

#define PIECE_SIZE      (1024u * 1024u)
#define READ_SIZE       (256u * 1024u) /* octets in one call: larger ones are slower */
#define HOST_PAGE_SIZE  4096u
#define PAGES_PER_PIECE (PIECE_SIZE / HOST_PAGE_SIZE)

/* /proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst): present, or swapped out. */
#define PAGEMAP_POPULATED (G_GUINT64_CONSTANT (3) << 62)

typedef struct
{
  guint number; /* in the container of hashes */
  guint64 address;
  guint64 length;
  gboolean is_anonymous;
  guint64 first_piece; /* numbered through all blocks */
} Block;

struct _StasisMemoryHash
{
  StasisProcess qemu;
  int pagemap;        /* (owned) or -1 */
  GArray *blocks;     /* (owned) of Block */
  guint64 n_pieces;   /* of all blocks */
  guint64 next_piece; /* (guarded by lock) */
  GMutex lock;
  gboolean is_stopped;       /* atomic */
  int failed_errno;          /* atomic: 0 while all went well */
  StasisImageHashes *hashes; /* (owned) (nullable) */
  StasisHash zeros;          /* of a whole piece */
  GPtrArray *threads;        /* (owned) of GThread */
};

/* TRUE where the whole range lies in one anonymous private mapping. */
static gboolean
is_anonymous (pid_t pid, guint64 address, guint64 length)
{
  g_autoptr (GArray) mappings = stasis_process_maps_read (pid, NULL);
  for (guint i = 0; mappings != NULL && i < mappings->len; i++)
    {
      const StasisMapping *mapping = &g_array_index (mappings, StasisMapping, i);
      if (mapping->begin <= address && address + length <= mapping->end)
        return mapping->inode == 0 && mapping->mode[3] == 'p';
    }
  return FALSE;
}

/* TRUE where no page of the piece exists. */
static gboolean
is_unpopulated (const StasisMemoryHash *hash, guint64 address)
{
  guint64 entries[PAGES_PER_PIECE];
  const guint64 offset = address / HOST_PAGE_SIZE * sizeof entries[0];
  if (hash->pagemap < 0
      || pread (hash->pagemap, entries, sizeof entries, (off_t) offset) != sizeof entries)
    return FALSE;
  for (guint i = 0; i < PAGES_PER_PIECE; i++)
    if (entries[i] & PAGEMAP_POPULATED)
      return FALSE;
  return TRUE;
}

static gboolean
read_memory (const StasisMemoryHash *hash, guint8 *buffer, guint64 address, gsize length)
{
  gsize done = 0;
  while (done < length)
    {
      struct iovec local = { buffer + done, MIN (READ_SIZE, length - done) };
      struct iovec remote = { (void *) (gsize) (address + done), local.iov_len };
      const gssize n = process_vm_readv (hash->qemu.pid, &local, 1, &remote, 1, 0);
      if (n <= 0)
        return FALSE;
      done += (gsize) n;
    }
  return TRUE;
}

/* The block that holds the piece with this number. */
static const Block *
find_block (const StasisMemoryHash *hash, guint64 piece)
{
  guint at = hash->blocks->len - 1;
  while (g_array_index (hash->blocks, Block, at).first_piece > piece)
    at--;
  return &g_array_index (hash->blocks, Block, at);
}

static gboolean
hash_piece (StasisMemoryHash *hash, guint64 number, guint8 *buffer)
{
  const Block *block = find_block (hash, number);
  const guint64 piece = number - block->first_piece;
  const guint64 offset = piece * PIECE_SIZE;
  const gsize length = (gsize) MIN (PIECE_SIZE, block->length - offset);
  if (length == PIECE_SIZE && block->is_anonymous && is_unpopulated (hash, block->address + offset))
    {
      stasis_image_hashes_set (hash->hashes, block->number, piece, &hash->zeros);
      return TRUE;
    }
  if (!read_memory (hash, buffer, block->address + offset, length))
    return FALSE;

  const StasisHash digest = stasis_hash (buffer, length);
  stasis_image_hashes_set (hash->hashes, block->number, piece, &digest);
  return TRUE;
}

static gboolean
take_piece (StasisMemoryHash *hash, guint64 *out_piece)
{
  if (g_atomic_int_get (&hash->is_stopped))
    return FALSE;
  g_mutex_lock (&hash->lock);
  *out_piece = hash->next_piece;
  const gboolean more = hash->next_piece < hash->n_pieces;
  if (more)
    hash->next_piece++;
  g_mutex_unlock (&hash->lock);
  return more;
}

static gpointer
hash_pieces (gpointer data)
{
  StasisMemoryHash *hash = data;
  g_autofree guint8 *buffer = g_malloc (PIECE_SIZE);
  guint64 piece;
  while (take_piece (hash, &piece))
    if (!hash_piece (hash, piece, buffer))
      {
        g_atomic_int_set (&hash->failed_errno, errno != 0 ? errno : EFAULT);
        g_atomic_int_set (&hash->is_stopped, TRUE);
      }
  return NULL;
}

static void
add_block (StasisMemoryHash *hash, const StasisRamBlock *ram)
{
  if (ram->host_address == 0 || ram->used_length < PIECE_SIZE)
    return;

  const Block block = {
    .number = stasis_image_hashes_add_block (hash->hashes, ram->name, ram->used_length),
    .address = ram->host_address,
    .length = ram->used_length,
    .is_anonymous = is_anonymous (hash->qemu.pid, ram->host_address, ram->used_length),
    .first_piece = hash->n_pieces,
  };
  g_array_append_val (hash->blocks, block);
  hash->n_pieces += (ram->used_length + PIECE_SIZE - 1) / PIECE_SIZE;
}

/* Where this process may not read QEMU's memory, it is better known now than in a thread. */
static gboolean
check_access (const StasisMemoryHash *hash, GError **error)
{
  guint8 octet;
  if (hash->blocks->len == 0
      || read_memory (hash, &octet, g_array_index (hash->blocks, Block, 0).address, 1))
    return TRUE;
  return stasis_throw_errno (error, _ ("cannot read the memory of QEMU (process %d)"),
                             (int) hash->qemu.pid);
}

/* Begin to hash. */
StasisMemoryHash *
stasis_memory_hash_start (const StasisProcess *qemu, const GPtrArray *blocks, guint n_threads,
                          GError **error)
{
  g_autoptr (StasisMemoryHash) hash = g_new0 (StasisMemoryHash, 1);
  g_autofree guint8 *zeros = g_malloc0 (PIECE_SIZE);
  g_autofree char *pagemap = g_strdup_printf ("/proc/%d/pagemap", (int) qemu->pid);
  hash->qemu = *qemu;
  hash->blocks = g_array_new (FALSE, FALSE, sizeof (Block));
  hash->hashes = stasis_image_hashes_new ();
  hash->zeros = stasis_hash (zeros, PIECE_SIZE);
  hash->threads = g_ptr_array_new ();
  hash->pagemap = stasis_fd_open (pagemap, O_RDONLY, 0, NULL);
  g_mutex_init (&hash->lock);
  for (guint i = 0; i < blocks->len; i++)
    add_block (hash, g_ptr_array_index (blocks, i));
  if (!check_access (hash, error))
    return NULL;

  for (guint i = 0; i < n_threads; i++)
    g_ptr_array_add (hash->threads, g_thread_new ("memory-hash", hash_pieces, hash));
  return g_steal_pointer (&hash);
}

static void
join (StasisMemoryHash *hash)
{
  for (guint i = 0; i < hash->threads->len; i++)
    g_thread_join (g_ptr_array_index (hash->threads, i));
  g_ptr_array_set_size (hash->threads, 0);
}

/* Wait for the threads. */
StasisImageHashes *
stasis_memory_hash_finish (StasisMemoryHash *hash, GError **error)
{
  join (hash);
  if (hash->failed_errno == 0)
    return g_steal_pointer (&hash->hashes);

  errno = hash->failed_errno;
  stasis_throw_errno (error, _ ("cannot read the memory of QEMU (process %d)"),
                      (int) hash->qemu.pid);
  return NULL;
}

/* Stop at once.  NULL is fine. */
void
stasis_memory_hash_free (StasisMemoryHash *hash)
{
  if (hash == NULL)
    return;

  g_atomic_int_set (&hash->is_stopped, TRUE);
  join (hash);
  g_ptr_array_unref (hash->threads);
  g_array_unref (hash->blocks);
  stasis_image_hashes_free (hash->hashes);
  stasis_fd_clear (&hash->pagemap);
  g_mutex_clear (&hash->lock);
  g_free (hash);
}
