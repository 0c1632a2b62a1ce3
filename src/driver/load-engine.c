/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * load-engine.c: having QEMU read a guest's state from an image
 */

#include "config.h"

#include "driver/load-engine.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/migration-wait.h"
#include "driver/recover.h"
#include "image/facts.h"
#include "image/info.h"
#include "monitor/commands-fd.h"
#include "monitor/commands-migrate.h"
#include "util/fd.h"

#define STREAM_FD_NAME "stasis-restore"
#define CHANNELS_MAX   8u

static gboolean
was_saved_with (const StasisImage *image, const char *capability)
{
  const StasisJson *used
      = stasis_json_get (stasis_image_qemu_facts (image), STASIS_IMAGE_FACTS_CAPABILITIES);
  for (guint i = 0; i < stasis_json_array_length (used); i++)
    if (g_str_equal (stasis_json_string (stasis_json_array_get (used, i), ""), capability))
      return TRUE;
  return FALSE;
}

/* QEMU's own description of the file; the image's stays ours. */
static int
reopen (const StasisImage *image, GError **error)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", stasis_image_fd (image));
  return stasis_fd_open (path, O_RDONLY, 0, error);
}

/* Several threads read where mapped-ram is; the number is free, for the file does not know it. */
static gboolean
configure (const StasisImage *image, StasisMonitor *monitor, GCancellable *cancellable,
           GError **error)
{
  const StasisMigrationCapability capabilities[] = {
    { "events", TRUE },
    { "mapped-ram", TRUE },
    { "multifd", TRUE },
  };
  const gboolean mapped = stasis_image_body_kind (image) == STASIS_IMAGE_BODY_MAPPED_RAM;
  const gboolean multifd = mapped && was_saved_with (image, "multifd");
  if (!stasis_monitor_migrate_set_capabilities (monitor, capabilities,
                                                multifd  ? 3
                                                : mapped ? 2
                                                         : 1,
                                                cancellable, error))
    return FALSE;
  if (!multifd)
    return TRUE;

  StasisJson *parameters = stasis_json_new_object ();
  stasis_json_set_int (parameters, "multifd-channels",
                       CLAMP (g_get_num_processors (), 1, CHANNELS_MAX));
  return stasis_monitor_migrate_set_parameters (monitor, parameters, cancellable, error);
}

/* (transfer full): the URI of the body, with its descriptor handed over; *@out_set: the fd set, or
 * as it was */
static char *
pass (const StasisImage *image, StasisMonitor *monitor, gint64 *out_set, GCancellable *cancellable,
      GError **error)
{
  const guint64 offset = stasis_image_body_offset (image);
  stasis_autofd int fd = reopen (image, error);
  if (fd < 0)
    return NULL;

  if (stasis_image_body_kind (image) == STASIS_IMAGE_BODY_MAPPED_RAM)
    {
      gint64 set = STASIS_FDSET_NEW;
      if (!stasis_monitor_add_fd (monitor, set, fd, STREAM_FD_NAME, &set, NULL, cancellable, error))
        return NULL;
      *out_set = set;
      return g_strdup_printf ("file:/dev/fdset/%" G_GINT64_FORMAT ",offset=%" G_GUINT64_FORMAT, set,
                              offset);
    }

  if (lseek (fd, (off_t) offset, SEEK_SET) < 0)
    {
      stasis_throw_errno (error, _ ("cannot seek in '%s'"), stasis_image_name (image));
      return NULL;
    }
  if (!stasis_monitor_getfd (monitor, STREAM_FD_NAME, fd, cancellable, error))
    return NULL;
  return g_strdup ("fd:" STREAM_FD_NAME);
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

static guint64
octets_to_read (const StasisImage *image)
{
  guint64 total = 0;
  guint64 stored = 0;
  stasis_image_memory (image, &total, &stored);
  return stored > 0 ? stored : stasis_image_body_length (image);
}

static gboolean
load (const StasisImage *image, StasisMonitor *monitor, StasisJob *job, GError **error)
{
  GCancellable *cancellable = stasis_job_cancellable (job);
  gint64 set = -1;
  g_autofree char *uri = pass (image, monitor, &set, cancellable, error);
  if (uri == NULL || !stasis_monitor_migrate_incoming (monitor, uri, cancellable, error)
      || !stasis_migration_wait (monitor, job, error))
    return FALSE;
  /* QEMU has done with the file; its space is to be free when the image is removed. */
  return (set < 0 || stasis_monitor_remove_fd (monitor, set, STASIS_FDSET_ALL, cancellable, error))
         && stasis_migration_reset (monitor, error);
}

/* Let QEMU load the body and wait until it has. */
gboolean
stasis_load_engine_run (const StasisImage *image, StasisMonitor *monitor, const StasisProcess *qemu,
                        StasisJob *job, GError **error)
{
  if (!configure (image, monitor, stasis_job_cancellable (job), error))
    return FALSE;
  if (stasis_job_has_poll (job))
    return load (image, monitor, job, error);

  Reading reading = { qemu->pid, octets_read (qemu->pid), octets_to_read (image) };
  stasis_job_set_poll (job, poll_reading, &reading);
  const gboolean ok = load (image, monitor, job, error);
  stasis_job_set_poll (job, NULL, NULL);
  return ok;
}
