/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migration-quiet.c: bringing QEMU's sending threads to rest before a migration is cancelled
 *
 * A cancelled migration with mapped-ram and multifd frees the bitmaps of the RAMBlocks before it
 * has joined its sending threads (QEMU 10.0: migrate_fd_cleanup); one that is still at work then
 * writes through a null pointer, and the guest is gone.  So the migration is throttled first,
 * which keeps work from the threads, and cancelled only when all of them have been seen asleep
 * several times in a row.  A thread in a write is running or in uninterruptible sleep.
 */

#include "config.h"

#include "driver/migration-quiet.h"

#include <string.h>

#include "monitor/commands-migrate.h"

#define BANDWIDTH   4096 /* octets/s: 0 would mean no limit */
#define NAP_US      10000
#define LOOKS_MAX   200
#define LOOKS_QUIET 4
#define SENDER      "send_" /* "mig/src/send_0", "multifdsend_0": named by debug-threads=on */

/* TRUE where the thread is a sender that does something. */
static gboolean
is_at_work (const char *tasks, const char *tid)
{
  g_autofree char *path = g_build_filename (tasks, tid, "stat", NULL);
  g_autofree char *text = NULL;
  if (!g_file_get_contents (path, &text, NULL, NULL))
    return FALSE;
  const char *end = strrchr (text, ')');
  return end != NULL && strstr (text, SENDER) != NULL && strlen (end) > 2 && end[2] != 'S';
}

static gboolean
is_any_at_work (const char *tasks)
{
  g_autoptr (GDir) dir = g_dir_open (tasks, 0, NULL);
  const char *tid;
  while (dir != NULL && (tid = g_dir_read_name (dir)) != NULL)
    if (is_at_work (tasks, tid))
      return TRUE;
  return FALSE;
}

/* Throttle, and wait until no sender is at work. */
void
stasis_migration_quiet (StasisMonitor *monitor, pid_t qemu)
{
  g_autoptr (GHashTable) on = stasis_monitor_query_migrate_capabilities (monitor, NULL, NULL);
  if (on == NULL || g_hash_table_lookup (on, "multifd") == NULL)
    return;

  StasisJson *parameters = stasis_json_new_object ();
  stasis_json_set_int (parameters, "max-bandwidth", BANDWIDTH);
  g_autoptr (GError) error = NULL;
  if (!stasis_monitor_migrate_set_parameters (monitor, parameters, NULL, &error))
    g_debug ("the migration is not throttled: %s", error->message);

  g_autofree char *tasks = g_strdup_printf ("/proc/%d/task", (int) qemu);
  guint n_quiet = 0;
  for (guint i = 0; i < LOOKS_MAX && n_quiet < LOOKS_QUIET; i++)
    {
      g_usleep (NAP_US);
      n_quiet = is_any_at_work (tasks) ? 0 : n_quiet + 1;
    }
}
