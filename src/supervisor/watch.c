/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch.c: notice what becomes of the run folder and of a job's owner
 *
 * The status file is replaced whenever a job takes a step; its journal names the process that
 * does it.  Watching that process by a pidfd needs nothing of it: a driver that died before it
 * said a word on the control socket is noticed as well, and so is one whose connection was to an
 * earlier supervisor.
 */

#include "config.h"

#include "supervisor/watch.h"

#include <errno.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <glib-unix.h>
#include <glib/gi18n-lib.h>

#include "util/fd.h"

#define STATUS_FILE "status.json"
/* A folder that is removed while QEMU has something in it open does not tell of itself. */
#define WATCHED (IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

struct _StasisWatch
{
  const char *folder; /* (borrowed: outlives us) */
  const StasisWatchFuncs *funcs;
  gpointer data;
  int inotify;         /* (owned) */
  StasisProcess owner; /* pid 0: no job */
  int owner_pidfd;     /* (owned) or -1 */
  guint owner_source;  /* or 0 */
};

static void
forget_owner (StasisWatch *watch)
{
  g_clear_handle_id (&watch->owner_source, g_source_remove);
  stasis_fd_clear (&watch->owner_pidfd);
  watch->owner = (StasisProcess){ 0 };
}

static gboolean
on_owner_ended (gint fd, GIOCondition condition, gpointer data)
{
  StasisWatch *watch = data;
  watch->owner_source = 0;
  stasis_fd_clear (&watch->owner_pidfd);
  watch->funcs->owner_died (watch->data);
  return G_SOURCE_REMOVE;
}

static void
watch_owner (StasisWatch *watch, const StasisJournal *journal)
{
  if (journal->step == STASIS_STEP_NONE)
    {
      forget_owner (watch);
      return;
    }
  const StasisProcess *owner = &journal->owner;
  if (owner->pid == watch->owner.pid && owner->start_time == watch->owner.start_time)
    return;

  forget_owner (watch);
  watch->owner = *owner;
  g_autoptr (GError) error = NULL;
  watch->owner_pidfd = stasis_process_open (owner, &error);
  if (watch->owner_pidfd >= 0)
    watch->owner_source = g_unix_fd_add (watch->owner_pidfd, G_IO_IN, on_owner_ended, watch);
  else
    watch->funcs->owner_died (watch->data);
}

/* Look at status.json again. */
void
stasis_watch_look (StasisWatch *watch)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisStatus) status = stasis_status_read (watch->folder, &error);
  if (status == NULL)
    {
      if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
        watch->funcs->status_gone (watch->data);
      else
        g_debug ("%s", error->message);
      return;
    }
  watch->funcs->status_changed (status, watch->data);
  watch_owner (watch, &status->journal);
}

/* Only that something happened matters: the octets are thrown away. */
static gboolean
on_folder_changed (gint fd, GIOCondition condition, gpointer data)
{
  char events[4096] __attribute__ ((aligned (8)));
  gboolean is_ours = FALSE;
  gssize n;
  while ((n = read (fd, events, sizeof events)) > 0)
    for (gssize at = 0; at < n;)
      {
        const struct inotify_event *event = (const void *) (events + at);
        if (event->len == 0 || g_str_equal (event->name, STATUS_FILE))
          is_ours = TRUE;
        at += (gssize) (sizeof *event + event->len);
      }
  if (is_ours)
    stasis_watch_look (data);
  return G_SOURCE_CONTINUE;
}

/* Begin to watch. */
StasisWatch *
stasis_watch_new (const char *folder, const StasisWatchFuncs *funcs, gpointer data, GError **error)
{
  stasis_autofd int fd = inotify_init1 (IN_CLOEXEC | IN_NONBLOCK);
  if (fd < 0 || inotify_add_watch (fd, folder, WATCHED) < 0)
    {
      stasis_throw_errno (error, _ ("cannot watch the folder '%s'"), folder);
      return NULL;
    }

  StasisWatch *watch = g_new0 (StasisWatch, 1);
  watch->folder = folder;
  watch->funcs = funcs;
  watch->data = data;
  watch->inotify = stasis_fd_steal (&fd);
  watch->owner_pidfd = -1;
  g_unix_fd_add (watch->inotify, G_IO_IN, on_folder_changed, watch);
  stasis_watch_look (watch);
  return watch;
}
