/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client.c: what a driver does with a supervisor, one piece for each run, for supervisor-test.py
 *
 *   client FOLDER ensure | state | sync | job | abort | reboot | pid | recover | teardown REASON
 *   client FOLDER own JOURNAL-JSON [COMMAND ...]
 *
 * `own` is a driver in the middle of a job: it takes the domain's lock, begins the job on the
 * control socket, writes the journal, runs QMP commands on monitor.sock, says "ready" and then
 * tells how the job stands ten times in a second, until it is killed or told to abort.
 */

#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "driver/control.h"
#include "driver/job-stats-json.h"
#include "driver/recover.h"
#include "driver/supervise.h"
#include "driver/teardown.h"
#include "monitor/commands-fd.h"
#include "util/fd.h"
#include "util/json.h"
#include "util/lock.h"

static int
fail (const GError *error)
{
  printf ("error %d %s\n", error->code, error->message);
  return 1;
}

static gboolean
print_state (StasisControl *control, GError **error)
{
  StasisDomainState state = STASIS_DOMAIN_NOSTATE;
  g_autofree char *reason = NULL;
  if (!stasis_control_get_state (control, &state, &reason, error))
    return FALSE;
  printf ("%d %s\n", state, reason);
  return TRUE;
}

static gboolean
print_job (StasisControl *control, GError **error)
{
  g_autoptr (StasisJobStats) stats = stasis_control_get_job (control, error);
  if (stats == NULL)
    return FALSE;
  g_autoptr (StasisJson) json = stasis_job_stats_to_json (stats);
  g_autofree char *text = stasis_json_to_string (json);
  puts (text);
  return TRUE;
}

static gboolean
ask (const char *folder, const char *what, GError **error)
{
  g_autoptr (StasisControl) control = stasis_control_open (folder, error);
  if (control == NULL)
    return FALSE;
  if (g_str_equal (what, "state"))
    return print_state (control, error);
  if (g_str_equal (what, "job"))
    return print_job (control, error);
  if (g_str_equal (what, "sync"))
    return stasis_control_sync (control, error);
  if (g_str_equal (what, "abort"))
    return stasis_control_abort_job (control, error);
  if (g_str_equal (what, "reboot"))
    return stasis_control_reboot (control, error);
  printf ("%d\n", (int) stasis_control_get_pid (control));
  return TRUE;
}

static gboolean
locked (const char *folder, const char *what, const char *reason, GError **error)
{
  g_autoptr (StasisStatus) status = stasis_status_read (folder, error);
  g_autoptr (StasisLock) lock
      = status != NULL ? stasis_lock_take (status->lock, /* wait= */ TRUE, error) : NULL;
  if (lock == NULL)
    return FALSE;
  if (g_str_equal (what, "teardown"))
    return stasis_teardown (status, folder, reason, error)
           && stasis_teardown (status, folder, "again", error);
  return stasis_recover (folder, status, NULL, error);
}

static void
fill_journal (StasisJournal *journal, const StasisJson *json)
{
  static const char *const steps[] = {
    "none",    "start",  "resume",          "save",           "commit",           "committed",
    "restart", "device", "migrate-sending", "migrate-handed", "migrate-incoming", "migrate-begun"
  };
  const char *step = stasis_json_string (stasis_json_get (json, "step"), "save");
  guint number = 0;
  for (guint i = 0; i < G_N_ELEMENTS (steps); i++)
    if (g_str_equal (step, steps[i]))
      number = i;
  stasis_journal_begin (journal, (StasisStep) number,
                        stasis_json_string (stasis_json_get (json, "operation"), "save"));
  journal->id = g_strdup (stasis_json_string (stasis_json_get (json, "id"), NULL));
  journal->was_running = stasis_json_boolean (stasis_json_get (json, "was-running"), FALSE);
  journal->target = g_strdup (stasis_json_string (stasis_json_get (json, "target"), NULL));
  journal->temp = g_strdup (stasis_json_string (stasis_json_get (json, "temp"), NULL));
  journal->image.device = stasis_json_uint (stasis_json_get (json, "device"), 0);
  journal->image.inode = stasis_json_uint (stasis_json_get (json, "inode"), 0);
  journal->fdset = stasis_json_int (stasis_json_get (json, "fdset"), -1);
  journal->migration = stasis_migrate_journal_from_json (stasis_json_get (json, "migration"));
}

/* Left open: the connection ends with us. */
static StasisMonitor *
open_monitor (const char *folder, GError **error)
{
  g_autofree char *path = g_build_filename (folder, "monitor.sock", NULL);
  const int socket = stasis_unix_connect (path, error);
  return socket >= 0 ? stasis_monitor_open (socket, NULL, 0, 10000, NULL, error) : NULL;
}

/* The image in an fd set and under a name, as a save gives it to QEMU. */
static gboolean
pass_fds (StasisMonitor *monitor, StasisJournal *journal, GError **error)
{
  stasis_autofd int fd = stasis_fd_open (journal->temp, O_WRONLY, 0, error);
  return fd >= 0
         && stasis_monitor_add_fd (monitor, STASIS_FDSET_NEW, fd, NULL, &journal->fdset, NULL, NULL,
                                   error)
         && stasis_monitor_getfd (monitor, STASIS_SAVE_FD_NAME, fd, NULL, error);
}

static gpointer
read_all (gpointer data)
{
  char octets[4096];
  while (read (GPOINTER_TO_INT (data), octets, sizeof octets) > 0)
    ;
  return NULL;
}

/* Commands that nobody waits for: QEMU works them off one by one, after our death too, and the last
 * one stops the guest.  What it answers is read: QEMU would notice a connection that ends with
 * octets unread at once. */
static gboolean
blurt (const char *folder, guint64 count, GError **error)
{
  g_autofree char *path = g_build_filename (folder, "monitor.sock", NULL);
  const int socket = stasis_unix_connect (path, error);
  if (socket < 0)
    return FALSE;
  g_thread_unref (g_thread_new ("read", read_all, GINT_TO_POINTER (socket)));
  g_autoptr (GString) text = g_string_new ("{\"execute\":\"qmp_capabilities\"}\n");
  for (guint64 i = 0; i < count; i++)
    g_string_append (text, "{\"execute\":\"human-monitor-command\","
                           "\"arguments\":{\"command-line\":\"log none\"}}\n");
  g_string_append (text, "{\"execute\":\"stop\"}\n");
  return stasis_fd_write_exact (socket, text->str, text->len, error);
}

static gboolean
run_commands (StasisMonitor *monitor, char **commands, GError **error)
{
  for (guint i = 0; commands[i] != NULL; i++)
    {
      g_autoptr (StasisJson) json = stasis_json_parse (commands[i], -1, error);
      if (json == NULL)
        return FALSE;
      const StasisJson *arguments = stasis_json_get (json, "arguments");
      StasisJson *copy = NULL;
      if (arguments != NULL)
        {
          g_autofree char *text = stasis_json_to_string (arguments);
          copy = stasis_json_parse (text, -1, error);
        }
      if (!stasis_monitor_command (monitor,
                                   stasis_json_string (stasis_json_get (json, "execute"), ""), copy,
                                   NULL, 0, 10000, NULL, NULL, error))
        return FALSE;
    }
  return TRUE;
}

/* Who says nothing of a job is known by the journal, and what it does to the guest is taken for the
 * job's only once the supervisor has seen that, which may be late on a busy host. */
static void
await_notice (const char *folder)
{
  for (guint i = 0; i < 500; i++)
    {
      g_autoptr (StasisControl) control = stasis_control_open (folder, NULL);
      g_autoptr (StasisJobStats) stats
          = control != NULL ? stasis_control_get_job (control, NULL) : NULL;
      if (stats == NULL || stats->state != STASIS_JOB_NONE)
        return;
      g_usleep (10000);
    }
}

/* Write the journal and do what the job does with QEMU. */
static gboolean
act (const char *folder, StasisStatus *status, const StasisJson *json, char **commands,
     GError **error)
{
  const guint64 count = stasis_json_uint (stasis_json_get (json, "blurt"), 0);
  if (count > 0)
    return stasis_status_write (status, folder, error) && blurt (folder, count, error);

  if (stasis_json_boolean (stasis_json_get (json, "by-journal"), FALSE))
    return stasis_status_write (status, folder, error);
  StasisMonitor *monitor = open_monitor (folder, error);
  if (monitor == NULL
      || (stasis_json_get (json, "pass-fds") != NULL
          && !pass_fds (monitor, &status->journal, error))
      || !stasis_status_write (status, folder, error))
    return FALSE;
  if (*commands != NULL && stasis_json_boolean (stasis_json_get (json, "silent"), FALSE))
    await_notice (folder);
  return run_commands (monitor, commands, error);
}

static gboolean
report_until_abort (StasisControl *control, GError **error)
{
  g_autoptr (StasisJobStats) stats = stasis_job_stats_new ();
  stats->state = STASIS_JOB_ACTIVE;
  gboolean is_aborted = FALSE;
  for (guint64 i = 0; !is_aborted; i++)
    {
      stats->bytes_total = 1000;
      stats->bytes_processed = i;
      g_autoptr (GError) local = NULL;
      if (!stasis_control_job_update (control, stats, &is_aborted, &local))
        printf ("update failed: %s\n", local->message);
      g_usleep (100000);
    }
  puts ("aborted");
  stats->state = STASIS_JOB_CANCELLED;
  return stasis_control_job_end (control, stats, error);
}

static gboolean
own (const char *folder, const char *text, char **commands, GError **error)
{
  g_autoptr (StasisJson) json = stasis_json_parse (text, -1, error);
  g_autoptr (StasisStatus) status = json != NULL ? stasis_status_read (folder, error) : NULL;
  g_autoptr (StasisLock) lock
      = status != NULL ? stasis_lock_take (status->lock, /* wait= */ TRUE, error) : NULL;
  if (lock == NULL)
    return FALSE;

  g_autoptr (StasisControl) control = NULL;
  fill_journal (&status->journal, json);
  if (!stasis_json_boolean (stasis_json_get (json, "silent"), FALSE))
    {
      control = stasis_control_open (folder, error);
      if (control == NULL
          || !stasis_control_job_begin (control, status->journal.operation, status->journal.id,
                                        /* is_background= */ FALSE, error))
        return FALSE;
    }
  if (!act (folder, status, json, commands, error))
    return FALSE;
  if (stasis_json_get (json, "unlock") != NULL)
    g_clear_pointer (&lock, stasis_lock_release);
  puts ("ready");
  if (control == NULL)
    for (;;)
      pause ();
  if (!report_until_abort (control, error))
    return FALSE;
  stasis_journal_clear (&status->journal);
  return stasis_status_write (status, folder, error);
}

int
main (int argc, char **argv)
{
  setvbuf (stdout, NULL, _IOLBF, 0);
  if (argc < 3)
    return 2;
  const char *folder = argv[1];
  const char *what = argv[2];
  g_autoptr (GError) error = NULL;
  gboolean ok;
  if (g_str_equal (what, "ensure"))
    ok = stasis_supervise_ensure (folder, &error);
  else if (g_str_equal (what, "recover") || g_str_equal (what, "teardown"))
    ok = locked (folder, what, argv[3], &error);
  else if (g_str_equal (what, "own"))
    ok = own (folder, argv[3], argv + 4, &error);
  else
    ok = ask (folder, what, &error);
  return ok ? 0 : fail (error);
}
