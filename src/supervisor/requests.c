/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * requests.c: what a supervisor answers on its control socket
 *
 * docs/supervisor.md lists the requests.  A job is known from its owner's connection, or, where
 * this supervisor came later than the job, from the journal until the owner connects again.
 */

#include "config.h"

#include "supervisor/requests.h"

#include <string.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/job-fate.h"
#include "driver/job-stats-json.h"
#include "driver/migrate-mirror-ways.h"
#include "supervisor/control-server.h"
#include "supervisor/errand.h"
#include "supervisor/history.h"
#include "supervisor/steer.h"

#define OPERATION_MAX 64  /* octets */
#define ALIAS_MAX     255 /* likewise */

/* One that may be aborted by itself, whatever else the same process does. */
typedef struct
{
  StasisJobStats *stats; /* (owned) (nullable): none */
  char *id;              /* (owned) (nullable): its driver knows of no ids */
  gboolean is_aborted;   /* somebody wants it to end, and it has no id; else the link tells */
} Job;

struct _StasisRequests
{
  char *folder; /* (owned) */
  StasisLife *life;
  StasisControlServer *server; /* (owned) */
  StasisHistory *history;      /* (owned) */
  StasisJobLost job_lost;
  gpointer data;
  gint64 qemu_pid;
  StasisClientId owner;   /* whose job goes on, or 0 */
  Job own;                /* that job */
  Job noted;              /* the journal's job */
  char *over;             /* (owned) (nullable) the job that has ended last */
  gboolean is_background; /* the owner's job leaves the guest alone */
  gboolean had_job;       /* when life was told of it last */
  gboolean is_behind;     /* a job is over, and what QEMU did at its end may not have been seen */
};

typedef struct
{
  StasisRequests *requests;
  StasisClientId client;
} Waiting;

static void
clear_job (Job *job)
{
  stasis_job_stats_free (job->stats);
  g_free (job->id);
  *job = (Job){ NULL };
}

/* As it begins.  @id (nullable) */
static void
set_job (Job *job, const char *operation, pid_t pid, const char *id, gboolean is_aborted)
{
  clear_job (job);
  job->stats = stasis_job_stats_new ();
  job->stats->state = STASIS_JOB_ACTIVE;
  job->stats->operation = g_strdup (operation);
  job->stats->owner_pid = pid;
  job->id = g_strdup (id);
  job->is_aborted = is_aborted;
}

/* The link outlives us. */
static gboolean
is_aborted (const StasisRequests *requests, const Job *job)
{
  return job->id == NULL ? job->is_aborted
                         : stasis_job_fate_get (requests->folder, job->id) == STASIS_JOB_FATE_ABORT;
}

static const StasisJobStats *
current_job (const StasisRequests *requests)
{
  return requests->own.stats != NULL ? requests->own.stats : requests->noted.stats;
}

/* The operation that the guest may stand still for, or NULL. */
static const char *
guest_job (const StasisRequests *requests)
{
  const StasisJobStats *job
      = requests->is_background ? requests->noted.stats : current_job (requests);
  return job != NULL ? job->operation : NULL;
}

static void
ignore_look (const GError *error, gpointer data)
{
}

/* @is_seen: and so is what QEMU did in a job that is over. */
static void
tell_life (StasisRequests *requests, gboolean is_seen)
{
  const char *operation = guest_job (requests);
  const gboolean is_behind = requests->had_job && operation == NULL && !is_seen;
  stasis_life_set_job (requests->life, operation, /* is_settled= */ !is_behind);
  if (is_behind)
    stasis_life_sync (requests->life, ignore_look, NULL);
  requests->is_behind |= is_behind;
  requests->had_job = operation != NULL;
}

static void
reply_ok (StasisRequests *requests, StasisClientId client, StasisJson *extra_take)
{
  StasisJson *reply = extra_take != NULL ? extra_take : stasis_json_new_object ();
  stasis_json_set_boolean (reply, "ok", TRUE);
  stasis_control_server_reply (requests->server, client, reply);
}

static void
reply_error_with (StasisRequests *requests, StasisClientId client, StasisJson *extra_take,
                  const char *code, const char *message)
{
  StasisJson *reply = extra_take;
  stasis_json_set_boolean (reply, "ok", FALSE);
  stasis_json_set_string (reply, "code", code);
  stasis_json_set_string (reply, "error", message);
  stasis_control_server_reply (requests->server, client, reply);
}

static void
reply_error (StasisRequests *requests, StasisClientId client, const char *code, const char *message)
{
  reply_error_with (requests, client, stasis_json_new_object (), code, message);
}

static void
reply_state (StasisRequests *requests, StasisClientId client)
{
  const StasisGuestState guest = stasis_life_get (requests->life);
  const StasisJobStats *job = current_job (requests);
  const char *reason = NULL;
  const StasisDomainState state
      = stasis_guest_state_describe (&guest, guest_job (requests), &reason);

  StasisJson *reply = stasis_json_new_object ();
  stasis_json_set_int (reply, "state", state);
  stasis_json_set_string (reply, "run-state", stasis_run_state_to_string (guest.run_state));
  stasis_json_set_string (reply, "reason", reason);
  stasis_json_set_int (reply, "qemu-pid", requests->qemu_pid);
  stasis_json_set_int (reply, "supervisor-pid", getpid ());
  if (job != NULL)
    stasis_json_set (reply, "job", stasis_job_stats_to_json (job));
  reply_ok (requests, client, reply);
}

/* What waited for the life-cycle thread. */
static void
on_done (const GError *error, gpointer data)
{
  g_autofree Waiting *waiting = data;
  if (error == NULL)
    reply_ok (waiting->requests, waiting->client, NULL);
  else
    reply_error (waiting->requests, waiting->client,
                 g_error_matches (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE) ? "state"
                                                                                   : "qemu",
                 error->message);
}

/* A QEMU that does not answer is how it was when last heard of. */
static void
on_looked (const GError *error, gpointer data)
{
  StasisRequests *requests = ((Waiting *) data)->requests;
  requests->is_behind = FALSE;
  if (error != NULL && !stasis_life_get (requests->life).is_known)
    {
      on_done (error, data);
      return;
    }
  g_autofree Waiting *waiting = data;
  reply_state (requests, waiting->client);
}

static Waiting *
new_waiting (StasisRequests *requests, StasisClientId client)
{
  Waiting *waiting = g_new (Waiting, 1);
  waiting->requests = requests;
  waiting->client = client;
  return waiting;
}

static void
do_state (StasisRequests *requests, StasisClientId client, const StasisJson *request)
{
  if (stasis_life_get (requests->life).is_known && !requests->is_behind)
    reply_state (requests, client);
  else
    stasis_life_sync (requests->life, on_looked, new_waiting (requests, client));
}

static void
do_sync (StasisRequests *requests, StasisClientId client, const StasisJson *request)
{
  stasis_life_sync (requests->life, on_done, new_waiting (requests, client));
}

static void
do_reboot (StasisRequests *requests, StasisClientId client, const StasisJson *request)
{
  stasis_life_reboot (requests->life, on_done, new_waiting (requests, client));
}

typedef struct
{
  Waiting waiting;
  StasisJson *limits; /* (owned) */
} Steering;

static void
on_steered (const GError *error, gpointer data)
{
  g_autofree Steering *steering = data;
  const Waiting *waiting = &steering->waiting;
  if (error == NULL)
    reply_ok (waiting->requests, waiting->client, steering->limits);
  else
    reply_error (waiting->requests, waiting->client, "qemu", error->message);
  if (error != NULL)
    stasis_json_unref (steering->limits);
}

/* QEMU keeps limits beyond a migration, and a save changes them as well.  What it has before it was
 * told of this one tells nothing of it. */
static void
do_migrate_limits (StasisRequests *requests, StasisClientId client, const StasisJson *request)
{
  const StasisJobStats *job = current_job (requests);
  const gboolean is_migrating = job != NULL && g_strcmp0 (job->operation, "migrate-out") == 0
                                && g_strcmp0 (job->phase, "roll back") != 0;
  g_autoptr (StasisJson) limits = stasis_steer_take (request);
  const gboolean is_early
      = is_migrating && (job->phase == NULL || g_str_equal (job->phase, "connect"));
  if (!is_migrating || (is_early && stasis_json_object_size (limits) == 0))
    {
      reply_error (requests, client, "state", _ ("it does not migrate"));
      return;
    }
  Steering *steering = g_new (Steering, 1);
  steering->waiting = (Waiting){ requests, client };
  steering->limits = g_steal_pointer (&limits);
  stasis_life_steer (requests->life, steering->limits, on_steered, steering);
}

/* Of jobs without an id: a wish to abort holds where the owner of the journal's job has come back,
 * or the job goes on in another way. */
static gboolean
holds_for (const StasisRequests *requests, StasisClientId client, pid_t pid)
{
  if (requests->owner == client)
    return requests->own.is_aborted;
  const Job *noted = &requests->noted;
  return noted->stats != NULL && noted->stats->owner_pid == pid && noted->is_aborted;
}

/* (transfer full): a reply to job-begin that says that we know of ids. */
static StasisJson *
new_begin_reply (void)
{
  StasisJson *reply = stasis_json_new_object ();
  stasis_json_set_boolean (reply, "id", TRUE);
  return reply;
}

static void
do_job_begin (StasisRequests *requests, StasisClientId client, const StasisJson *request)
{
  const char *operation = stasis_json_string (stasis_json_get (request, "operation"), NULL);
  const char *id = stasis_json_string (stasis_json_get (request, "id"), NULL);
  if (operation == NULL || *operation == '\0' || strlen (operation) > OPERATION_MAX
      || (id != NULL && !stasis_job_id_is_valid (id)))
    {
      reply_error (requests, client, "request", _ ("job-begin needs an operation, and a good id"));
      return;
    }
  if (requests->owner != 0 && requests->owner != client)
    {
      g_autofree char *message
          = g_strdup_printf (_ ("it is busy: %1$s by process %2$d"), requests->own.stats->operation,
                             (int) requests->own.stats->owner_pid);
      reply_error_with (requests, client, new_begin_reply (), "busy", message);
      return;
    }

  const pid_t pid = stasis_control_server_pid (requests->server, client);
  requests->is_background = stasis_json_boolean (stasis_json_get (request, "background"), FALSE);
  set_job (&requests->own, operation, pid, id, holds_for (requests, client, pid));
  requests->owner = client;
  tell_life (requests, FALSE);
  reply_ok (requests, client, new_begin_reply ());
}

static void
forget_job (StasisRequests *requests, gboolean is_seen)
{
  requests->owner = 0;
  requests->is_background = FALSE;
  clear_job (&requests->own);
  tell_life (requests, is_seen);
}

/* TRUE where the client has a job; else it is told that it has none. */
static gboolean
has_job (StasisRequests *requests, StasisClientId client)
{
  if (requests->owner == client)
    return TRUE;
  reply_error (requests, client, "state", _ ("no job was begun on this connection"));
  return FALSE;
}

static void
do_job_stats (StasisRequests *requests, StasisClientId client, const StasisJson *request)
{
  if (!has_job (requests, client))
    return;
  g_autoptr (GError) error = NULL;
  const StasisJson *json = stasis_json_get (request, "stats");
  StasisJobStats *stats = stasis_job_stats_from_json (json, &error);
  if (stats == NULL)
    {
      reply_error (requests, client, "request", error->message);
      return;
    }
  /* What we know better than it. */
  g_free (stats->operation);
  stats->operation = g_strdup (requests->own.stats->operation);
  stats->owner_pid = requests->own.stats->owner_pid;
  stasis_job_stats_free (requests->own.stats);
  requests->own.stats = stats;

  StasisJson *reply = stasis_json_new_object ();
  stasis_json_set_boolean (reply, "abort", is_aborted (requests, &requests->own));
  reply_ok (requests, client, reply);
}

/* What QEMU did in the job was seen as the job's. */
static void
on_job_over (const GError *error, gpointer data)
{
  g_autofree Waiting *waiting = data;
  StasisRequests *requests = waiting->requests;
  if (requests->owner == waiting->client)
    {
      g_free (requests->over);
      requests->over = g_steal_pointer (&requests->own.id);
      forget_job (requests, error == NULL);
    }
  requests->is_behind = error != NULL;
  reply_ok (requests, waiting->client, NULL);
  if (stasis_errands_is_job_left (requests->folder))
    requests->job_lost (requests->data);
}

/* For those who watch; whose it is, and what, we know better. */
static void
note_end (StasisRequests *requests, const StasisJson *request)
{
  g_autoptr (StasisJobStats) stats
      = stasis_job_stats_from_json (stasis_json_get (request, "stats"), NULL);
  /* A save that only waited, and does not become one, has never begun. */
  if (stats == NULL || (requests->is_background && stats->state == STASIS_JOB_ACTIVE))
    return;
  g_free (stats->operation);
  stats->operation = g_strdup (requests->own.stats->operation);
  stats->owner_pid = requests->own.stats->owner_pid;
  stasis_history_add_job (requests->history, stats);
}

/* After one that was undone the guest goes on, or after a checkpoint. */
static void
do_job_end (StasisRequests *requests, StasisClientId client, const StasisJson *request)
{
  if (!has_job (requests, client))
    return;
  note_end (requests, request);
  stasis_life_sync (requests->life, on_job_over, new_waiting (requests, client));
}

static void
do_job_info (StasisRequests *requests, StasisClientId client, const StasisJson *request)
{
  const StasisJobStats *job = current_job (requests);
  StasisJson *reply = stasis_json_new_object ();
  if (job != NULL)
    stasis_json_set (reply, "job", stasis_job_stats_to_json (job));
  reply_ok (requests, client, reply);
}

/* A boot loads nothing that is worth an end of its own, and does not look whether anybody wants
 * one; nor does a guest that is being let run. */
static gboolean
can_abort (const StasisRequests *requests, const Job *job)
{
  return job == &requests->own
         || (!g_str_equal (job->stats->operation, "start")
             && !g_str_equal (job->stats->operation, "resume"));
}

/* What cannot be noted might be told too late, or never. */
static void
do_abort (StasisRequests *requests, StasisClientId client, const StasisJson *request)
{
  Job *job = requests->own.stats != NULL ? &requests->own : &requests->noted;
  /* The journal may be read late. */
  if (job->stats == NULL || (job->id != NULL && g_strcmp0 (job->id, requests->over) == 0))
    {
      reply_error (requests, client, "state", _ ("no job is active"));
      return;
    }
  if (!can_abort (requests, job))
    {
      reply_error (requests, client, "state",
                   _ ("cannot abort the start of a domain; 'destroy' ends it"));
      return;
    }
  g_autoptr (GError) error = NULL;
  const StasisJobFate fate
      = stasis_job_fate_decide (requests->folder, job->id, STASIS_JOB_FATE_ABORT, &error);
  if (fate == STASIS_JOB_FATE_OPEN)
    {
      g_autofree char *message = g_strdup_printf (
          _ ("the job goes on: the wish to abort it cannot be noted: %s"), error->message);
      reply_error (requests, client, "failed", message);
      return;
    }
  if (fate == STASIS_JOB_FATE_COMMIT)
    {
      reply_error (requests, client, "state",
                   _ ("it is too late to abort the job: it is being completed"));
      return;
    }
  job->is_aborted = TRUE;
  stasis_mirror_ways_cut_job (requests->folder, job->id);
  reply_ok (requests, client, NULL);
}

/* By whoever has added it. */
static void
do_device_added (StasisRequests *requests, StasisClientId client, const StasisJson *request)
{
  const char *alias = stasis_json_string (stasis_json_get (request, "alias"), NULL);
  if (alias == NULL || *alias == '\0' || strlen (alias) > ALIAS_MAX)
    {
      reply_error (requests, client, "request", _ ("device-added needs an alias"));
      return;
    }
  stasis_history_add_device (requests->history, alias);
  reply_ok (requests, client, NULL);
}

static void
do_watch (StasisRequests *requests, StasisClientId client, const StasisJson *request)
{
  const gint64 after = stasis_json_int (stasis_json_get (request, "after"), -1);
  const gboolean stays = stasis_json_boolean (stasis_json_get (request, "stay"), FALSE);
  stasis_history_ask (requests->history, client, after, stays);
}

static const struct
{
  const char *name;
  void (*handle) (StasisRequests *requests, StasisClientId client, const StasisJson *request);
} handlers[] = {
  { "state", do_state },
  { "sync", do_sync },
  { "reboot", do_reboot },
  { "job-begin", do_job_begin },
  { "job-end", do_job_end },
  { "job-stats", do_job_stats },
  { "job-info", do_job_info },
  { "abort", do_abort },
  { "migrate-limits", do_migrate_limits },
  { "watch", do_watch },
  { "device-added", do_device_added },
};

static void
on_request (StasisClientId client, const StasisJson *request, gpointer data)
{
  const char *what = stasis_json_string (stasis_json_get (request, "do"), NULL);
  for (gsize i = 0; what != NULL && i < G_N_ELEMENTS (handlers); i++)
    if (g_str_equal (what, handlers[i].name))
      {
        handlers[i].handle (data, client, request);
        return;
      }
  reply_error (data, client, "request", _ ("unknown request"));
}

static void
on_closed (StasisClientId client, gpointer data)
{
  StasisRequests *requests = data;
  stasis_history_forget (requests->history, client);
  if (requests->owner != client)
    return;
  forget_job (requests, FALSE);
  requests->job_lost (requests->data);
}

/* The owner of a job tells of it when it has something to tell. */
static gboolean
is_kept (StasisClientId client, gpointer data)
{
  const StasisRequests *requests = data;
  return requests->owner == client;
}

static void
on_changed (StasisDomainState state, const char *reason, gpointer data)
{
  const StasisRequests *requests = data;
  stasis_history_add_state (requests->history, state, reason);
}

static void
on_heard (StasisJson *event, gpointer data)
{
  const StasisRequests *requests = data;
  stasis_history_add_qemu (requests->history, event);
}

static gboolean
is_waiting (StasisClientId client, gpointer data)
{
  const StasisRequests *requests = data;
  return stasis_history_has (requests->history, client) && requests->owner != client;
}

/* The status file says this now. */
void
stasis_requests_set_status (StasisRequests *requests, const StasisStatus *status)
{
  const StasisJournal *journal = &status->journal;
  Job *noted = &requests->noted;
  /* Nobody's wish is the next job's. */
  const gboolean is_same = noted->stats != NULL && stasis_journal_has_job (journal)
                           && noted->stats->owner_pid == journal->owner.pid
                           && g_strcmp0 (noted->stats->operation, journal->operation) == 0;
  if (stasis_journal_has_job (journal))
    set_job (noted, journal->operation, journal->owner.pid, journal->id,
             is_same && noted->is_aborted);
  else
    clear_job (noted);
  requests->qemu_pid = status->qemu.pid;
  tell_life (requests, FALSE);
}

/* Listen. */
StasisRequests *
stasis_requests_new (const char *folder, StasisLife *life, StasisJobLost job_lost, gpointer data,
                     GError **error)
{
  static const StasisControlServerFuncs funcs = { on_request, on_closed, is_kept, is_waiting };
  StasisRequests *requests = g_new0 (StasisRequests, 1);
  requests->folder = g_strdup (folder);
  requests->life = life;
  requests->job_lost = job_lost;
  requests->data = data;
  requests->history = stasis_history_new ();
  requests->server = stasis_control_server_new (folder, &funcs, requests, error);
  if (requests->server == NULL)
    {
      g_free (requests->history);
      g_free (requests->folder);
      g_free (requests);
      return NULL;
    }
  stasis_history_set_server (requests->history, requests->server);
  stasis_life_set_heard (life, on_heard, requests);
  stasis_life_set_changed (life, on_changed, requests);
  return requests;
}
