/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log-watch.c: look at the size of the logs now and then
 *
 * A guest that makes QEMU complain without end must not fill the disk, and neither must what we
 * say ourselves of a guest that restarts for months.  A disk that is slow, or full, must not hold
 * up the main loop: hence a thread.  It ends with QEMU, for the next start of the domain uses the
 * same logs.
 */

#include "config.h"

#include "supervisor/log-watch.h"

#include "driver/log-limit.h"
#include "util/process.h"

#define LOOK_MS  5000
#define FLOOD_MS 1000 /* after it was too large */

typedef struct
{
  char *path; /* (owned) */
  char *told; /* (owned) (nullable) why it could not be limited */
} Log;

typedef struct
{
  Log logs[2];    /* QEMU's, our own */
  int qemu_pidfd; /* (borrowed: outlives us) */
} Watch;

/* Each cause is told once in a row.  TRUE where the log was too large. */
static gboolean
look (Log *log)
{
  g_autoptr (GError) error = NULL;
  gboolean was_cut = FALSE;
  if (log->path == NULL || stasis_log_limit (log->path, &was_cut, &error))
    return was_cut;
  if (g_strcmp0 (error->message, log->told) != 0)
    {
      g_warning ("%s", error->message);
      g_free (log->told);
      log->told = g_strdup (error->message);
    }
  return was_cut;
}

static gpointer
run (gpointer data)
{
  Watch *watch = data;
  int wait_ms = 0;
  /* Of a QEMU that has ended the logs are left as they are. */
  while (!stasis_process_wait (watch->qemu_pidfd, wait_ms))
    {
      wait_ms = LOOK_MS;
      for (gsize i = 0; i < G_N_ELEMENTS (watch->logs); i++)
        if (look (&watch->logs[i]))
          wait_ms = FLOOD_MS;
    }
  for (gsize i = 0; i < G_N_ELEMENTS (watch->logs); i++)
    {
      g_free (watch->logs[i].path);
      g_free (watch->logs[i].told);
    }
  g_free (watch);
  return NULL;
}

/* Begin to look. */
void
stasis_log_watch (const char *qemu_log, const char *own_log, int qemu_pidfd)
{
  Watch *watch = g_new0 (Watch, 1);
  watch->logs[0].path = g_strdup (qemu_log);
  watch->logs[1].path = g_strdup (own_log);
  watch->qemu_pidfd = qemu_pidfd;
  g_thread_unref (g_thread_new ("log", run, watch));
}
