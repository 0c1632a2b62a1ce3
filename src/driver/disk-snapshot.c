/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk-snapshot.c: the disks of a guest that goes on beside its image, as they are in its moment
 *
 * Theory of operation
 *
 * The files that the guest has written to so far are its disks in the image's moment, and nobody
 * writes to them any more: the guest goes on in overlays (QEMU: external snapshots).  All that
 * takes time is done while it runs: the overlays are made, opened in QEMU, and named in the
 * definitions (snapshot-undo.c says why before).  In the pause there is one transaction.
 *
 * A restore lays overlays of its own over the same files (restore-disks.c), so the image can be
 * restored again and again.
 */

#include "config.h"

#include "driver/disk-snapshot.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/block-nodes.h"
#include "driver/command-private.h"
#include "driver/disk-chain.h"
#include "driver/disk-writers.h"
#include "driver/domain-private.h"
#include "driver/kept-definitions.h"
#include "driver/live-def.h"
#include "driver/overlay-lay.h"
#include "driver/overlays.h"
#include "driver/registry.h"
#include "driver/snapshot-undo.h"
#include "image/disks.h"
#include "monitor/commands-block.h"
#include "monitor/commands-fd.h"
#include "monitor/commands-query.h"
#include "util/fault.h"
#include "util/fd.h"
#include "util/safe-open.h"

#define OPAQUE "stasis-disk"
#define ROOM   3u /* overlays that are yet to come */

struct _StasisDiskSnapshot
{
  const StasisDomainDef *def; /* (borrowed) as it was before */
  GPtrArray *disks;           /* of StasisDiskDef, borrowed from it */
  GPtrArray *nodes;           /* (owned) of char *: what each lies on, in QEMU */
};

/* NULL is fine. */
void
stasis_disk_snapshot_free (StasisDiskSnapshot *self)
{
  if (self == NULL)
    return;
  g_ptr_array_unref (self->disks);
  g_ptr_array_unref (self->nodes);
  g_free (self);
}

gboolean
stasis_disk_snapshot_is_needed (const StasisDiskSnapshot *self)
{
  return self->disks->len > 0;
}

static const char *
find_node (const GPtrArray *blocks, const StasisDiskDef *disk)
{
  for (guint i = 0; i < blocks->len; i++)
    {
      const StasisMonitorBlock *block = g_ptr_array_index (blocks, i);
      if (disk->info.alias != NULL && stasis_monitor_block_is_of (block, disk->info.alias))
        return block->node_name;
    }
  return NULL;
}

static const char *
why_not (const StasisDiskDef *disk)
{
  if (disk->type != STASIS_DISK_TYPE_FILE)
    return _ ("it is no file");
  if (disk->shareable)
    return _ ("other guests may write to it, too");
  if (disk->copy_on_read == STASIS_TRISTATE_ON)
    return _ ("it is copied on read");
  return NULL;
}

/* What is started next, from the image too, has a file more on top, and clones of it another. */
static const char *
why_not_deeper (const StasisDiskDef *disk)
{
  g_autoptr (GPtrArray) chain = stasis_disk_chain_read (
      disk->source, disk->format == STASIS_DISK_FORMAT_QCOW2 ? "qcow2" : "raw", NULL);
  return chain != NULL && chain->len + ROOM > STASIS_DISK_CHAIN_MAX
             ? _ ("it rests on too many files already ('qemu-img commit' or 'qemu-img rebase' "
                  "makes them fewer)")
             : NULL;
}

static gboolean
add (StasisDiskSnapshot *self, const StasisDiskDef *disk, const GPtrArray *blocks, GError **error)
{
  const char *reason = why_not (disk);
  const char *node = find_node (blocks, disk);
  if (reason == NULL)
    reason = why_not_deeper (disk);
  if (reason == NULL && node == NULL)
    reason = _ ("QEMU does not tell which block node it is");
  if (reason != NULL)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED,
                   _ ("disk '%1$s' ('%2$s') cannot be kept as it is in the image's moment: %3$s; "
                      "--no-disks keeps the memory only, to be restored together with a copy of "
                      "the disks of that moment"),
                   disk->target, disk->source, reason);
      return FALSE;
    }
  g_ptr_array_add (self->disks, (gpointer) disk);
  g_ptr_array_add (self->nodes, g_strdup (node));
  return TRUE;
}

/* The disks of a clone go with it, and an image of it would be left without. */
static gboolean
check_clone (const StasisStatus *status, GError **error)
{
  if (status->overlays == NULL)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED,
               _ ("the disks of clone '%s' go when it ends, and the image could not be restored "
                  "then: only its memory can be kept (--no-disks)"),
               status->name);
  return FALSE;
}

/* Ask. */
StasisDiskSnapshot *
stasis_disk_snapshot_new (const StasisDomainDef *def, const StasisStatus *status,
                          StasisMonitor *monitor, GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) blocks = stasis_monitor_query_block (monitor, cancellable, error);
  if (blocks == NULL)
    return NULL;
  g_autoptr (StasisDiskSnapshot) self = g_new0 (StasisDiskSnapshot, 1);
  self->def = def;
  self->disks = g_ptr_array_new ();
  self->nodes = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; i < def->disks->len; i++)
    {
      const StasisDiskDef *disk = g_ptr_array_index (def->disks, i);
      if (stasis_overlays_wanted (disk) && !add (self, disk, blocks, error))
        return NULL;
    }
  if (self->disks->len > 0 && !check_clone (status, error))
    return NULL;
  return g_steal_pointer (&self);
}

/* QEMU's names of nodes are for once: "disk-vda-o3" is beyond all that it has. */
static char *
pair_name (const StasisDiskDef *disk, const char *node)
{
  g_autofree char *prefix = g_strdup_printf ("disk-%s-o", disk->target);
  const guint64 last
      = g_str_has_prefix (node, prefix) ? g_ascii_strtoull (node + strlen (prefix), NULL, 10) : 0;
  return g_strdup_printf ("%s%u", prefix, (guint) last + 1);
}

/* It has a name by now, in a folder that may be anybody's. */
static gboolean
check_file (int fd, const StasisJournalOverlay *overlay, GError **error)
{
  StasisFileId id;
  if (!stasis_file_id_of_fd (fd, &id, error))
    return FALSE;
  if (id.device == overlay->file.device && id.inode == overlay->file.inode)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED, _ ("'%s' was replaced by another file"),
               overlay->path);
  return FALSE;
}

static gboolean
pass_file (StasisJournalOverlay *overlay, const StasisDiskDef *disk, StasisMonitor *monitor,
           GCancellable *cancellable, GError **error)
{
  const StasisDiskCache cache = stasis_command_cache_mode (disk);
  const gboolean direct = cache == STASIS_DISK_CACHE_NONE || cache == STASIS_DISK_CACHE_DIRECTSYNC;
  stasis_autofd int fd = stasis_safe_open (overlay->path, O_RDWR | (direct ? O_DIRECT : 0), error);
  return fd >= 0 && check_file (fd, overlay, error)
         && stasis_monitor_add_fd (monitor, STASIS_FDSET_NEW, fd, OPAQUE, &overlay->fdset, NULL,
                                   cancellable, error);
}

static gboolean
open_nodes (const StasisDiskSnapshot *self, const StasisHold *hold, StasisMonitor *monitor,
            GCancellable *cancellable, GError **error)
{
  for (guint i = 0; i < self->disks->len; i++)
    {
      const StasisDiskDef *disk = g_ptr_array_index (self->disks, i);
      const StasisJournalOverlay *overlay = g_ptr_array_index (hold->status->journal.overlays, i);
      const StasisBlockPair pair
          = { .name = overlay->overlay, .fdset = overlay->fdset, .format = "qcow2", .disk = disk };
      stasis_snapshot_close_nodes (overlay, monitor); /* of one that could not be undone */
      if (!stasis_monitor_blockdev_add (monitor, stasis_block_storage_node (&pair), cancellable,
                                        error)
          || !stasis_monitor_blockdev_add (monitor, stasis_block_format_node (&pair), cancellable,
                                           error))
        return FALSE;
    }
  return stasis_fault ("snapshot-opened", error);
}

static gboolean
pass_files (const StasisDiskSnapshot *self, StasisHold *hold, StasisMonitor *monitor,
            GCancellable *cancellable, GError **error)
{
  for (guint i = 0; i < self->disks->len; i++)
    {
      const StasisDiskDef *disk = g_ptr_array_index (self->disks, i);
      StasisJournalOverlay *overlay = g_ptr_array_index (hold->status->journal.overlays, i);
      overlay->node = g_strdup (g_ptr_array_index (self->nodes, i));
      overlay->overlay = pair_name (disk, overlay->node);
      if (!pass_file (overlay, disk, monitor, cancellable, error))
        return FALSE;
    }
  return stasis_hold_write (hold, error);
}

/* Whatever has the file that is laid over, by whatever name, is to have the overlay.  TRUE where
 * that made a difference. */
static gboolean
use_overlays (const StasisDiskSnapshot *self, const StasisHold *hold, StasisDomainDef *def)
{
  gboolean is_changed = FALSE;
  for (guint i = 0; i < self->disks->len; i++)
    {
      const StasisDiskDef *own = g_ptr_array_index (self->disks, i);
      const StasisJournalOverlay *overlay = g_ptr_array_index (hold->status->journal.overlays, i);
      for (guint d = 0; d < def->disks->len; d++)
        {
          StasisDiskDef *disk = g_ptr_array_index (def->disks, d);
          if (!stasis_disk_writers_is_same_file (own, disk))
            continue;
          stasis_overlay_use (disk, overlay->path);
          is_changed = TRUE;
        }
    }
  return is_changed;
}

static gboolean
change_persistent (const StasisDiskSnapshot *self, StasisDriver *driver, const StasisHold *hold,
                   GError **error)
{
  if (!stasis_registry_has (driver, self->def->name))
    return TRUE;
  g_autoptr (StasisDomainDef) def = stasis_registry_load (driver, self->def->name, error);
  if (def == NULL)
    return FALSE;
  return !use_overlays (self, hold, def) || stasis_registry_store (driver, def, error);
}

static gboolean
change_definitions (const StasisDiskSnapshot *self, StasisDriver *driver, const StasisHold *hold,
                    GError **error)
{
  g_autoptr (StasisDomainDef) live = stasis_domain_def_copy (self->def);
  use_overlays (self, hold, live);
  return stasis_kept_definitions_begin (hold->folder, hold->status, error)
         && stasis_fault ("snapshot-kept", error) && change_persistent (self, driver, hold, error)
         && stasis_live_def_write (live, hold->status, hold->folder, STASIS_LIVE_XML, error)
         && stasis_fault ("snapshot-named", error);
}

/* While the guest runs. */
gboolean
stasis_disk_snapshot_prepare (const StasisDiskSnapshot *self, StasisDriver *driver,
                              StasisHold *hold, StasisMonitor *monitor, GCancellable *cancellable,
                              GError **error)
{
  return self->disks->len == 0
         || (stasis_overlay_lay (hold, self->disks, cancellable, error)
             && pass_files (self, hold, monitor, cancellable, error)
             && open_nodes (self, hold, monitor, cancellable, error)
             && change_definitions (self, driver, hold, error));
}

/* What fails here only takes longer later. */
void
stasis_disk_snapshot_flush (const StasisDiskSnapshot *self)
{
  for (guint i = 0; i < self->disks->len; i++)
    {
      const StasisDiskDef *disk = g_ptr_array_index (self->disks, i);
      stasis_autofd int fd = disk->cache != STASIS_DISK_CACHE_UNSAFE
                                 ? stasis_safe_open (disk->source, O_RDONLY, NULL)
                                 : -1;
      if (fd >= 0)
        fdatasync (fd);
    }
}

/* While it stands still. */
gboolean
stasis_disk_snapshot_take (const StasisDiskSnapshot *self, const StasisHold *hold,
                           StasisMonitor *monitor, GError **error)
{
  if (self->disks->len == 0)
    return TRUE;
  g_autoptr (GPtrArray) tops = g_ptr_array_new_with_free_func (g_free);
  g_autofree StasisBlockSnapshot *snapshots = g_new0 (StasisBlockSnapshot, self->disks->len);
  for (guint i = 0; i < self->disks->len; i++)
    {
      const StasisJournalOverlay *overlay = g_ptr_array_index (hold->status->journal.overlays, i);
      char *top = g_strconcat (overlay->overlay, "-format", NULL);
      g_ptr_array_add (tops, top);
      snapshots[i].node = overlay->node;
      snapshots[i].overlay = top;
    }
  return stasis_monitor_snapshot (monitor, snapshots, self->disks->len, NULL, error)
         && stasis_fault ("snapshot-taken", error);
}

/* As DISKS is to tell of them. */
void
stasis_disk_snapshot_mark (const StasisDiskSnapshot *self, const GPtrArray *disks)
{
  for (guint i = 0; i < disks->len; i++)
    {
      StasisImageDisk *disk = g_ptr_array_index (disks, i);
      for (guint d = 0; d < self->disks->len; d++)
        {
          const StasisDiskDef *own = g_ptr_array_index (self->disks, d);
          if (g_str_equal (own->target, disk->target))
            disk->is_snapshot = TRUE;
        }
    }
}

/* For people. */
char *
stasis_disk_snapshot_describe (const StasisDiskSnapshot *self, const StasisHold *hold)
{
  GString *text = g_string_new (NULL);
  for (guint i = 0; i < self->disks->len; i++)
    {
      const StasisDiskDef *disk = g_ptr_array_index (self->disks, i);
      const StasisJournalOverlay *overlay = g_ptr_array_index (hold->status->journal.overlays, i);
      g_string_append_printf (text, "%s%s %s", i > 0 ? "\n" : "", disk->target, overlay->path);
    }
  return g_string_free (text, FALSE);
}
