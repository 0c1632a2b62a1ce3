/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device-stats.c: what a domain's disks, interfaces and memory have done
 */

#include "config.h"

#include "driver/device-stats.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/domain-private.h"
#include "driver/hold.h"
#include "driver/registry.h"
#include "monitor/commands-query.h"
#include "util/fd.h"
#include "util/safe-open.h"

#define QUERY_MS        60000
#define SECTOR          512u /* st_blocks counts these, whatever the file system */
#define QCOW2_MAGIC     "QFI\xfb"
#define QCOW2_SIZE_AT   24u
#define QCOW2_HEAD_SIZE 32u

static void
disk_free (gpointer data)
{
  StasisDiskStats *disk = data;
  g_free (disk->target);
  g_free (disk->source);
  g_free (disk);
}

/* A whole one, so that qcow2's own size is told of what does not run. */
static guint64
read_capacity (int fd, StasisDiskFormat format, guint64 physical)
{
  guint8 head[QCOW2_HEAD_SIZE];
  if (format != STASIS_DISK_FORMAT_QCOW2)
    return format == STASIS_DISK_FORMAT_RAW ? physical : 0;
  if (!stasis_fd_pread_exact (fd, head, sizeof head, 0, NULL)
      || memcmp (head, QCOW2_MAGIC, strlen (QCOW2_MAGIC)) != 0)
    return 0;
  guint64 size;
  memcpy (&size, head + QCOW2_SIZE_AT, sizeof size);
  return GUINT64_FROM_BE (size);
}

static void
look_at_file (StasisDiskStats *disk, StasisDiskFormat format)
{
  struct stat st;
  stasis_autofd int fd
      = disk->source != NULL ? stasis_safe_open (disk->source, O_RDONLY | O_NONBLOCK, NULL) : -1;
  if (fd < 0 || fstat (fd, &st) < 0 || (!S_ISREG (st.st_mode) && !S_ISBLK (st.st_mode)))
    return;
  disk->physical
      = S_ISBLK (st.st_mode) ? (guint64) MAX (lseek (fd, 0, SEEK_END), 0) : (guint64) st.st_size;
  disk->allocation = S_ISBLK (st.st_mode) ? disk->physical : (guint64) st.st_blocks * SECTOR;
  disk->capacity = read_capacity (fd, format, disk->physical);
}

/* QEMU's name of a device: its id, or a path of which that is a part. */
static gboolean
is_device (const char *qdev, const char *alias)
{
  if (qdev == NULL || alias == NULL)
    return FALSE;
  g_auto (GStrv) parts = g_strsplit (qdev, "/", -1);
  return g_strv_contains ((const char *const *) parts, alias);
}

static guint64
number (const StasisJson *stats, const char *key)
{
  return stasis_json_uint (stasis_json_get (stats, key), 0);
}

static void
take_counts (StasisDiskStats *disk, const StasisJson *stats)
{
  disk->read_requests = number (stats, "rd_operations");
  disk->read_octets = number (stats, "rd_bytes");
  disk->read_ns = number (stats, "rd_total_time_ns");
  disk->write_requests = number (stats, "wr_operations");
  disk->write_octets = number (stats, "wr_bytes");
  disk->write_ns = number (stats, "wr_total_time_ns");
  disk->flush_requests = number (stats, "flush_operations");
  disk->flush_ns = number (stats, "flush_total_time_ns");
  disk->errors = number (stats, "failed_rd_operations") + number (stats, "failed_wr_operations")
                 + number (stats, "failed_flush_operations");
}

/* What QEMU says of them, in the same order as the definition. */
static gboolean
ask_qemu (StasisDomain *self, const StasisDomainDef *def, GPtrArray *disks, GError **error)
{
  g_autoptr (StasisHold) hold = stasis_hold_take_running (stasis_domain_get_driver (self),
                                                          stasis_domain_get_name (self), error);
  g_autoptr (StasisMonitor) monitor
      = hold != NULL ? stasis_hold_open_monitor (hold, NULL, error) : NULL;
  g_autoptr (StasisJson) list = NULL;
  g_autoptr (GPtrArray) blocks
      = monitor != NULL ? stasis_monitor_query_block (monitor, NULL, error) : NULL;
  if (blocks == NULL
      || !stasis_monitor_command (monitor, "query-blockstats", NULL, NULL, 0, QUERY_MS, &list, NULL,
                                  error))
    return FALSE;
  for (guint i = 0; i < disks->len; i++)
    {
      StasisDiskStats *disk = g_ptr_array_index (disks, i);
      const StasisDiskDef *disk_def = g_ptr_array_index (def->disks, i);
      for (guint j = 0; j < stasis_json_array_length (list); j++)
        {
          const StasisJson *item = stasis_json_array_get (list, j);
          if (is_device (stasis_json_string (stasis_json_get (item, "qdev"), NULL),
                         disk_def->info.alias))
            take_counts (disk, stasis_json_get (item, "stats"));
        }
      for (guint j = 0; j < blocks->len; j++)
        {
          const StasisMonitorBlock *block = g_ptr_array_index (blocks, j);
          if (is_device (block->qdev, disk_def->info.alias))
            disk->capacity = block->virtual_size;
        }
    }
  return TRUE;
}

/* Of all disks. */
GPtrArray *
stasis_domain_disk_stats (StasisDomain *self, GError **error)
{
  g_autoptr (StasisStatus) status = NULL;
  if (!stasis_domain_look (self, &status, error))
    return NULL;
  g_autoptr (StasisDomainDef) def
      = status != NULL ? stasis_domain_load_live (self, error)
                       : stasis_registry_load (stasis_domain_get_driver (self),
                                               stasis_domain_get_name (self), error);
  if (def == NULL)
    return NULL;
  g_autoptr (GPtrArray) disks = g_ptr_array_new_with_free_func (disk_free);
  for (guint i = 0; i < def->disks->len; i++)
    {
      const StasisDiskDef *disk_def = g_ptr_array_index (def->disks, i);
      StasisDiskStats *disk = g_new0 (StasisDiskStats, 1);
      disk->target = g_strdup (disk_def->target);
      disk->source = g_strdup (disk_def->source);
      look_at_file (disk, disk_def->format);
      g_ptr_array_add (disks, disk);
    }
  if (status != NULL && disks->len > 0 && !ask_qemu (self, def, disks, error))
    return NULL;
  return g_steal_pointer (&disks);
}

static void
interface_free (gpointer data)
{
  StasisInterfaceStats *interface = data;
  g_free (interface->target);
  g_free (interface);
}

/* One of the kernel's counters of a device; what the host sends the guest receives. */
static guint64
read_counter (const char *device, const char *name)
{
  g_autofree char *path = g_strdup_printf ("/sys/class/net/%s/statistics/%s", device, name);
  g_autofree char *text = NULL;
  return g_file_get_contents (path, &text, NULL, NULL) ? g_ascii_strtoull (text, NULL, 10) : 0;
}

/* Of those that the host has a device for. */
GPtrArray *
stasis_domain_interface_stats (StasisDomain *self, GError **error)
{
  g_autoptr (StasisStatus) status = stasis_domain_need_status (self, error);
  g_autoptr (StasisDomainDef) def = status != NULL ? stasis_domain_load_live (self, error) : NULL;
  if (def == NULL)
    return NULL;
  GPtrArray *interfaces = g_ptr_array_new_with_free_func (interface_free);
  for (guint i = 0; i < def->interfaces->len; i++)
    {
      const StasisInterfaceDef *interface_def = g_ptr_array_index (def->interfaces, i);
      const char *device = interface_def->target;
      if (device == NULL || strchr (device, '/') != NULL)
        continue;
      StasisInterfaceStats *interface = g_new0 (StasisInterfaceStats, 1);
      *interface = (StasisInterfaceStats){
        .target = g_strdup (device),
        .rx_octets = read_counter (device, "tx_bytes"),
        .rx_packets = read_counter (device, "tx_packets"),
        .rx_errors = read_counter (device, "tx_errors"),
        .rx_drops = read_counter (device, "tx_dropped"),
        .tx_octets = read_counter (device, "rx_bytes"),
        .tx_packets = read_counter (device, "rx_packets"),
        .tx_errors = read_counter (device, "rx_errors"),
        .tx_drops = read_counter (device, "rx_dropped"),
      };
      g_ptr_array_add (interfaces, interface);
    }
  return interfaces;
}

static void
set (StasisMemoryStats *stats, StasisMemoryTag tag, guint64 value)
{
  stats->is_known[tag] = TRUE;
  stats->value[tag] = value;
}

static void
read_rss (StasisMemoryStats *stats, pid_t pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/status", (int) pid);
  g_autofree char *text = NULL;
  const char *line = g_file_get_contents (path, &text, NULL, NULL) ? strstr (text, "VmRSS:") : NULL;
  if (line != NULL)
    set (stats, STASIS_MEMORY_RSS, g_ascii_strtoull (line + strlen ("VmRSS:"), NULL, 10));
}

/* What the guest's driver has told QEMU's balloon: only where it was asked to. */
static void
ask_balloon (StasisMemoryStats *stats, StasisMonitor *monitor, const char *alias)
{
  static const struct
  {
    const char *name;
    StasisMemoryTag tag;
    guint64 unit;
  } known[] = {
    { "stat-swap-in", STASIS_MEMORY_SWAP_IN, 1024 },
    { "stat-swap-out", STASIS_MEMORY_SWAP_OUT, 1024 },
    { "stat-major-faults", STASIS_MEMORY_MAJOR_FAULT, 1 },
    { "stat-minor-faults", STASIS_MEMORY_MINOR_FAULT, 1 },
    { "stat-free-memory", STASIS_MEMORY_UNUSED, 1024 },
    { "stat-total-memory", STASIS_MEMORY_AVAILABLE, 1024 },
    { "stat-available-memory", STASIS_MEMORY_USABLE, 1024 },
    { "stat-disk-caches", STASIS_MEMORY_DISK_CACHES, 1024 },
  };
  StasisJson *arguments = stasis_json_new_object ();
  g_autofree char *path = g_strconcat ("/machine/peripheral/", alias, NULL);
  g_autoptr (StasisJson) reply = NULL;
  stasis_json_set_string (arguments, "path", path);
  stasis_json_set_string (arguments, "property", "guest-stats");
  if (!stasis_monitor_command (monitor, "qom-get", arguments, NULL, 0, QUERY_MS, &reply, NULL,
                               NULL))
    return;
  const StasisJson *values = stasis_json_get (reply, "stats");
  const gint64 update = stasis_json_int (stasis_json_get (reply, "last-update"), 0);
  for (gsize i = 0; update > 0 && i < G_N_ELEMENTS (known); i++)
    {
      const guint64 value = stasis_json_uint (stasis_json_get (values, known[i].name), G_MAXUINT64);
      if (value != G_MAXUINT64)
        set (stats, known[i].tag, value / known[i].unit);
    }
  if (update > 0)
    set (stats, STASIS_MEMORY_LAST_UPDATE, (guint64) update);
}

/* Of a running domain. */
gboolean
stasis_domain_memory_stats (StasisDomain *self, StasisMemoryStats *out_stats, GError **error)
{
  g_autoptr (StasisHold) hold = stasis_hold_take_running (stasis_domain_get_driver (self),
                                                          stasis_domain_get_name (self), error);
  g_autoptr (StasisDomainDef) def = hold != NULL ? stasis_domain_load_live (self, error) : NULL;
  g_autoptr (StasisMonitor) monitor
      = def != NULL ? stasis_hold_open_monitor (hold, NULL, error) : NULL;
  if (monitor == NULL)
    return FALSE;
  StasisMemoryStats stats = { 0 };
  guint64 actual = 0;
  set (&stats, STASIS_MEMORY_ACTUAL, (guint64) def->memory);
  if (stasis_monitor_query_balloon (monitor, &actual, NULL, NULL))
    set (&stats, STASIS_MEMORY_ACTUAL, actual / 1024);
  read_rss (&stats, hold->status->qemu.pid);
  for (guint i = 0; i < def->balloons->len; i++)
    {
      const StasisBalloonDef *balloon = g_ptr_array_index (def->balloons, i);
      if (balloon->info.alias != NULL)
        ask_balloon (&stats, monitor, balloon->info.alias);
    }
  *out_stats = stats;
  return TRUE;
}
