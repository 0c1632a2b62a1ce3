/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream-head.c: how QEMU's stream of a running guest would begin
 *
 * Which RAM blocks migrate, in which order and under which section's number QEMU tells nobody.  So
 * a migration is begun, throttled to next to nothing, and cancelled once its head is there: QEMU
 * writes all heads before it sends the first page, and the guest runs on.
 */

#include "config.h"

#include "driver/stream-head.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/migration-end.h"
#include "driver/recover.h"
#include "image/mapped-ram.h"
#include "image/types.h"
#include "monitor/commands-migrate.h"

#define BANDWIDTH 65536 /* octets a second; 0 would be no limit */
#define NAP_MS    5
#define HEAD_MS   10000

static gboolean
begin (StasisMonitor *monitor, gint64 fdset, GCancellable *cancellable, GError **error)
{
  static const StasisMigrationCapability capabilities[] = { { "mapped-ram", TRUE } };
  StasisJson *parameters = stasis_json_new_object ();
  stasis_json_set_int (parameters, "max-bandwidth", BANDWIDTH);
  g_autofree char *uri = g_strdup_printf ("file:/dev/fdset/%" G_GINT64_FORMAT, fdset);
  if (!stasis_monitor_migrate_set_parameters (monitor, parameters, cancellable, error))
    return FALSE;
  return stasis_monitor_migrate_set_capabilities (monitor, capabilities, 1, cancellable, error)
         && stasis_monitor_migrate (monitor, uri, cancellable, error);
}

static StasisImageRamMap *
parse (int fd, StasisQemuHead *head, GCancellable *cancellable, GError **error)
{
  g_auto (StasisQemuInput) input;
  stasis_qemu_input_init_file (&input, fd, 0, STASIS_IMAGE_END_MAX, cancellable);
  stasis_qemu_head_clear (head);
  return stasis_mapped_ram_take (&input, head, error);
}

/* While it is being written it is incomplete, which is no failure yet. */
static StasisImageRamMap *
await_head (StasisMonitor *monitor, int fd, StasisQemuHead *head, GCancellable *cancellable,
            GError **error)
{
  const gint64 deadline = g_get_monotonic_time () + HEAD_MS * 1000;
  for (;;)
    {
      g_autoptr (StasisMigrationInfo) info
          = stasis_monitor_query_migrate (monitor, cancellable, error);
      if (info == NULL)
        return NULL;
      g_autoptr (GError) local = NULL;
      StasisImageRamMap *map = parse (fd, head, cancellable, &local);
      if (map != NULL)
        return map;
      if (info->status == STASIS_MIGRATION_FAILED)
        {
          g_set_error (error, STASIS_ERROR, STASIS_ERROR_QEMU, "%s",
                       info->error_desc != NULL ? info->error_desc
                                                : _ ("QEMU cannot migrate this guest"));
          return NULL;
        }
      if (stasis_migration_status_is_final (info->status) || g_get_monotonic_time () > deadline
          || g_cancellable_is_cancelled (cancellable))
        {
          g_propagate_prefixed_error (error, g_steal_pointer (&local),
                                      _ ("QEMU's stream has no head: "));
          return NULL;
        }
      g_autoptr (StasisMonitorEvent) event = NULL;
      if (!stasis_monitor_wait_event (monitor, NAP_MS, &event, cancellable, error))
        return NULL;
    }
}

/* The head and the blocks. */
StasisImageRamMap *
stasis_stream_head_take (StasisMonitor *monitor, pid_t qemu, gint64 fdset, int fd,
                         StasisQemuHead *out_head, GCancellable *cancellable, GError **error)
{
  g_autoptr (StasisImageRamMap) map = NULL;
  g_autoptr (GError) local = NULL;
  if (begin (monitor, fdset, cancellable, &local))
    map = await_head (monitor, fd, out_head, cancellable, &local);
  /* In any case, and first of all. */
  if (!stasis_migration_end (monitor, qemu, local == NULL ? &local : NULL)
      || !stasis_migration_reset (monitor, NULL, local == NULL ? &local : NULL))
    g_clear_pointer (&map, stasis_image_ram_map_free);
  if (map == NULL)
    g_propagate_error (error, g_steal_pointer (&local));
  return g_steal_pointer (&map);
}
