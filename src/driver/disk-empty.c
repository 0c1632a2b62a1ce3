/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk-empty.c: whether there is anything in a disk's file that could be lost
 *
 * A raw file is empty where its file system keeps no octets of it, however long it is.  A qcow2
 * file (QEMU's docs/interop/qcow2.txt) is where its first table of clusters, big-endian, has no
 * entry: number of entries at offset 36 (u32), the table's place at 40 (u64), snapshots, which have
 * tables of their own, at 60 (u32).  What was allocated in advance counts as written: nobody can
 * tell it from zeros that a guest wrote.
 */

#include "config.h"

#include "driver/disk-empty.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "util/fd.h"
#include "util/safe-open.h"

#define MAGIC        "QFI\xfb"
#define HEADER_SIZE  72u
#define ENTRIES_AT   36u
#define TABLE_AT     40u
#define SNAPSHOTS_AT 60u
#define ENTRIES_MAX  (4u << 20) /* as QEMU has it: 32 MiB of table */
#define CHUNK        65536u

static guint32
be32 (const guint8 *p)
{
  guint32 value;
  memcpy (&value, p, sizeof value);
  return GUINT32_FROM_BE (value);
}

static gboolean
are_zeros (const guint8 *octets, gsize size)
{
  return size == 0 || (octets[0] == 0 && memcmp (octets, octets + 1, size - 1) == 0);
}

static gboolean
is_table_empty (int fd, guint64 offset, guint64 size)
{
  guint8 chunk[CHUNK];
  for (guint64 done = 0; done < size; done += CHUNK)
    {
      const gsize count = (gsize) MIN (size - done, (guint64) CHUNK);
      if (!stasis_fd_pread_exact (fd, chunk, count, offset + done, NULL)
          || !are_zeros (chunk, count))
        return FALSE;
    }
  return TRUE;
}

static gboolean
is_empty_qcow2 (int fd)
{
  guint8 header[HEADER_SIZE];
  guint64 table;
  if (!stasis_fd_pread_exact (fd, header, sizeof header, 0, NULL) || memcmp (header, MAGIC, 4) != 0)
    return FALSE;
  memcpy (&table, header + TABLE_AT, sizeof table);
  table = GUINT64_FROM_BE (table);
  const guint32 entries = be32 (header + ENTRIES_AT);
  return be32 (header + SNAPSHOTS_AT) == 0 && entries <= ENTRIES_MAX && table <= G_MAXINT64 / 2
         && is_table_empty (fd, table, (guint64) entries * 8);
}

static gboolean
is_empty (int fd, const char *format)
{
  struct stat st;
  if (fstat (fd, &st) < 0 || !S_ISREG (st.st_mode))
    return FALSE;
  if (g_str_equal (format, "raw"))
    return st.st_size == 0 || (lseek (fd, 0, SEEK_DATA) < 0 && errno == ENXIO);
  return g_str_equal (format, "qcow2") && is_empty_qcow2 (fd);
}

gboolean
stasis_disk_check_empty (const char *path, const char *format, GError **error)
{
  stasis_autofd int fd = stasis_safe_open (path, O_RDONLY | O_NONBLOCK, error);
  if (fd < 0)
    return FALSE;
  if (is_empty (fd, format))
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED,
               _ ("'%s' is there already, and is not known to be empty"), path);
  return FALSE;
}
