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

gboolean
stasis_monitor_block_job_cancel (StasisMonitor *monitor, const char *job, gboolean force,
                                 GCancellable *cancellable, GError **error)
{
  const StasisCommand cancel
      = { "block-job-cancel", _ ("cannot cancel a block job"), STASIS_COMMAND_DISK_MS, -1 };
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_string (arguments, "device", job);
  stasis_json_set_boolean (arguments, "force", force);
  return stasis_command_run (monitor, &cancel, arguments, NULL, cancellable, error);
}

gboolean
stasis_monitor_block_job_set_speed (StasisMonitor *monitor, const char *job, guint64 octets_per_s,
                                    GCancellable *cancellable, GError **error)
{
  const StasisCommand set
      = { "block-job-set-speed", _ ("cannot limit a block job"), STASIS_COMMAND_MS, -1 };
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_string (arguments, "device", job);
  stasis_json_set_uint (arguments, "speed", octets_per_s);
  return stasis_command_run (monitor, &set, arguments, NULL, cancellable, error);
}

gboolean
stasis_monitor_job_finalize (StasisMonitor *monitor, const char *job, GCancellable *cancellable,
                             GError **error)
{
  const StasisCommand finalize
      = { "job-finalize", _ ("cannot finish a block job"), STASIS_COMMAND_DISK_MS, -1 };
  return run_on (monitor, &finalize, job, cancellable, error);
}

gboolean
stasis_monitor_job_dismiss (StasisMonitor *monitor, const char *job, GCancellable *cancellable,
                            GError **error)
{
  const StasisCommand dismiss
      = { "job-dismiss", _ ("cannot forget a block job"), STASIS_COMMAND_MS, -1 };
  return run_on (monitor, &dismiss, job, cancellable, error);
}

/* NULL is fine. */
void
stasis_block_job_free (StasisBlockJob *job)
{
  if (job == NULL)
    return;
  g_free (job->id);
  g_free (job->type);
  g_free (job->status);
  g_free (job->io_status);
  g_free (job->error);
  g_free (job);
}

static StasisBlockJob *
parse_job (const StasisJson *json, GError **error)
{
  const char *id = NULL;
  const char *type = NULL;
  const char *status = NULL;
  guint64 current = 0;
  guint64 total = 0;
  if (!stasis_json_need_string (json, "device", &id, error)
      || !stasis_json_need_string (json, "type", &type, error)
      || !stasis_json_need_string (json, "status", &status, error)
      || !stasis_json_need_uint (json, "offset", &current, error)
      || !stasis_json_need_uint (json, "len", &total, error))
    return NULL;

  StasisBlockJob *job = g_new0 (StasisBlockJob, 1);
  job->id = g_strdup (id);
  job->type = g_strdup (type);
  job->status = g_strdup (status);
  job->io_status = g_strdup (stasis_json_string (stasis_json_get (json, "io-status"), "ok"));
  job->error = g_strdup (stasis_json_string (stasis_json_get (json, "error"), NULL));
  job->current = current;
  job->total = total;
  job->speed = stasis_json_uint (stasis_json_get (json, "speed"), 0);
  job->is_busy = stasis_json_boolean (stasis_json_get (json, "busy"), FALSE);
  job->is_paused = stasis_json_boolean (stasis_json_get (json, "paused"), FALSE);
  job->is_ready = stasis_json_boolean (stasis_json_get (json, "ready"), FALSE);
  job->is_actively_synced = stasis_json_boolean (stasis_json_get (json, "actively-synced"), FALSE);
  return job;
}

/* All of them. */
GPtrArray *
stasis_monitor_query_block_jobs (StasisMonitor *monitor, GCancellable *cancellable, GError **error)
{
  const char *command = "query-block-jobs";
  const char *context = _ ("cannot ask for block jobs");
  g_autoptr (StasisJson) list
      = stasis_command_run_list (monitor, command, context, cancellable, error);
  if (list == NULL)
    return NULL;
  g_autoptr (GPtrArray) jobs
      = g_ptr_array_new_with_free_func ((GDestroyNotify) stasis_block_job_free);
  for (guint i = 0; i < stasis_json_array_length (list); i++)
    {
      g_autoptr (GError) fault = NULL;
      StasisBlockJob *job = parse_job (stasis_json_array_get (list, i), &fault);
      if (job == NULL)
        {
          stasis_command_throw_reply (command, context, fault, error);
          return NULL;
        }
      g_ptr_array_add (jobs, job);
    }
  return g_steal_pointer (&jobs);
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
  if (!stasis_monitor_job_dismiss (monitor, job, NULL, error))
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
