/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * capture.c: writing a guest's state ourselves, from outside QEMU
 *
 * Theory of operation
 *
 * A QEMU that saves a guest whose memory is mapped from an image reads all of it, the holes of the
 * image included: gigabytes of page faults for memory that is zero.  So such a guest's pages are
 * read from outside (guest-memory.c: its own pages from QEMU, the others from the image), and put
 * into a mapped body as QEMU would write it (capture-copy.c).  What stands ahead of the pages is
 * the base image's, for it describes the same machine, or what QEMU says itself (stream-head.c);
 * the blocks and their lengths are those of now.  The devices' state comes from QEMU, by the
 * command that Xen's toolstack uses.  With `live` it lets go of the disks of a guest that is
 * paused, as at the end of a migration; `cont` takes them back.
 *
 * A live capture copies the memory while the guest runs, and what the guest changes meanwhile again
 * and again (dirty-track.c), until little is left.  Only that, and the devices, are taken while it
 * stands still; they are written after it.  A guest that changes its memory faster than it is
 * copied stands still for longer, and is never slowed down.
 *
 * The tracking may be kept for the next capture (tracked.h).  That one need not copy all of it:
 * what was written to since is what differs from the image before.
 */

#include "config.h"

#include "driver/capture.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/capture-track.h"
#include "driver/foreign-writers.h"
#include "driver/guest-memory.h"
#include "driver/recover.h"
#include "driver/stream-head.h"
#include "image/body-head.h"
#include "image/qemu-wire.h"
#include "monitor/commands-devices.h"
#include "monitor/commands-fd.h"
#include "monitor/commands-run.h"
#include "util/fault.h"
#include "util/fd.h"

#define DEVICES_MAX  (256u * 1024 * 1024)
#define DEVICES_HEAD 8u /* magic and version, of which the body has its own */

#define PASSES_MAX       30u
#define PASSES_IMPATIENT 1u
#define ENOUGH           (4u * 1024 * 1024)   /* octets: a millisecond or two */
#define READ_SIZE        (4u * 1024 * 1024)   /* of a pass, at a time */
#define REST_MAX         (256u * 1024 * 1024) /* kept in memory until the guest goes on */

struct _StasisCapture
{
  StasisProcess qemu;
  StasisImage *base;             /* (owned) (nullable) that the memory is mapped from */
  const StasisImageChain *chain; /* (borrowed) (nullable) of an incremental save */
  gboolean is_chain_mapped;
  gboolean is_chain_tracked; /* what the guest has written to since it is tracked */
  gboolean is_live;
  gboolean is_patient;
  gboolean release_disks;
  gboolean keep_track; /* it is to be tracked on */
  int devices;         /* (owned) a file in memory, or -1 */

  StasisQemuHead head;     /* (owned) */
  StasisImageRamMap *map;  /* (owned) (nullable) until the copy has it */
  StasisCaptureCopy *copy; /* (owned) (nullable) */
  StasisDirtyTrack *track; /* (owned) (nullable) of a live one, or of what is tracked already */
  guint n_passes;          /* over the memory of a guest that ran */
  GArray *rest;            /* (owned) (nullable) of StasisGuestRange: taken at the cut */
  guint8 *octets;          /* (owned) (nullable) theirs */
  gsize room;              /* of octets */
};

/* NULL is fine. */
void
stasis_capture_free (StasisCapture *self)
{
  if (self == NULL)
    return;
  /* Of a paused guest it was only looked at. */
  if (self->is_live)
    stasis_dirty_track_free (self->track);
  else
    stasis_dirty_track_leave (self->track);
  stasis_capture_copy_free (self->copy);
  stasis_image_ram_map_free (self->map);
  stasis_qemu_head_clear (&self->head);
  stasis_fd_clear (&self->devices);
  stasis_image_free (self->base);
  g_clear_pointer (&self->rest, g_array_unref);
  if (self->octets != NULL)
    munmap (self->octets, self->room);
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

/* The same without an image to compare with: one octet of each block. */
static gboolean
check_readable (const StasisProcess *qemu, const GPtrArray *ram_blocks, GError **error)
{
  g_autoptr (StasisGuestMemory) memory = stasis_guest_memory_new (qemu, -1);
  for (guint i = 0; i < ram_blocks->len; i++)
    {
      const StasisRamBlock *ram = g_ptr_array_index (ram_blocks, i);
      guint8 octet;
      gboolean is_zero;
      if (ram->host_address != 0
          && !stasis_guest_memory_read (memory, stasis_guest_memory_add (memory, ram), 0, &octet, 1,
                                        &is_zero, error))
        return FALSE;
    }
  return TRUE;
}

/* Get ready. */
StasisCapture *
stasis_capture_new (const StasisCaptureGuest *guest, StasisMonitor *monitor,
                    GCancellable *cancellable, GError **error)
{
  g_autoptr (StasisCapture) self = g_new0 (StasisCapture, 1);
  self->qemu = *guest->qemu;
  self->base = guest->base_take;
  self->chain = guest->chain;
  self->is_chain_mapped = guest->is_chain_mapped;
  self->is_chain_tracked = guest->is_chain_tracked;
  self->is_live = guest->is_live;
  self->is_patient = guest->is_patient;
  self->release_disks = guest->release_disks;
  self->devices = -1;
  if (self->base != NULL ? !check_memory (self->base, guest->qemu, guest->ram_blocks, error)
                         : !check_readable (guest->qemu, guest->ram_blocks, error))
    return NULL;
  g_autofree char *why_not = NULL;
  if (!stasis_monitor_can_save_devices (monitor, self->release_disks, &why_not, cancellable, error))
    {
      if (why_not != NULL)
        g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED, why_not);
      return NULL;
    }
  if (!stasis_foreign_writers_check (monitor, cancellable, error))
    return NULL;
  if (self->is_live || self->is_chain_tracked)
    {
      self->track = stasis_dirty_track_new (guest->qemu, error);
      if (self->track == NULL
          || (!guest->is_tracked
              && !stasis_dirty_track_probe (self->track, guest->ram_blocks, error)))
        return NULL;
    }
  self->keep_track = guest->keep_track && self->is_live
                     && stasis_capture_track_can_stay (guest->qemu, guest->ram_blocks);
  return g_steal_pointer (&self);
}

/* For people. */
char *
stasis_capture_describe (const StasisCapture *self)
{
  const char *when = self->is_live ? _ (" while the guest runs") : "";
  const char *what = self->is_chain_tracked  ? _ ("what the guest has written to since")
                     : self->is_chain_mapped ? _ ("what the guest has written to since it was "
                                                  "mapped from")
                                             : _ ("what differs from");
  if (self->chain != NULL)
    return g_strdup_printf (_ ("incremental, written from outside QEMU%1$s: %2$s '%3$s'"), when,
                            what, stasis_image_name (stasis_image_chain_get (self->chain, 0)));
  if (self->is_live)
    return g_strdup (_ ("mapped-ram, written from outside QEMU while the guest runs"));
  return g_strdup_printf (_ ("mapped-ram, written from outside QEMU: the memory is mapped from "
                             "'%s'"),
                          stasis_image_name (self->base));
}

gboolean
stasis_capture_is_live (const StasisCapture *self)
{
  return self->is_live;
}

/* A file in memory that QEMU has for writing only. */
static int
pass_file (StasisMonitor *monitor, const char *opaque, gint64 *out_fdset, GCancellable *cancellable,
           GError **error)
{
  stasis_autofd int file = memfd_create ("stasis-capture", MFD_CLOEXEC);
  if (file < 0)
    {
      stasis_throw_errno (error, _ ("cannot make a memory file"));
      return -1;
    }
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", file);
  stasis_autofd int own = stasis_fd_open (path, O_WRONLY, 0, error);
  if (own < 0
      || !stasis_monitor_add_fd (monitor, STASIS_FDSET_NEW, own, opaque, out_fdset, NULL,
                                 cancellable, error))
    return -1;
  return stasis_fd_steal (&file);
}

static gboolean
ask_head (StasisCapture *self, StasisMonitor *monitor, const char *opaque, gint64 *fdset,
          GCancellable *cancellable, GError **error)
{
  stasis_autofd int file = pass_file (monitor, opaque, fdset, cancellable, error);
  if (file < 0)
    return FALSE;
  self->map = stasis_stream_head_take (monitor, self->qemu.pid, *fdset, file, &self->head,
                                       cancellable, error);
  return self->map != NULL
         && stasis_monitor_remove_fd (monitor, *fdset, STASIS_FDSET_ALL, cancellable, error);
}

/* An image of the same machine: that its memory is mapped from, or the one since which this very
 * QEMU, with the same blocks, is tracked. */
static const StasisImage *
find_model (const StasisCapture *self)
{
  if (self->base != NULL)
    return self->base;
  return self->is_chain_tracked ? stasis_image_chain_get (self->chain, 0) : NULL;
}

static gboolean
read_head (StasisCapture *self, const StasisImage *model, GCancellable *cancellable, GError **error)
{
  self->map = stasis_image_take_head (model, &self->head, NULL, cancellable, error);
  return self->map != NULL;
}

/* Know how the body begins, and give QEMU the descriptor for its devices' state. */
gboolean
stasis_capture_pass (StasisCapture *self, StasisMonitor *monitor, const char *opaque,
                     gint64 *out_fdset, GCancellable *cancellable, GError **error)
{
  const StasisImage *model = find_model (self);
  if (model != NULL ? !read_head (self, model, cancellable, error)
                    : !ask_head (self, monitor, opaque, out_fdset, cancellable, error))
    return FALSE;
  self->devices = pass_file (monitor, opaque, out_fdset, cancellable, error);
  return self->devices >= 0;
}

static gboolean
begin (StasisCapture *self, const GPtrArray *ram_blocks, const StasisCaptureTarget *target,
       GError **error)
{
  const StasisCaptureSource source = {
    .qemu = &self->qemu,
    .ram_blocks = ram_blocks,
    .image = self->base != NULL ? stasis_image_fd (self->base) : -1,
    .base = self->chain,
    .is_mapped = self->is_chain_mapped,
  };
  self->copy
      = stasis_capture_copy_new (&source, target, &self->head, g_steal_pointer (&self->map), error);
  return self->copy != NULL;
}

static gboolean
save_devices (const StasisCapture *self, StasisMonitor *monitor, gint64 fdset,
              GCancellable *cancellable, GError **error)
{
  g_autofree char *path = g_strdup_printf ("/dev/fdset/%" G_GINT64_FORMAT, fdset);
  return stasis_monitor_save_devices (monitor, path, self->release_disks, cancellable, error);
}

/* QEMU's devices, as they stand at the end of a stream. */
static GByteArray *
take_devices (const StasisCapture *self, GError **error)
{
  const off_t size = lseek (self->devices, 0, SEEK_END);
  if (size <= DEVICES_HEAD || size > DEVICES_MAX)
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_QEMU,
                           _ ("QEMU's state of its devices has no sensible size"));
      return NULL;
    }
  g_autoptr (GByteArray) octets = g_byte_array_new ();
  g_byte_array_set_size (octets, (guint) size - DEVICES_HEAD);
  if (!stasis_fd_pread_exact (self->devices, octets->data, octets->len, DEVICES_HEAD, error))
    return NULL;
  /* A description of nothing: the reader wants one. */
  stasis_qemu_append_u8 (octets, STASIS_QEMU_DESCRIPTION);
  stasis_qemu_append_u32 (octets, 2);
  g_byte_array_append (octets, (const guint8 *) "{}", 2);
  return g_steal_pointer (&octets);
}

/* The end of the body. */
static gboolean
end (StasisCapture *self, StasisJob *job, StasisBodyNotes *notes, GError **error)
{
  g_autoptr (GByteArray) devices = take_devices (self, error);
  return devices != NULL
         && stasis_capture_copy_finish (self->copy, devices, stasis_job_stats (job), notes, error);
}

static gboolean
track_blocks (StasisCapture *self, gpointer nothing, GError **error)
{
  return stasis_capture_track_begin (self->track, self->copy, error);
}

/* Nothing of the guest's is under way while @func runs. */
static gboolean
in_calm (StasisCapture *self, gboolean is_calm, StasisMonitor *monitor,
         gboolean (*func) (StasisCapture *self, gpointer data, GError **error), gpointer data,
         GError **error)
{
  if (is_calm && !stasis_monitor_stop (monitor, NULL, error))
    return FALSE;
  const gboolean ok = func (self, data, error);
  return (!is_calm || stasis_recover_let_run (monitor, ok ? error : NULL)) && ok;
}

typedef struct
{
  GArray *ranges;
  guint64 octets;
} Written;

static gboolean
take_pass (StasisCapture *self, gpointer data, GError **error)
{
  Written *written = data;
  return stasis_capture_track_take (self->track, self->copy, written->ranges, &written->octets,
                                    error);
}

/* As many ranges as fit into a buffer of READ_SIZE; a part of the next one is cut off. */
static void
take_some (GArray *ranges, guint *index, GArray *some)
{
  gsize left = READ_SIZE;
  g_array_set_size (some, 0);
  while (*index < ranges->len && left > 0)
    {
      StasisGuestRange *range = &g_array_index (ranges, StasisGuestRange, *index);
      StasisGuestRange part = *range;
      part.length = MIN (part.length, left);
      g_array_append_val (some, part);
      left -= part.length;
      range->offset += part.length;
      range->length -= part.length;
      if (range->length == 0)
        (*index)++;
    }
}

/* Where the base holds all the rest, these are all that is read. */
static void
count (const StasisCapture *self, const GArray *ranges, guint64 *octets)
{
  for (guint i = 0; self->is_chain_tracked && i < ranges->len; i++)
    *octets += g_array_index (ranges, StasisGuestRange, i).length;
}

/* Read and put, a buffer at a time.  @ranges is used up. */
static gboolean
copy_again (StasisCapture *self, GArray *ranges, StasisJob *job, GError **error)
{
  g_autofree guint8 *octets = g_malloc (READ_SIZE);
  g_autoptr (GArray) some = g_array_new (FALSE, FALSE, sizeof (StasisGuestRange));
  guint index = 0;
  count (self, ranges, &stasis_job_stats (job)->bytes_total);
  while (index < ranges->len)
    {
      take_some (ranges, &index, some);
      if (g_cancellable_set_error_if_cancelled (stasis_job_cancellable (job), error)
          || !stasis_capture_copy_read (self->copy, some, octets, error)
          || !stasis_capture_copy_put (self->copy, some, octets, error))
        return FALSE;
      count (self, some, &stasis_job_stats (job)->bytes_processed);
      stasis_job_update (job);
    }
  return TRUE;
}

/* Of a paused guest: what it has written to since the base.  Nothing is taken: if this comes to
 * nothing it is there for the next save. */
static gboolean
copy_since (StasisCapture *self, StasisJob *job, GError **error)
{
  g_autoptr (GArray) ranges = g_array_new (FALSE, FALSE, sizeof (StasisGuestRange));
  guint64 octets;
  return stasis_capture_track_adopt (self->track, self->copy, error)
         && stasis_dirty_track_look (self->track, ranges, &octets, error)
         && copy_again (self, ranges, job, error);
}

/* The whole body of a paused guest. */
gboolean
stasis_capture_run (StasisCapture *self, const GPtrArray *ram_blocks,
                    const StasisCaptureTarget *target, gint64 fdset, StasisMonitor *monitor,
                    StasisJob *job, StasisBodyNotes *notes, GError **error)
{
  return begin (self, ram_blocks, target, error)
         && (self->is_chain_tracked ? copy_since (self, job, error)
                                    : stasis_capture_copy_all (self->copy, job, error))
         && stasis_fault ("capture-copied", error)
         && save_devices (self, monitor, fdset, stasis_job_cancellable (job), error)
         && end (self, job, notes, error);
}

/* Room for what will be left, made before the guest has to wait for it. */
static gboolean
make_room (StasisCapture *self, gsize size, GError **error)
{
  if (self->octets != NULL)
    munmap (self->octets, self->room);
  self->room = size;
  self->octets = mmap (NULL, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (self->octets != MAP_FAILED)
    return TRUE;
  self->octets = NULL;
  return stasis_throw_errno (error, _ ("no memory for what the guest changes"));
}

/* Again and again, until little is left or it does not become less. */
static gboolean
chase (StasisCapture *self, gboolean is_calm, StasisMonitor *monitor, StasisJob *job,
       GError **error)
{
  g_autoptr (GArray) ranges = g_array_new (FALSE, FALSE, sizeof (StasisGuestRange));
  Written written = { .ranges = ranges };
  guint64 before = G_MAXUINT64;
  guint n_in_vain = 0;
  const guint n_max = self->is_patient ? PASSES_MAX : PASSES_IMPATIENT;
  while (self->n_passes < n_max && n_in_vain < 2)
    {
      g_array_set_size (ranges, 0);
      if (!in_calm (self, is_calm, monitor, take_pass, &written, error)
          || !copy_again (self, ranges, job, error))
        return FALSE;
      self->n_passes++;
      if (written.octets <= ENOUGH)
        break;
      n_in_vain += written.octets > before / 4 * 3 ? 1 : 0;
      before = written.octets;
    }
  return make_room (self, CLAMP (2 * written.octets, ENOUGH, REST_MAX), error);
}

/* All of it, once; or nothing yet, where it is known what was written to. */
static gboolean
copy_first (StasisCapture *self, gboolean is_calm, StasisMonitor *monitor, StasisJob *job,
            GError **error)
{
  if (self->is_chain_tracked)
    return stasis_capture_track_adopt (self->track, self->copy, error)
           && stasis_fault ("capture-tracked", error);
  return in_calm (self, is_calm, monitor, track_blocks, NULL, error)
         && stasis_fault ("capture-tracked", error)
         && stasis_capture_copy_all (self->copy, job, error);
}

/* All of a guest that runs. */
gboolean
stasis_capture_follow (StasisCapture *self, const GPtrArray *ram_blocks,
                       const StasisCaptureTarget *target, gboolean is_calm, StasisMonitor *monitor,
                       StasisJob *job, GError **error)
{
  self->rest = g_array_new (FALSE, FALSE, sizeof (StasisGuestRange));
  return begin (self, ram_blocks, target, error) && copy_first (self, is_calm, monitor, job, error)
         && chase (self, is_calm, monitor, job, error);
}

/* A block that has grown meanwhile has no place in the body. */
static gboolean
check_lengths (const StasisCapture *self, StasisMonitor *monitor, GCancellable *cancellable,
               GError **error)
{
  g_autoptr (GPtrArray) now = stasis_monitor_query_ram_blocks (monitor, cancellable, error);
  if (now == NULL)
    return FALSE;
  for (guint i = 0; i < stasis_capture_copy_n_blocks (self->copy); i++)
    {
      const StasisRamBlock *block = stasis_capture_copy_block (self->copy, i);
      const StasisRamBlock *ram = find_block (now, block->name);
      if (ram != NULL && ram->used_length == block->used_length
          && ram->host_address == block->host_address)
        continue;
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
                   _ ("the RAM block '%s' has changed its size while it was saved: try again"),
                   block->name);
      return FALSE;
    }
  return TRUE;
}

/* What is left, while the guest waits. */
gboolean
stasis_capture_cut (StasisCapture *self, gint64 fdset, StasisMonitor *monitor, StasisJob *job,
                    GError **error)
{
  GCancellable *cancellable = stasis_job_cancellable (job);
  guint64 octets;
  if (!check_lengths (self, monitor, cancellable, error)
      || !stasis_capture_track_take (self->track, self->copy, self->rest, &octets, error))
    return FALSE;
  /* Too much to be kept: the guest has to wait for the file. */
  if (octets > REST_MAX)
    {
      if (!copy_again (self, self->rest, job, error))
        return FALSE;
      g_array_set_size (self->rest, 0);
    }
  else if ((octets > self->room && !make_room (self, octets, error))
           || !stasis_capture_copy_read (self->copy, self->rest, self->octets, error))
    return FALSE;
  return save_devices (self, monitor, fdset, cancellable, error);
}

/* Write it, while the guest may go on. */
gboolean
stasis_capture_finish (StasisCapture *self, StasisJob *job, StasisBodyNotes *notes, GError **error)
{
  if (!self->keep_track)
    g_clear_pointer (&self->track, stasis_dirty_track_free);
  return stasis_capture_copy_put (self->copy, self->rest, self->octets, error)
         && end (self, job, notes, error);
}

gboolean
stasis_capture_keeps_track (const StasisCapture *self)
{
  return self->keep_track;
}

/* The image is there: what was written to since is left to the next save. */
void
stasis_capture_leave_track (StasisCapture *self)
{
  g_clear_pointer (&self->track, stasis_dirty_track_leave);
}
