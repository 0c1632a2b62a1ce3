/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * background.c: QEMU's background snapshots
 *
 * Theory of operation
 *
 * With the capability background-snapshot (Linux 5.7) QEMU protects the guest's memory from being
 * written to, and writes what it was at that moment while the guest runs on: who writes to a page
 * that is not saved yet waits until QEMU has saved it, which is done first.  QEMU serves these
 * faults itself, so nobody waits for a saver that has died; when the migration ends, by whatever
 * way, the protection is taken away and all are woken.
 *
 * QEMU stops the guest itself for the moment and lets it run.  What belongs to the moment besides
 * (disks that are to be kept) is ours to see to: then the guest is stopped before, and QEMU leaves
 * it so.  When it may run QEMU does not say (bg_migration_thread in migration/migration.c): the
 * status `active`, and its event, come before the devices are saved and the memory is protected.
 * The first page that counts as written comes after that, with the big lock released in between.
 * What is left by then is a bottom half in the main loop, which restores the run state: who lets
 * the guest run before it would have it undone.  It was scheduled before that first page, so it has
 * run when another command has been answered.
 *
 * QEMU touches each page of the memory first, for only what is mapped can be protected; a guest
 * that we have stopped stands still meanwhile.  Should it not get the memory registered after that,
 * it ends with an assertion (10.0: ram_write_tracking_stop after ram_write_tracking_start has
 * failed).  To switch the capability on is to try that; it is done right before the pause.
 */

#include "config.h"

#include "driver/background.h"

#include <fcntl.h>
#include <string.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/foreign-writers.h"
#include "driver/process-maps.h"
#include "driver/recover.h"
#include "driver/userfault.h"
#include "monitor/commands-fd.h"
#include "monitor/commands-migrate.h"
#include "monitor/commands-run.h"
#include "util/fault.h"
#include "util/fd.h"

#define DEVICE    "/dev/userfaultfd"
#define SETUP_MS  50 /* an event ends that */
#define ACTIVE_MS 1

static const StasisRamBlock *
find_block (const GPtrArray *ram_blocks, const StasisMapping *mapping)
{
  for (guint i = 0; i < ram_blocks->len; i++)
    {
      const StasisRamBlock *ram = g_ptr_array_index (ram_blocks, i);
      if (ram->host_address < mapping->end && mapping->begin < ram->host_address + ram->used_length)
        return ram;
    }
  return NULL;
}

/* Whoever else maps the memory, such as the process of a vhost-user device, writes to it
 * unhindered: a protection is of one process.  QEMU does not know of that. */
static gboolean
check_private (const StasisProcess *qemu, const GPtrArray *ram_blocks, GError **error)
{
  g_autoptr (GArray) mappings = stasis_process_maps_read (qemu->pid, error);
  if (mappings == NULL)
    return FALSE;
  for (guint i = 0; i < mappings->len; i++)
    {
      const StasisMapping *mapping = &g_array_index (mappings, StasisMapping, i);
      const StasisRamBlock *ram
          = stasis_mapping_is_shared (mapping) ? find_block (ram_blocks, mapping) : NULL;
      if (ram == NULL)
        continue;
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                   _ ("other processes may write to the RAM block '%s', which is shared memory"),
                   ram->name);
      return FALSE;
    }
  return TRUE;
}

/* What QEMU's user may not open, but we may, and give to it (src/preload/open-device.c). */
static gboolean
pass_device (StasisMonitor *monitor, GCancellable *cancellable, GError **error)
{
  stasis_autofd int fd = stasis_fd_open (DEVICE, O_RDWR, 0, error);
  return fd >= 0 && stasis_monitor_getfd (monitor, STASIS_SAVE_FD_NAME, fd, cancellable, error);
}

static gboolean
switch_on (StasisMonitor *monitor, gboolean is_on, GCancellable *cancellable, GError **error)
{
  const StasisMigrationCapability capabilities[]
      = { { "mapped-ram", is_on }, { "background-snapshot", is_on } };
  return stasis_monitor_migrate_set_capabilities (monitor, capabilities,
                                                  G_N_ELEMENTS (capabilities), cancellable, error);
}

/* QEMU tries both when it is asked to switch the capability on: to make a userfaultfd, and to
 * register the memory with it. */
static gboolean
try_switch (StasisMonitor *monitor, GCancellable *cancellable, GError **error)
{
  g_autoptr (GError) passed = NULL;
  g_autoptr (GError) local = NULL;
  if (!pass_device (monitor, cancellable, &passed))
    g_debug ("QEMU has to open it itself: %s", passed->message);
  const gboolean ok
      = switch_on (monitor, TRUE, cancellable, &local) && stasis_fault ("background-tried", &local);
  if (passed == NULL && !stasis_monitor_closefd (monitor, STASIS_SAVE_FD_NAME, NULL, NULL))
    g_debug ("QEMU has closed the descriptor itself");
  /* Also where nobody waited for QEMU's answer, for there is no journal yet. */
  const gboolean is_off = switch_on (monitor, FALSE, NULL, ok ? error : NULL);
  if (ok)
    return is_off;
  if (passed == NULL)
    g_propagate_error (error, g_steal_pointer (&local));
  else
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED, "%s; %s", passed->message,
                 local->message);
  g_prefix_error (error, _ ("QEMU may not, or cannot, track writes by userfaultfd: "));
  return FALSE;
}

/* Whether that will do. */
gboolean
stasis_background_probe (StasisMonitor *monitor, const StasisProcess *qemu,
                         const GPtrArray *ram_blocks, GCancellable *cancellable, GError **error)
{
  g_autoptr (GHashTable) offers
      = stasis_monitor_query_migrate_capabilities (monitor, cancellable, error);
  if (offers == NULL)
    return FALSE;
  if (!g_hash_table_contains (offers, "background-snapshot"))
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                           _ ("this QEMU has no background-snapshot"));
      return FALSE;
    }
  if (!check_private (qemu, ram_blocks, error)
      || !stasis_foreign_writers_check (monitor, cancellable, error))
    return FALSE;
  return stasis_userfault_release (qemu, error) && try_switch (monitor, cancellable, error);
}

/* TRUE where QEMU has taken the moment (*@out_nap 0), or has not yet: when to look again. */
static gboolean
look (StasisMonitor *monitor, GCancellable *cancellable, gint64 *out_nap, GError **error)
{
  g_autoptr (StasisMigrationInfo) info = stasis_monitor_query_migrate (monitor, cancellable, error);
  if (info == NULL)
    return FALSE;
  const gboolean is_active = info->status == STASIS_MIGRATION_ACTIVE;
  *out_nap = is_active ? ACTIVE_MS : SETUP_MS;
  if (info->status == STASIS_MIGRATION_COMPLETED
      || (is_active && info->ram_normal + info->ram_duplicate > 0))
    *out_nap = 0;
  if (*out_nap == 0 || !stasis_migration_status_is_final (info->status))
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_QEMU, _ ("QEMU: background snapshot %1$s: %2$s"),
               stasis_migration_status_to_string (info->status),
               info->error_desc != NULL ? info->error_desc : _ ("no reason given"));
  return FALSE;
}

/* When QEMU stopped the guest, and for how long. */
static void
note (const StasisMonitorEvent *event, gint64 *stopped, gint64 *pause)
{
  if (g_str_equal (event->name, "STOP"))
    *stopped = event->timestamp_us;
  else if (g_str_equal (event->name, "RESUME") && *stopped > 0)
    *pause = MAX (event->timestamp_us - *stopped, 1);
}

/* Until the guest may run, or does. */
gboolean
stasis_background_await (StasisMonitor *monitor, StasisJob *job, gint64 *out_pause_us,
                         GError **error)
{
  GCancellable *cancellable = stasis_job_cancellable (job);
  StasisMonitorEvent *event = NULL;
  gint64 stopped = 0;
  for (;;)
    {
      gint64 nap = 0;
      if (!look (monitor, cancellable, &nap, error))
        return FALSE;
      if (nap == 0)
        break;
      if (!stasis_monitor_wait_event (monitor, nap, &event, cancellable, error))
        return FALSE;
      if (event != NULL)
        note (event, &stopped, out_pause_us);
      stasis_monitor_event_free (event);
    }
  /* The bottom half. */
  StasisRunState state;
  if (!stasis_monitor_query_status (monitor, &state, NULL, error))
    return FALSE;
  while ((event = stasis_monitor_pop_event (monitor)) != NULL)
    {
      note (event, &stopped, out_pause_us);
      stasis_monitor_event_free (event);
    }
  return TRUE;
}
