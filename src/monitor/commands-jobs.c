/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-jobs.c: watch, steer and end block jobs
 */

#include "config.h"

#include "monitor/commands-jobs.h"

#include <glib/gi18n-lib.h>

#include "monitor/commands-private.h"
#include "monitor/error.h"

#define CONCLUDED   "concluded"
#define JOB_LOOK_US 2000

static gboolean
run_on (StasisMonitor *monitor, const StasisCommand *command, const char *job,
        GCancellable *cancellable, GError **error)
{
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_string (arguments, "id", job);
  return stasis_command_run (monitor, command, arguments, NULL, cancellable, error);
}

gboolean
stasis_monitor_job_complete (StasisMonitor *monitor, const char *job, GCancellable *cancellable,
                             GError **error)
{
  const StasisCommand complete
      = { "job-complete", _ ("cannot complete a block job"), STASIS_COMMAND_DISK_MS, -1 };
  return run_on (monitor, &complete, job, cancellable, error);
}

gboolean
stasis_monitor_job_cancel (StasisMonitor *monitor, const char *job, GCancellable *cancellable,
                           GError **error)
{
  const StasisCommand cancel
      = { "job-cancel", _ ("cannot cancel a block job"), STASIS_COMMAND_DISK_MS, -1 };
  return run_on (monitor, &cancel, job, cancellable, error);
}

static gboolean
dismiss (StasisMonitor *monitor, const char *job, GError **error)
{
  const StasisCommand command
      = { "job-dismiss", _ ("cannot forget a block job"), STASIS_COMMAND_MS, -1 };
  return run_on (monitor, &command, job, NULL, error);
}

static const StasisJson *
find_job (const StasisJson *jobs, const char *job)
{
  for (guint i = 0; i < stasis_json_array_length (jobs); i++)
    {
      const StasisJson *one = stasis_json_array_get (jobs, i);
      if (g_strcmp0 (stasis_json_string (stasis_json_get (one, "id"), NULL), job) == 0)
        return one;
    }
  return NULL;
}

static gboolean
throw_job (GError **error, StasisMonitorError code, const char *job, const char *what)
{
  g_set_error (error, STASIS_MONITOR_ERROR, code, _ ("the block job '%1$s' %2$s"), job, what);
  return FALSE;
}

/* It has ended: as it should, or with a word why not. */
static gboolean
conclude (StasisMonitor *monitor, const StasisJson *found, const char *job, gboolean is_wanted,
          GError **error)
{
  const char *fault = stasis_json_string (stasis_json_get (found, "error"), NULL);
  if (!dismiss (monitor, job, error))
    return FALSE;
  if (is_wanted && fault == NULL)
    return TRUE;
  g_set_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND,
               _ ("the block job '%1$s' has ended: %2$s"), job,
               fault != NULL ? fault : _ ("it was cancelled"));
  return FALSE;
}

/* Until it is so far. */
gboolean
stasis_monitor_job_wait (StasisMonitor *monitor, const char *job, const char *status,
                         gint64 timeout_ms, GError **error)
{
  const char *context = _ ("cannot ask for block jobs");
  const gint64 deadline_us = g_get_monotonic_time () + timeout_ms * G_TIME_SPAN_MILLISECOND;
  for (;;)
    {
      g_autoptr (StasisJson) jobs
          = stasis_command_run_list (monitor, "query-jobs", context, NULL, error);
      if (jobs == NULL)
        return FALSE;
      const StasisJson *found = find_job (jobs, job);
      const char *now = stasis_json_string (stasis_json_get (found, "status"), "");
      if (found == NULL)
        return throw_job (error, STASIS_MONITOR_ERROR_COMMAND, job, _ ("is not there"));
      if (g_str_equal (now, CONCLUDED))
        return conclude (monitor, found, job, g_str_equal (status, CONCLUDED), error);
      if (g_str_equal (now, status))
        return TRUE;
      if (timeout_ms >= 0 && g_get_monotonic_time () > deadline_us)
        return throw_job (error, STASIS_MONITOR_ERROR_TIMEOUT, job, _ ("takes too long"));
      g_usleep (JOB_LOOK_US);
    }
}
