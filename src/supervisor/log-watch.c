/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log-watch.c: look at the size of QEMU's log now and then
 *
 * A guest that makes QEMU complain without end must not fill the disk.  A disk that is slow, or
 * full, must not hold up the main loop: hence a thread.  It ends with QEMU, for the next start of
 * the domain uses the same log.
 */

#include "config.h"

#include "supervisor/log-watch.h"

#include "driver/log-limit.h"
#include "util/process.h"

#define LOOK_MS  5000
#define FLOOD_MS 1000 /* after it was too large */

typedef struct
{
  char *path;     /* (owned) */
  int qemu_pidfd; /* (borrowed: outlives us) */
} Watch;

/* Each cause is told once in a row. */
static void
tell (GError *error_take, char **told)
{
  if (g_strcmp0 (error_take->message, *told) != 0)
    {
      g_warning ("%s", error_take->message);
      g_free (*told);
      *told = g_strdup (error_take->message);
    }
  g_error_free (error_take);
}

static gpointer
run (gpointer data)
{
  Watch *watch = data;
  g_autofree char *told = NULL;
  gboolean was_cut = FALSE;
  /* Of a QEMU that has ended the log is left as it is. */
  for (int wait_ms = 0; !stasis_process_wait (watch->qemu_pidfd, wait_ms);
       wait_ms = was_cut ? FLOOD_MS : LOOK_MS)
    {
      GError *error = NULL;
      if (!stasis_log_limit (watch->path, &was_cut, &error))
        tell (error, &told);
    }
  g_free (watch->path);
  g_free (watch);
  return NULL;
}

/* Begin to look. */
void
stasis_log_watch (const char *path, int qemu_pidfd)
{
  Watch *watch = g_new0 (Watch, 1);
  watch->path = g_strdup (path);
  watch->qemu_pidfd = qemu_pidfd;
  g_thread_unref (g_thread_new ("log", run, watch));
}
