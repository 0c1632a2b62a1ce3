/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * load-engine.c: having QEMU read a guest's state from the places of a file
 */

#include "config.h"

#include "driver/load-engine.h"

#include <fcntl.h>
#include <string.h>

#include <glib/gi18n-lib.h>

#include "driver/migration-wait.h"
#include "driver/migration-end.h"
#include "monitor/commands-fd.h"
#include "monitor/commands-migrate.h"
#include "util/fd.h"

#define FD_NAME      "stasis-restore"
#define CHANNELS_MAX 8u

/* Several threads read; their number is free, for the file does not know it. */
static gboolean
configure (const StasisMappedBody *body, guint n_channels, StasisMonitor *monitor,
           GCancellable *cancellable, GError **error)
{
  const StasisMigrationCapability capabilities[] = {
    { "events", TRUE },
    { "mapped-ram", TRUE },
    { "multifd", TRUE },
  };
  if (!stasis_monitor_migrate_set_capabilities (monitor, capabilities, body->multifd ? 3 : 2,
                                                cancellable, error))
    return FALSE;
  if (!body->multifd)
    return TRUE;

  StasisJson *parameters = stasis_json_new_object ();
  stasis_json_set_int (parameters, "multifd-channels", n_channels);
  return stasis_monitor_migrate_set_parameters (monitor, parameters, cancellable, error);
}

/* QEMU's own description of the file, handed over as an fd set. */
static gboolean
pass (const StasisMappedBody *body, StasisMonitor *monitor, gint64 *out_set,
      GCancellable *cancellable, GError **error)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", body->fd);
  stasis_autofd int fd = stasis_fd_open (path, O_RDONLY, 0, error);
  if (fd < 0)
    {
      g_prefix_error (error, "'%s': ", body->name);
      return FALSE;
    }
  return stasis_monitor_add_fd (monitor, STASIS_FDSET_NEW, fd, FD_NAME, out_set, NULL, cancellable,
                                error);
}

/* A QEMU that loads tells nothing of how far it has come; the kernel counts what it reads. */
typedef struct
{
  pid_t pid;
  guint64 before;
  guint64 total;
} Reading;

static guint64
octets_read (pid_t pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/io", (int) pid);
  g_autofree char *text = NULL;
  if (!g_file_get_contents (path, &text, NULL, NULL) || !g_str_has_prefix (text, "rchar: "))
    return 0;
  return g_ascii_strtoull (text + strlen ("rchar: "), NULL, 10);
}

static void
poll_reading (StasisJobStats *stats, gpointer data)
{
  const Reading *reading = data;
  const guint64 now = octets_read (reading->pid);
  stats->bytes_total = reading->total;
  stats->bytes_processed = MIN (now - MIN (reading->before, now), reading->total);
  stats->bytes_remaining = reading->total - stats->bytes_processed;
}

static gboolean
load (const StasisMappedBody *body, StasisMonitor *monitor, const StasisJson *parameters,
      StasisJob *job, GError **error)
{
  GCancellable *cancellable = stasis_job_cancellable (job);
  gint64 set = -1;
  if (!pass (body, monitor, &set, cancellable, error))
    return FALSE;
  g_autofree char *uri = g_strdup_printf (
      "file:/dev/fdset/%" G_GINT64_FORMAT ",offset=%" G_GUINT64_FORMAT, set, body->offset);
  if (!stasis_monitor_migrate_incoming (monitor, uri, cancellable, error)
      || !stasis_migration_wait (monitor, job, 0, error))
    return FALSE;
  /* QEMU has done with the file; its space is to be free when the image is removed. */
  return stasis_monitor_remove_fd (monitor, set, STASIS_FDSET_ALL, cancellable, error)
         && stasis_migration_reset (monitor, parameters, error);
}

/* Let QEMU load the body and wait until it has. */
gboolean
stasis_load_engine_run (const StasisMappedBody *body, StasisMonitor *monitor,
                        const StasisProcess *qemu, StasisJob *job, GError **error)
{
  const guint n_channels = CLAMP (g_get_num_processors (), 1, CHANNELS_MAX);
  g_autofree char *engine
      = body->multifd ? g_strdup_printf (_ ("mapped-ram, multifd with %u channels"), n_channels)
                      : g_strdup (_ ("mapped-ram, saved without multifd"));
  stasis_job_set_engine (job, body->engine != NULL ? body->engine : engine);
  /* Who dies meanwhile leaves no guest: they are in no journal. */
  g_autoptr (StasisJson) parameters
      = stasis_migration_note_parameters (monitor, stasis_job_cancellable (job), error);
  if (parameters == NULL)
    return FALSE;
  if (!configure (body, n_channels, monitor, stasis_job_cancellable (job), error))
    return FALSE;
  if (stasis_job_has_poll (job))
    return load (body, monitor, parameters, job, error);

  Reading reading = { qemu->pid, octets_read (qemu->pid), body->octets };
  stasis_job_set_poll (job, poll_reading, &reading);
  const gboolean ok = load (body, monitor, parameters, job, error);
  stasis_job_poll (job);
  stasis_job_set_poll (job, NULL, NULL);
  return ok;
}
