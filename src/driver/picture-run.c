/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * picture-run.c: what the picture shows of a running domain, and what becomes of it
 *
 * Theory of operation
 *
 * Who it is stands in its status, whose replacement the kernel tells of; that its QEMU lives, a
 * pidfd; how its guest is, its supervisor (run-follow.c).  While a journal stands there, the status
 * is as good as nothing: its owner may be dead, and whoever looks is to recover.  What its
 * supervisor did not live to say, or said to nobody, stands in the notes about how the last run
 * and the last job ended.
 */

#include "config.h"

#include "driver/picture-private.h"

#include <string.h>
#include <sys/inotify.h>

#include "driver/job.h"
#include "driver/job-stats-json.h"
#include "driver/teardown.h"
#include "util/fd.h"

#define STATUS_FILE "status.json"
#define LIVE_FILE   "domain.xml"
#define WATCHED \
  (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_MODIFY | IN_ATTRIB | IN_ONLYDIR)

/* Asked by a status that there is: it may run on although it cannot be read any more. */
gboolean
stasis_picture_run_is_certain (const StasisPictureRun *run)
{
  const StasisPictureDomain *domain = run->domain;
  return run->folder >= 0 && run->has_status && !run->has_journal && run->pidfd >= 0
         && (!domain->is_persistent || strcmp (domain->uuid.text, run->uuid.text) == 0);
}

static void
forget_qemu (StasisPictureRun *run)
{
  if (run->pidfd >= 0)
    stasis_ready_set_remove (run->picture->set, run->pidfd);
  stasis_fd_clear (&run->pidfd);
}

static void
on_qemu_ended (gpointer data)
{
  forget_qemu (data);
}

static void
look_qemu (StasisPictureRun *run, const StasisProcess *qemu)
{
  if (run->pidfd >= 0 && run->qemu.pid == qemu->pid && run->qemu.start_time == qemu->start_time)
    return;
  forget_qemu (run);
  run->qemu = *qemu;
  if (qemu->pid == 0)
    return;
  run->pidfd = stasis_process_open (qemu, NULL);
  if (run->pidfd >= 0 && !stasis_ready_set_add (run->picture->set, run->pidfd, &run->ended, NULL))
    stasis_fd_clear (&run->pidfd);
}

/* FALSE where it is another run's by now. */
static gboolean
look_status (StasisPictureRun *run)
{
  g_autofree char *folder = stasis_paths_domain (run->picture->paths, run->domain->name, NULL);
  g_autoptr (StasisStatus) status = stasis_status_read (folder, NULL);
  run->has_status = status != NULL && stasis_picture_uuid_set (&run->uuid, status->uuid);
  stasis_picture_forget_uuids (run->picture);
  if (!run->has_status)
    return TRUE;
  if (run->id != 0 && run->id != status->id)
    return FALSE;
  run->id = status->id;
  run->started_us = status->started_us;
  /* A device that the guest has yet to release may have gone since. */
  run->has_journal = status->journal.step != STASIS_STEP_NONE || status->unplugs->len > 0;
  run->undecided_reason = stasis_status_undecided_reason (status);
  look_qemu (run, &status->qemu);
  if (run->follow != NULL)
    stasis_run_follow_confirm (run->follow);
  return TRUE;
}

static void
tell (const StasisPictureRun *run, StasisDomainNews *news)
{
  news->name = run->domain->name;
  news->uuid = run->uuid.text;
  news->id = run->id;
  stasis_picture_tell (run->picture, news);
}

static void
take_state (StasisPictureRun *run, const StasisJson *event, StasisFollowKind kind)
{
  run->state = (StasisDomainState) stasis_json_int (stasis_json_get (event, "state"), 0);
  run->reason = g_intern_string (stasis_json_string (stasis_json_get (event, "reason"), "unknown"));
  /* A guest that is not ready yet is no news. */
  if (kind == STASIS_FOLLOW_STATE || g_str_equal (run->reason, "starting up")
      || run->state == STASIS_DOMAIN_NOSTATE || run->id == 0)
    return;
  StasisDomainNews news = {
    .kind = STASIS_NEWS_STATE,
    .is_first = run->told == STASIS_DOMAIN_NOSTATE,
    .before = run->told,
    .state = run->state,
    .reason = run->reason,
  };
  const gboolean is_silent = run->is_adopted && run->told == STASIS_DOMAIN_NOSTATE;
  const gboolean is_new = run->state != run->told;
  run->told = run->state;
  if (is_new && !is_silent)
    tell (run, &news);
}

static void
tell_job (StasisPictureRun *run, const StasisJobStats *stats)
{
  StasisDomainNews news = { .kind = STASIS_NEWS_JOB, .state = run->told, .stats = stats };
  run->told_job_us = stats->elapsed_us;
  tell (run, &news);
}

static void
tell_qemu (StasisPictureRun *run, const StasisJson *event)
{
  StasisDomainNews news = { .kind = STASIS_NEWS_QEMU, .state = run->told, .event = event };
  if (run->id != 0)
    tell (run, &news);
}

static void
tell_device (StasisPictureRun *run, const char *alias)
{
  StasisDomainNews news = { .kind = STASIS_NEWS_DEVICE, .state = run->told, .alias = alias };
  if (run->id != 0)
    tell (run, &news);
}

static void
on_event (const StasisJson *event, StasisFollowKind kind, gpointer data)
{
  StasisPictureRun *run = data;
  if (run->id == 0)
    look_status (run);
  const StasisJson *job = stasis_json_get (event, "job");
  if (stasis_json_get (event, "qemu") != NULL)
    {
      tell_qemu (run, event);
      return;
    }
  const char *added = stasis_json_string (stasis_json_get (event, "device-added"), NULL);
  if (added != NULL)
    {
      tell_device (run, added);
      return;
    }
  if (job == NULL || kind == STASIS_FOLLOW_STATE)
    {
      take_state (run, event, kind);
      return;
    }
  g_autoptr (StasisJobStats) stats = stasis_job_stats_from_json (job, NULL);
  if (stats != NULL && run->id != 0)
    tell_job (run, stats);
}

/* One that ran before us may end before its supervisor has said a word. */
void
stasis_picture_begin_run (StasisPicture *self, const char *name, gboolean is_adopted)
{
  StasisPictureDomain *domain = *name != '.' ? stasis_picture_make (self, name) : NULL;
  if (domain == NULL || domain->run != NULL)
    return;
  StasisPictureRun *run = g_new0 (StasisPictureRun, 1);
  run->picture = self;
  run->domain = domain;
  run->is_adopted = is_adopted;
  run->reason = "unknown";
  run->pidfd = -1;
  run->ended = (StasisReady){ on_qemu_ended, run };
  run->told_job_us = -1;
  domain->run = run;
  stasis_picture_renumber (self, domain);

  g_autofree char *folder = stasis_paths_domain (self->paths, name, NULL);
  g_autofree char *job = stasis_paths_last_job (self->paths, name);
  run->folder = inotify_add_watch (self->inotify, folder, WATCHED);
  if (run->folder >= 0)
    g_hash_table_replace (self->runs, GINT_TO_POINTER (run->folder), run);
  if (is_adopted)
    stasis_picture_stamp (job, &run->job);
  look_status (run);
  run->follow = stasis_run_follow_new (folder, !is_adopted, self->set, on_event, run);
}

/* The end of a job that is noted, and was not told: of this run, where it is younger than that. */
static void
tell_noted_job (StasisPictureRun *run)
{
  StasisPaths *paths = run->picture->paths;
  g_autofree char *path = stasis_paths_last_job (paths, run->domain->name);
  StasisPictureStamp now;
  if (!stasis_picture_stamp (path, &now) || stasis_picture_stamp_equal (&now, &run->job)
      || now.modified.tv_sec * G_USEC_PER_SEC + now.modified.tv_nsec / 1000 < run->started_us)
    return;
  g_autoptr (StasisJobStats) stats = stasis_job_load_completed (paths, run->domain->name, NULL);
  if (stats != NULL && stats->state != STASIS_JOB_NONE && stats->elapsed_us != run->told_job_us)
    tell_job (run, stats);
}

static void
tell_end (StasisPictureRun *run)
{
  if (run->id == 0 || !(run->is_adopted || run->told != STASIS_DOMAIN_NOSTATE))
    return;
  tell_noted_job (run);
  if (run->end_reason == NULL)
    {
      g_autofree char *path = stasis_paths_last (run->picture->paths, run->domain->name);
      run->end_reason = stasis_last_read_reason (path, run->id);
    }
  run->id = -1;
  StasisDomainNews news = {
    .kind = STASIS_NEWS_ENDED,
    .before = run->told,
    .state = STASIS_DOMAIN_SHUTOFF,
    .reason = run->end_reason,
  };
  tell (run, &news);
}

/* One that never came to run is no news. */
void
stasis_picture_end_run (StasisPicture *self, const char *name)
{
  StasisPictureDomain *domain = stasis_picture_find (self, name);
  if (domain == NULL || domain->run == NULL)
    return;
  StasisPictureRun *run = domain->run;
  stasis_run_follow_flush (run->follow);
  tell_end (run);
  domain->run = NULL;
  domain->last_reason = NULL;
  stasis_picture_run_free (run);
  stasis_picture_forget_uuids (self);
  stasis_picture_renumber (self, domain);
  stasis_picture_drop_if_gone (self, domain);
}

static void
begin_anew (StasisPicture *self, const char *name)
{
  g_autofree char *copy = g_strdup (name);
  stasis_picture_end_run (self, copy);
  stasis_picture_begin_run (self, copy, FALSE);
}

/* Of interest are teardown's word, and what is replaced. */
void
stasis_picture_run_changed (StasisPictureRun *run, guint32 mask, const char *file)
{
  if ((mask & IN_CREATE) != 0 && g_str_has_prefix (file, STASIS_TEARDOWN_ENDED))
    run->end_reason = g_intern_string (file + strlen (STASIS_TEARDOWN_ENDED));
  else if (g_str_equal (file, LIVE_FILE))
    stasis_picture_renumber (run->picture, run->domain);
  else if (g_str_equal (file, STATUS_FILE) && !look_status (run))
    begin_anew (run->picture, run->domain->name);
}

/* A folder of the same name is another one where it has another watch. */
void
stasis_picture_look_run (StasisPicture *self, const char *name)
{
  StasisPictureDomain *domain = stasis_picture_find (self, name);
  StasisPictureRun *run = domain != NULL ? domain->run : NULL;
  if (run == NULL)
    return;
  g_autofree char *folder = stasis_paths_domain (self->paths, name, NULL);
  const int watch = inotify_add_watch (self->inotify, folder, WATCHED);
  if (watch != run->folder || !look_status (run))
    begin_anew (self, name);
  else
    stasis_picture_renumber (self, domain);
}

/* NULL is fine. */
void
stasis_picture_run_free (StasisPictureRun *run)
{
  if (run == NULL)
    return;
  if (run->folder >= 0)
    {
      g_hash_table_remove (run->picture->runs, GINT_TO_POINTER (run->folder));
      inotify_rm_watch (run->picture->inotify, run->folder);
    }
  forget_qemu (run);
  stasis_run_follow_free (run->follow);
  g_free (run);
}
