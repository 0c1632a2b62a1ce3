/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * capture.c: writing the state of a paused guest ourselves, from outside QEMU
 *
 * Theory of operation
 *
 * A QEMU that saves a guest whose memory is mapped from an image reads all of it, the holes of the
 * image included: gigabytes of page faults for memory that is zero.  So such a guest's pages are
 * read from outside (guest-memory.c: its own pages from QEMU, the others from the image), and put
 * into a mapped body as QEMU would write it.  What stands ahead of the pages is the base image's,
 * for it describes the same machine; the blocks and their lengths are those of now.  The devices'
 * state comes from QEMU, by the command that Xen's toolstack uses.  With `live` it lets go of the
 * disks of a guest that is paused, as at the end of a migration; `cont` takes them back.
 */

#include "config.h"

#include "driver/capture.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/guest-memory.h"
#include "driver/side-thread.h"
#include "image/mapped-ram.h"
#include "image/mapped-writer.h"
#include "image/qemu-wire.h"
#include "image/types.h"
#include "monitor/commands-devices.h"
#include "monitor/commands-fd.h"
#include "util/fault.h"
#include "util/fd.h"

#define DEVICES_MAX  (256u * 1024 * 1024)
#define DEVICES_HEAD 8u /* magic and version, of which the body has its own */
#define THREADS_MIN  4u /* a disk wants some writes at a time, however few processors */
#define THREADS_MAX  8u
#define PIECE_SIZE   STASIS_GUEST_MEMORY_PIECE
#define ALIGNMENT    4096u /* of what goes past the page cache */

struct _StasisCapture
{
  StasisImage *base; /* (owned) */
  int devices;       /* (owned) a file in memory, or -1 */
};

/* NULL is fine. */
void
stasis_capture_free (StasisCapture *self)
{
  if (self == NULL)
    return;
  stasis_fd_clear (&self->devices);
  stasis_image_free (self->base);
  g_free (self);
}

static const StasisRamBlock *
find_block (const GPtrArray *blocks, const char *name)
{
  for (guint i = 0; i < blocks->len; i++)
    {
      const StasisRamBlock *block = g_ptr_array_index (blocks, i);
      if (g_str_equal (block->name, name))
        return block;
    }
  return NULL;
}

/* QEMU has the base's blocks, and we may read them: better known now than with a paused guest. */
static gboolean
check_memory (const StasisImage *base, const StasisProcess *qemu, const GPtrArray *ram_blocks,
              GError **error)
{
  const StasisImageRamMap *map = stasis_image_ram_map (base);
  g_autoptr (StasisGuestMemory) memory = stasis_guest_memory_new (qemu, -1);
  guint n_found = 0;
  for (guint i = 0; map != NULL && i < map->n_blocks; i++)
    {
      const StasisRamBlock *ram = find_block (ram_blocks, map->blocks[i].name);
      guint8 octet;
      gboolean is_zero;
      if (ram == NULL || ram->host_address == 0)
        break;
      n_found++;
      if (!stasis_guest_memory_read (memory, stasis_guest_memory_add (memory, ram), 0, &octet, 1,
                                     &is_zero, error))
        return FALSE;
    }
  if (map != NULL && n_found == map->n_blocks && n_found == ram_blocks->len)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
               _ ("QEMU has other RAM blocks than '%s', which its memory is mapped from"),
               stasis_image_name (base));
  return FALSE;
}

/* Get ready. */
StasisCapture *
stasis_capture_new (StasisImage *base_take, const StasisProcess *qemu, const GPtrArray *ram_blocks,
                    StasisMonitor *monitor, GCancellable *cancellable, GError **error)
{
  g_autoptr (StasisImage) base = base_take;
  if (!check_memory (base, qemu, ram_blocks, error))
    return NULL;
  g_autofree char *why_not = NULL;
  if (!stasis_monitor_can_save_devices (monitor, &why_not, cancellable, error))
    {
      if (why_not != NULL)
        g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED, why_not);
      return NULL;
    }
  StasisCapture *self = g_new0 (StasisCapture, 1);
  self->base = g_steal_pointer (&base);
  self->devices = -1;
  return self;
}

/* The image that the memory is mapped from. */
const char *
stasis_capture_base_name (const StasisCapture *self)
{
  return stasis_image_name (self->base);
}

/* Give QEMU its descriptor, which is to be for writing only. */
gboolean
stasis_capture_pass (StasisCapture *self, StasisMonitor *monitor, const char *opaque,
                     gint64 *out_fdset, GCancellable *cancellable, GError **error)
{
  self->devices = memfd_create ("stasis-devices", MFD_CLOEXEC);
  if (self->devices < 0)
    return stasis_throw_errno (error, _ ("cannot make a memory file"));
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", self->devices);
  stasis_autofd int own = stasis_fd_open (path, O_WRONLY, 0, error);
  return own >= 0
         && stasis_monitor_add_fd (monitor, STASIS_FDSET_NEW, own, opaque, out_fdset, NULL,
                                   cancellable, error);
}

typedef struct
{
  StasisCapture *capture; /* (borrowed) */
  const StasisCaptureTarget *target;
  StasisQemuHead head;        /* (owned) */
  StasisImageRamMap *map;     /* (owned) of the new body */
  StasisGuestMemory *memory;  /* (owned) its blocks have the numbers of the map's */
  StasisImageHashes *hashes;  /* (owned) */
  int *hash_blocks;           /* (owned) their numbers there, or -1: too small */
  StasisMappedWriter *writer; /* (owned) */
  int data_fd;                /* (owned) what pages are written to */
  guint64 total;              /* octets of all blocks */
  StasisHash zeros;           /* of a whole piece */

  StasisSideThread *side;    /* (borrowed) */
  GCancellable *cancellable; /* (borrowed) */
  GMutex lock;
  guint next_block; /* guarded by lock, as are the following */
  guint64 next_offset;
  guint64 done;
  guint64 written;
  GError *failure; /* (owned) (nullable) the first one */
} Run;

static void
run_clear (Run *run)
{
  stasis_mapped_writer_free (run->writer);
  stasis_guest_memory_free (run->memory);
  stasis_image_hashes_free (run->hashes);
  stasis_image_ram_map_free (run->map);
  stasis_qemu_head_clear (&run->head);
  stasis_fd_clear (&run->data_fd);
  g_free (run->hash_blocks);
  g_clear_error (&run->failure);
  g_mutex_clear (&run->lock);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Run, run_clear)

/* The base's blocks in their order, with the lengths of now. */
static void
take_blocks (Run *run)
{
  run->hash_blocks = g_new (int, run->map->n_blocks);
  run->head.ram_total = 0;
  for (guint i = 0; i < run->map->n_blocks; i++)
    {
      StasisImageBlock *block = &run->map->blocks[i];
      const StasisRamBlock *ram = find_block (run->target->ram_blocks, block->name);
      block->used_length = ram->used_length;
      run->head.ram_total += ram->used_length;
      stasis_guest_memory_add (run->memory, ram);
      run->hash_blocks[i]
          = ram->used_length >= PIECE_SIZE
                ? (int) stasis_image_hashes_add_block (run->hashes, block->name, ram->used_length)
                : -1;
    }
  run->total = run->head.ram_total;
}

static int
open_data (const StasisCaptureTarget *target, GError **error)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", target->fd);
  const int fd = target->direct_io ? stasis_fd_open (path, O_WRONLY | O_DIRECT, 0, NULL) : -1;
  return fd >= 0 ? fd : stasis_fd_open (path, O_WRONLY, 0, error);
}

static gboolean
prepare (Run *run, GError **error)
{
  const StasisImage *base = run->capture->base;
  const guint64 start = stasis_image_body_offset (base);
  const guint64 end = start + stasis_image_body_length (base);
  g_auto (StasisQemuInput) input;
  stasis_qemu_input_init_file (&input, stasis_image_fd (base), start, end, run->cancellable);
  run->map = stasis_mapped_ram_take (&input, &run->head, error);
  if (run->map == NULL)
    return FALSE;
  run->memory = stasis_guest_memory_new (run->target->qemu, stasis_image_fd (base));
  run->hashes = stasis_image_hashes_new ();
  run->data_fd = open_data (run->target, error);
  if (run->data_fd < 0)
    return FALSE;
  take_blocks (run);
  run->writer = stasis_mapped_writer_begin (run->target->fd, run->target->offset, &run->head,
                                            run->map, error);
  return run->writer != NULL;
}

typedef struct
{
  guint block;
  guint64 offset;
  gsize length;
} Piece;

static gboolean
take_piece (Run *run, Piece *out_piece)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&run->lock);
  while (run->next_block < run->map->n_blocks
         && run->next_offset == run->map->blocks[run->next_block].used_length)
    {
      run->next_block++;
      run->next_offset = 0;
    }
  if (run->failure != NULL || run->next_block == run->map->n_blocks
      || g_cancellable_set_error_if_cancelled (run->cancellable, &run->failure))
    return FALSE;
  const guint64 left = run->map->blocks[run->next_block].used_length - run->next_offset;
  *out_piece = (Piece){ run->next_block, run->next_offset, MIN (left, PIECE_SIZE) };
  run->next_offset += out_piece->length;
  return TRUE;
}

static gboolean
copy_piece (Run *run, const Piece *piece, guint8 *octets, guint64 *written, GError **error)
{
  gboolean is_zero;
  if (!stasis_guest_memory_read (run->memory, piece->block, piece->offset, octets, piece->length,
                                 &is_zero, error))
    return FALSE;
  if (is_zero && piece->length < PIECE_SIZE)
    memset (octets, 0, piece->length);
  const int number = run->hash_blocks[piece->block];
  if (number >= 0)
    {
      const StasisHash hash = is_zero && piece->length == PIECE_SIZE
                                  ? run->zeros
                                  : stasis_hash (octets, piece->length);
      stasis_image_hashes_set (run->hashes, (guint) number, piece->offset / PIECE_SIZE, &hash);
    }
  return is_zero
         || stasis_mapped_writer_put (run->writer, run->data_fd, piece->block, piece->offset,
                                      octets, piece->length, written, error);
}

static void
note_piece (Run *run, const Piece *piece, guint64 written, GError *error_take)
{
  g_mutex_lock (&run->lock);
  run->done += piece->length;
  run->written += written;
  if (run->failure == NULL)
    run->failure = g_steal_pointer (&error_take);
  stasis_side_thread_tell (run->done, run->total, run->side);
  g_mutex_unlock (&run->lock);
  g_clear_error (&error_take);
}

static gpointer
copy_pieces (gpointer data)
{
  Run *run = data;
  void *octets = NULL;
  if (posix_memalign (&octets, ALIGNMENT, PIECE_SIZE) != 0)
    g_error ("no memory for a piece of a guest's"); /* as g_malloc() */
  Piece piece;
  while (take_piece (run, &piece))
    {
      GError *error = NULL;
      guint64 written = 0;
      copy_piece (run, &piece, octets, &written, &error);
      note_piece (run, &piece, written, error);
    }
  free (octets);
  return NULL;
}

static gboolean
copy_memory (StasisSideThread *side, gpointer data, GCancellable *cancellable, GError **error)
{
  Run *run = data;
  run->side = side;
  run->cancellable = cancellable;
  if (!prepare (run, error))
    return FALSE;
  GThread *threads[THREADS_MAX];
  const guint n = CLAMP (g_get_num_processors (), THREADS_MIN, THREADS_MAX);
  for (guint i = 0; i < n; i++)
    threads[i] = g_thread_new ("capture", copy_pieces, run);
  for (guint i = 0; i < n; i++)
    g_thread_join (threads[i]);
  if (run->failure == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&run->failure));
  return FALSE;
}

/* QEMU's devices, as they stand at the end of a stream. */
static GByteArray *
take_devices (const Run *run, StasisMonitor *monitor, GCancellable *cancellable, GError **error)
{
  g_autofree char *path = g_strdup_printf ("/dev/fdset/%" G_GINT64_FORMAT, run->target->fdset);
  if (!stasis_monitor_save_devices (monitor, path, cancellable, error))
    return NULL;

  const int fd = run->capture->devices;
  const off_t size = lseek (fd, 0, SEEK_END);
  if (size <= DEVICES_HEAD || size > DEVICES_MAX)
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_QEMU,
                           _ ("QEMU's state of its devices has no sensible size"));
      return NULL;
    }
  g_autoptr (GByteArray) octets = g_byte_array_new ();
  g_byte_array_set_size (octets, (guint) size - DEVICES_HEAD);
  if (!stasis_fd_pread_exact (fd, octets->data, octets->len, DEVICES_HEAD, error))
    return NULL;
  /* A description of nothing: the reader wants one. */
  stasis_qemu_append_u8 (octets, STASIS_QEMU_DESCRIPTION);
  stasis_qemu_append_u32 (octets, 2);
  g_byte_array_append (octets, (const guint8 *) "{}", 2);
  return g_steal_pointer (&octets);
}

/* The whole body. */
gboolean
stasis_capture_run (StasisCapture *self, const StasisCaptureTarget *target, StasisMonitor *monitor,
                    StasisJob *job, StasisImageHashes **out_hashes, GError **error)
{
  g_auto (Run) run = { .capture = self, .target = target, .data_fd = -1 };
  g_autofree guint8 *zeros = g_malloc0 (PIECE_SIZE);
  run.zeros = stasis_hash (zeros, PIECE_SIZE);
  g_mutex_init (&run.lock);
  g_autoptr (StasisSideThread) side = stasis_side_thread_start ("capture", copy_memory, &run, job);
  if (!stasis_side_thread_finish (side, error) || !stasis_fault ("capture-copied", error))
    return FALSE;

  g_autoptr (GByteArray) devices
      = take_devices (&run, monitor, stasis_job_cancellable (job), error);
  guint64 end;
  if (devices == NULL || !stasis_mapped_writer_finish (run.writer, NULL, devices, &end, error))
    return FALSE;
  StasisJobStats *stats = stasis_job_stats (job);
  stats->bytes_written = run.written;
  stats->page_size = STASIS_IMAGE_PAGE_SIZE;
  stats->pages_normal = run.written / STASIS_IMAGE_PAGE_SIZE;
  stats->pages_zero = (run.total - run.written) / STASIS_IMAGE_PAGE_SIZE;
  *out_hashes = g_steal_pointer (&run.hashes);
  return TRUE;
}
