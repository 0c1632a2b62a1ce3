/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory-pull.c: bring what a process has mapped copy-on-write from a file into its own memory
 *
 * Theory of operation
 *
 * A page of a private mapping comes from the file until it is written; then the kernel makes a
 * copy of it, which is the process's own (anonymous) memory.  That copying is wanted here for all
 * pages, from outside, while the process goes on and writes as it likes.
 *
 * To write to each page what it holds would lose what the process writes between our read and our
 * write.  madvise(MADV_POPULATE_WRITE) does what is wanted, but only in one's own memory:
 * process_madvise(2) refuses it.  So a write is begun and never done: process_vm_writev(2) pins
 * the pages of the other side for writing, at which the kernel breaks copy-on-write as for any
 * write, and only then reads what is to be written.  Ours is memory that cannot be read, so the
 * call fails with EFAULT before a single octet is copied.  The kernel pins no more than two pages
 * of pointers at a time (4 MiB of 4 KiB pages), hence the piece.
 *
 * None of this is documented to work, so nothing depends on it: what counts is
 * stasis_memory_pull_look(), which goes by /proc/PID/pagemap.  A page that is there, or in swap,
 * and not of a file is the process's own, and stays so: what could give it back to the file
 * (MADV_DONTNEED, a new mapping) QEMU does not do to memory that it has from a read-only file.
 *
 * What remains is the mapping itself.  Whoever cuts the file off takes the process's own pages
 * along with the file's: the kernel removes all pages behind the end of a file, copies as well.
 */

#include "config.h"

#include "driver/memory-pull.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/process-maps.h"
#include "util/fd.h"

#define ENTRIES 1024u /* pages in a piece */

/* /proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst) */
#define PAGEMAP_POPULATED (G_GUINT64_CONSTANT (3) << 62) /* present, or swapped out */
#define PAGEMAP_FILE      (G_GUINT64_CONSTANT (1) << 61) /* of a file, or shared */

struct _StasisMemoryPull
{
  StasisProcess process;
  int file;         /* (borrowed) */
  int pidfd;        /* (owned) */
  int pagemap;      /* (owned) */
  void *unreadable; /* (owned) a piece */
  gsize page_size;
  GArray *mappings; /* (owned) (nullable) of StasisMapping */
  guint64 missing;
};

static gsize
piece_size (const StasisMemoryPull *pull)
{
  return ENTRIES * pull->page_size;
}

static gboolean
throw_ended (const StasisMemoryPull *pull, GError **error)
{
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, _ ("process %d has ended"),
               (int) pull->process.pid);
  return FALSE;
}

/* errno is of a call on the process's memory. */
static gboolean
throw_access (const StasisMemoryPull *pull, GError **error)
{
  if (errno == ESRCH)
    return throw_ended (pull, error);
  if (errno != EPERM && errno != EACCES)
    return stasis_throw_errno (error, _ ("cannot get at the memory of process %d"),
                               (int) pull->process.pid);
  g_set_error (
      error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
      _ ("the kernel does not let this process at the memory of process %d (it asks as for "
         "ptrace: see kernel.yama.ptrace_scope)"),
      (int) pull->process.pid);
  return FALSE;
}

/* Begin. */
StasisMemoryPull *
stasis_memory_pull_new (const StasisProcess *process, int file, GError **error)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/pagemap", (int) process->pid);
  g_autoptr (StasisMemoryPull) pull = g_new0 (StasisMemoryPull, 1);
  pull->process = *process;
  pull->file = file;
  pull->pagemap = -1;
  pull->unreadable = MAP_FAILED;
  pull->page_size = (gsize) sysconf (_SC_PAGESIZE);
  pull->pidfd = stasis_process_open (process, error);
  if (pull->pidfd < 0)
    return NULL;
  pull->pagemap = open (path, O_RDONLY | O_CLOEXEC);
  if (pull->pagemap < 0)
    {
      throw_access (pull, error);
      return NULL;
    }
  pull->unreadable = mmap (NULL, piece_size (pull), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pull->unreadable == MAP_FAILED)
    {
      stasis_throw_errno (error, _ ("cannot reserve memory"));
      return NULL;
    }
  return g_steal_pointer (&pull);
}

/* NULL is fine. */
void
stasis_memory_pull_free (StasisMemoryPull *pull)
{
  if (pull == NULL)
    return;

  if (pull->unreadable != MAP_FAILED)
    munmap (pull->unreadable, piece_size (pull));
  g_clear_pointer (&pull->mappings, g_array_unref);
  stasis_fd_clear (&pull->pagemap);
  stasis_fd_clear (&pull->pidfd);
  g_free (pull);
}

/* Octets of pages in a piece that come from the file: a page that is not there would. */
static gboolean
count_missing (const StasisMemoryPull *pull, guint64 address, gsize length, guint64 *out_octets,
               GError **error)
{
  guint64 entries[ENTRIES];
  const gsize n = length / pull->page_size;
  const gsize size = n * sizeof *entries;
  const gssize got
      = pread (pull->pagemap, entries, size, (off_t) (address / pull->page_size * sizeof *entries));
  if (got != (gssize) size)
    {
      /* The memory goes before the process does. */
      errno = got < 0 ? errno : ESRCH;
      return throw_access (pull, error);
    }
  guint64 octets = 0;
  for (gsize i = 0; i < n; i++)
    if ((entries[i] & PAGEMAP_POPULATED) == 0 || (entries[i] & PAGEMAP_FILE) != 0)
      octets += pull->page_size;
  *out_octets = octets;
  return TRUE;
}

/* Have the kernel make copies of the pages. */
static gboolean
pull_piece (const StasisMemoryPull *pull, guint64 address, gsize length, GError **error)
{
  if (stasis_process_wait (pull->pidfd, 0))
    return throw_ended (pull, error);
  const struct iovec local = { pull->unreadable, length };
  const struct iovec remote = { (void *) (gsize) address, length };
  const gssize n = process_vm_writev (pull->process.pid, &local, 1, &remote, 1, 0);
  if (n < 0 && errno == EFAULT)
    return TRUE;
  errno = n < 0 ? errno : EIO;
  return throw_access (pull, error);
}

static gboolean
each_piece (StasisMemoryPull *pull,
            gboolean (*act) (StasisMemoryPull *pull, guint64 address, gsize length, gpointer data,
                             GError **error),
            gpointer data, GError **error)
{
  for (guint i = 0; i < pull->mappings->len; i++)
    {
      const StasisMapping *mapping = &g_array_index (pull->mappings, StasisMapping, i);
      gsize length;
      for (guint64 at = mapping->begin; at < mapping->end; at += length)
        {
          length = (gsize) MIN (piece_size (pull), mapping->end - at);
          if (!act (pull, at, length, data, error))
            return FALSE;
        }
    }
  return TRUE;
}

static gboolean
look_at_piece (StasisMemoryPull *pull, guint64 address, gsize length, gpointer data, GError **error)
{
  guint64 missing;
  if (!count_missing (pull, address, length, &missing, error))
    return FALSE;
  pull->missing += missing;
  return TRUE;
}

static gboolean
check_mappings (const StasisMemoryPull *pull, GError **error)
{
  gboolean ok = pull->mappings->len > 0;
  for (guint i = 0; ok && i < pull->mappings->len; i++)
    ok = stasis_mapping_is_private (&g_array_index (pull->mappings, StasisMapping, i));
  if (!ok)
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                 _ ("process %d has not mapped the file as memory of its own"),
                 (int) pull->process.pid);
  return ok;
}

/* Which pages come from the file? */
gboolean
stasis_memory_pull_look (StasisMemoryPull *pull, GError **error)
{
  g_clear_pointer (&pull->mappings, g_array_unref);
  pull->missing = 0;
  if (stasis_process_wait (pull->pidfd, 0))
    return throw_ended (pull, error);
  pull->mappings = stasis_process_maps_of_file (pull->process.pid, pull->file, error);
  return pull->mappings != NULL && check_mappings (pull, error)
         && each_piece (pull, look_at_piece, NULL, error);
}

/* Of all mappings. */
guint64
stasis_memory_pull_total (const StasisMemoryPull *pull)
{
  guint64 total = 0;
  for (guint i = 0; i < pull->mappings->len; i++)
    {
      const StasisMapping *mapping = &g_array_index (pull->mappings, StasisMapping, i);
      total += mapping->end - mapping->begin;
    }
  return total;
}

/* What comes from the file. */
guint64
stasis_memory_pull_missing (const StasisMemoryPull *pull)
{
  return pull->missing;
}

typedef struct
{
  StasisMemoryPullFunc func;
  gpointer data;
  GCancellable *cancellable;
} Run;

/* What is the process's own already costs a look only. */
static gboolean
run_piece (StasisMemoryPull *pull, guint64 address, gsize length, gpointer data, GError **error)
{
  const Run *run = data;
  guint64 missing;
  if (g_cancellable_set_error_if_cancelled (run->cancellable, error)
      || !count_missing (pull, address, length, &missing, error))
    return FALSE;
  if (missing == 0)
    return TRUE;
  if (!pull_piece (pull, address, length, error))
    return FALSE;
  run->func (missing, run->data);
  return TRUE;
}

/* Once through all. */
gboolean
stasis_memory_pull_run (StasisMemoryPull *pull, StasisMemoryPullFunc func, gpointer data,
                        GCancellable *cancellable, GError **error)
{
  Run run = { func, data, cancellable };
  return each_piece (pull, run_piece, &run, error);
}
