/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-disk.c: a disk, as two hosts see it
 *
 * On a file system that hosts share a file has the same inode number everywhere.  The other file
 * systems belong to one host: the id and the inode numbers of two may be equal (they were made from
 * one image), and the files are different ones all the same.
 */

#include "config.h"

#include "driver/migrate-disk.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include <glib/gi18n-lib.h>
#include <linux/fs.h>
#include <stasis/error.h>

#include "driver/disk-chain.h"
#include "monitor/commands-query.h"
#include "util/fd.h"
#include "util/safe-open.h"

#define QCOW2_MAGIC   "QFI\xfb"
#define QCOW2_SIZE_AT 24u

typedef struct
{
  guint32 magic; /* statfs(2) */
  const char *name;
  gboolean is_shared; /* by hosts */
} FileSystem;

static const FileSystem file_systems[] = {
  { 0xef53, "ext", FALSE },       { 0x58465342, "xfs", FALSE }, { 0x9123683e, "btrfs", FALSE },
  { 0x01021994, "tmpfs", FALSE }, { 0x2fc12fc1, "zfs", FALSE }, { 0x794c7630, "overlay", FALSE },
  { 0x6969, "nfs", TRUE },        { 0xff534d42, "cifs", TRUE }, { 0xfe534d42, "smb", TRUE },
  { 0x00c36400, "ceph", TRUE },   { 0x01161970, "gfs2", TRUE }, { 0x7461636f, "ocfs2", TRUE },
  { 0x65735546, "fuse", TRUE },
};

static gboolean
is_shared (const StasisMigrateDisk *disk)
{
  for (gsize i = 0; disk->fs_type != NULL && i < G_N_ELEMENTS (file_systems); i++)
    if (g_str_equal (file_systems[i].name, disk->fs_type))
      return file_systems[i].is_shared;
  return FALSE;
}

static char *
name_file_system (guint32 magic)
{
  for (gsize i = 0; i < G_N_ELEMENTS (file_systems); i++)
    if (file_systems[i].magic == magic)
      return g_strdup (file_systems[i].name);
  return g_strdup_printf ("%x", magic);
}

/* NULL is fine. */
void
stasis_migrate_disk_free (StasisMigrateDisk *disk)
{
  if (disk == NULL)
    return;

  g_free (disk->target);
  g_free (disk->path);
  g_free (disk->format);
  g_free (disk->backing);
  g_free (disk->backing_format);
  g_free (disk->fs_type);
  g_free (disk->fs_id);
  g_free (disk);
}

static gboolean
find_place (StasisMigrateDisk *disk, int fd, GError **error)
{
  struct stat st;
  struct statfs fs;
  if (fstat (fd, &st) < 0 || fstatfs (fd, &fs) < 0)
    return stasis_throw_errno (error, _ ("cannot look at '%s'"), disk->path);
  if (S_ISBLK (st.st_mode))
    {
      disk->inode = st.st_rdev;
      if (ioctl (fd, BLKGETSIZE64, &disk->size) == 0)
        return TRUE;
      return stasis_throw_errno (error, _ ("cannot look at '%s'"), disk->path);
    }
  if (!S_ISREG (st.st_mode))
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                   _ ("'%s' is neither a file nor a block device"), disk->path);
      return FALSE;
    }
  disk->inode = st.st_ino;
  disk->size = (guint64) st.st_size;
  disk->fs_type = name_file_system ((guint32) fs.f_type);
  disk->fs_id
      = g_strdup_printf ("%08x%08x", (guint) fs.f_fsid.__val[0], (guint) fs.f_fsid.__val[1]);
  return TRUE;
}

/* What the guest sees of it. */
static gboolean
find_size (StasisMigrateDisk *disk, int fd, GError **error)
{
  if (g_str_equal (disk->format, "raw"))
    return TRUE;
  disk->size = 0;
  if (!g_str_equal (disk->format, "qcow2"))
    return TRUE;
  guint8 head[QCOW2_SIZE_AT + 8];
  guint64 size;
  if (!stasis_fd_pread_exact (fd, head, sizeof head, 0, NULL) || memcmp (head, QCOW2_MAGIC, 4) != 0)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT, _ ("'%s' is no qcow2 image"),
                   disk->path);
      return FALSE;
    }
  memcpy (&size, head + QCOW2_SIZE_AT, sizeof size);
  disk->size = MIN (GUINT64_FROM_BE (size), (guint64) G_MAXINT64);
  return TRUE;
}

/* As it is here. */
StasisMigrateDisk *
stasis_migrate_disk_describe (const StasisDiskDef *disk, GError **error)
{
  g_return_val_if_fail (disk->source != NULL, NULL);

  const char *format = stasis_disk_format_names[disk->format];
  g_autoptr (StasisMigrateDisk) self = g_new0 (StasisMigrateDisk, 1);
  self->target = g_strdup (disk->target);
  self->path = g_strdup (disk->source);
  self->format = g_strdup (*format != '\0' ? format : "raw");
  self->is_writable = !disk->readonly && disk->device != STASIS_DISK_DEVICE_CDROM;
  stasis_autofd int fd = stasis_safe_open (disk->source, O_RDONLY | O_NONBLOCK, error);
  if (fd < 0 || !find_place (self, fd, error) || !find_size (self, fd, error))
    return NULL;
  return g_steal_pointer (&self);
}

const char *
stasis_migrate_disk_why_not (const StasisDiskDef *disk)
{
  if (disk->source == NULL)
    return _ ("there is no medium in it");
  if (disk->device == STASIS_DISK_DEVICE_CDROM || disk->device == STASIS_DISK_DEVICE_FLOPPY)
    return _ ("it is a removable medium");
  if (disk->readonly)
    return _ ("the guest does not write to it, so it has to be at the destination already");
  if (disk->shareable)
    return _ ("other guests may write to it, too");
  return NULL;
}

gboolean
stasis_migrate_disk_add_backing (StasisMigrateDisk *disk, GError **error)
{
  g_autoptr (GPtrArray) chain = stasis_disk_chain_read (disk->path, disk->format, error);
  if (chain == NULL)
    return FALSE;
  if (chain->len == 0)
    return TRUE;
  const StasisDiskLink *nearest = g_ptr_array_index (chain, 0);
  disk->backing = g_strdup (nearest->path);
  disk->backing_format = g_strdup (nearest->format);
  return TRUE;
}

const char *
stasis_migrate_disk_node (const StasisDomainDef *def, const char *target, const GPtrArray *blocks)
{
  const char *alias = NULL;
  for (guint i = 0; i < def->disks->len; i++)
    {
      const StasisDiskDef *disk = g_ptr_array_index (def->disks, i);
      if (g_strcmp0 (disk->target, target) == 0)
        alias = disk->info.alias;
    }
  for (guint i = 0; alias != NULL && i < blocks->len; i++)
    {
      const StasisMonitorBlock *block = g_ptr_array_index (blocks, i);
      if (stasis_monitor_block_is_of (block, alias))
        return block->node_name;
    }
  return NULL;
}

/* One file? */
StasisMigrateSameness
stasis_migrate_disk_compare (const StasisMigrateDisk *source, const StasisMigrateDisk *here,
                             gboolean is_same_host)
{
  const gboolean is_equal
      = source->inode == here->inode && g_strcmp0 (source->fs_type, here->fs_type) == 0;
  if (is_same_host)
    return is_equal && g_strcmp0 (source->fs_id, here->fs_id) == 0 ? STASIS_MIGRATE_DISK_SAME
                                                                   : STASIS_MIGRATE_DISK_OTHER;
  if (source->fs_type == NULL && here->fs_type == NULL)
    return STASIS_MIGRATE_DISK_UNCERTAIN; /* two hosts number their devices as they like */
  if (is_shared (source) && is_shared (here) && is_equal)
    return STASIS_MIGRATE_DISK_SAME;
  /* The server of a network's file system has it as its own. */
  if ((is_shared (source) || is_shared (here)) && source->inode == here->inode)
    return STASIS_MIGRATE_DISK_UNCERTAIN;
  return STASIS_MIGRATE_DISK_OTHER;
}
