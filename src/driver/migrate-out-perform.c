/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-out-perform.c: sending a guest to another host
 *
 * Theory of operation
 *
 * QEMU is told how; the destination is connected to; the journal gets the places where it can be
 * asked; QEMU sends memory as long as the guest runs, and pauses it once little is left.  There it
 * waits for us (pause-before-switchover): until now all can be undone, and an abort is in time.
 * The journal says HANDED, on disk, before QEMU may send the rest, the devices.  From then on the
 * guest is not let run here unless its destination has revoked: undoing it asks that.
 *
 * Perform's cookie, which says that QEMU has completed, is what lets the destination begin.  It is
 * made at the very end: what fails before that cannot have begun over there, whether it answers or
 * not, and goes on here.
 */

#include "config.h"

#include <sys/socket.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/job-stats-json.h"
#include "driver/migrate-channel.h"
#include "driver/migrate-note.h"
#include "driver/migrate-out-private.h"
#include "driver/migrate-settle.h"
#include "driver/migrate-tls.h"
#include "driver/migrate-tunnel.h"
#include "driver/migration-end.h"
#include "monitor/commands-fd.h"
#include "monitor/commands-migrate.h"
#include "monitor/commands-run.h"
#include "util/fault.h"
#include "util/fd.h"

#define CONNECT_MS  30000
#define STOP_MS     600000
#define WAIT_MS_MAX (G_GUINT64_CONSTANT (365) * 24 * 3600 * 1000)

/* All that Prepare has said, and what follows of it. */
typedef struct
{
  StasisMigrateCookie *cookie; /* (owned) */
  StasisMigratePlan *plan;     /* (owned) */
  GStrv places;                /* (owned): where to send to, the best one first */
  GStrv doors;                 /* (owned) */
  int fd;                      /* (owned) connected, QEMU has another one of it; or -1: QEMU
                                * connects by itself */
  const char *uri;             /* (nullable) where it does */
} Way;

static void
way_clear (Way *way)
{
  stasis_migrate_cookie_free (way->cookie);
  stasis_migrate_plan_free (way->plan);
  g_strfreev (way->places);
  g_strfreev (way->doors);
  stasis_fd_clear (&way->fd);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Way, way_clear)

static gboolean
throw_cookie (const char *what, GError **error)
{
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
               _ ("the destination's cookie does not say %s"), what);
  return FALSE;
}

static gboolean
read_cookie (const StasisMigrateOut *out, GBytes *octets, Way *way, GError **error)
{
  gsize size = 0;
  gconstpointer data = octets != NULL ? g_bytes_get_data (octets, &size) : NULL;
  if (data == NULL)
    return throw_cookie (_ ("anything"), error);
  way->cookie = stasis_migrate_cookie_parse (data, size, error);
  if (way->cookie == NULL || !stasis_migrate_cookie_check_token (way->cookie, out->token, error))
    return FALSE;
  return way->cookie->prepare != NULL || throw_cookie (_ ("how to send"), error);
}

static gboolean
is_same_place (const StasisMigrateAddress *one, const char *text)
{
  g_autoptr (StasisMigrateAddress) other = stasis_migrate_address_parse (text, NULL);
  if (other == NULL || one->path != NULL)
    return other != NULL && g_strcmp0 (one->path, other->path) == 0;
  return other->path == NULL && g_ascii_strcasecmp (one->host, other->host) == 0;
}

/* What a client says is to be where the destination has said that it is: who gets the guest is who
 * is asked. */
static gboolean
check_uri (const StasisMigratePrepare *prepare, const char *uri, GError **error)
{
  g_autoptr (StasisMigrateAddress) address = stasis_migrate_address_parse (uri, error);
  if (address == NULL)
    return FALSE;
  gboolean is_there = prepare->door != NULL && is_same_place (address, prepare->door);
  for (guint i = 0; !is_there && prepare->addresses != NULL && prepare->addresses[i] != NULL; i++)
    is_there = is_same_place (address, prepare->addresses[i]);
  if (is_there)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
               _ ("the guest would be sent to '%1$s', and the destination says that it is '%2$s'"),
               uri, prepare->door != NULL ? prepare->door : "");
  return FALSE;
}

/* Both at one socket there. */
static gboolean
find_tunnel (const StasisMigrateOut *out, Way *way, GError **error)
{
  const StasisMigratePrepare *prepare = way->cookie->prepare;
  if (prepare->door == NULL)
    return throw_cookie (_ ("where a tunnel leads to"), error);
  char *through = stasis_migrate_tunnel_through (out->peer, prepare->door, error);
  if (through == NULL)
    return FALSE;
  way->places = g_new0 (char *, 2);
  way->places[0] = through;
  way->doors = g_strdupv (way->places);
  return TRUE;
}

/* Where to send to, and where the destination is asked. */
static gboolean
find_places (const StasisMigrateOut *out, const StasisMigrateRequest *request, Way *way,
             GError **error)
{
  const StasisMigratePrepare *prepare = way->cookie->prepare;
  if ((out->flags & STASIS_MIGRATE_TUNNELLED) != 0)
    return find_tunnel (out, way, error);
  if (request != NULL && request->uri != NULL)
    {
      if (!check_uri (prepare, request->uri, error))
        return FALSE;
      const char *const one[] = { request->uri, NULL };
      way->places = g_strdupv ((char **) one);
    }
  else if (prepare->addresses != NULL)
    way->places = g_strdupv (prepare->addresses);
  if (way->places == NULL || way->places[0] == NULL)
    return throw_cookie (_ ("where to send to"), error);

  g_autoptr (GStrvBuilder) doors = g_strv_builder_new ();
  if (prepare->door != NULL)
    g_strv_builder_add (doors, prepare->door);
  way->doors = g_strv_builder_end (doors);
  if (way->doors[0] == NULL)
    return throw_cookie (_ ("where it can be asked"), error);
  return prepare->secret != NULL || throw_cookie (_ ("by what its answers are proved"), error);
}

/* Whatever becomes of it: the destination is told when nobody asks any more. */
static void
note_asked (StasisMigrateOut *out, const Way *way)
{
  stasis_migrate_journal_free (out->asked);
  out->asked = stasis_migrate_journal_new (out->token);
  g_strfreev (out->asked->doors);
  out->asked->doors = g_strdupv (way->doors);
  out->asked->secret = g_strdup (way->cookie->prepare->secret);
}

static gboolean
choose_plan (StasisMigrateOut *out, const StasisMigrateRequest *request, Way *way, GError **error)
{
  g_autofree char *emulator = g_strdup_printf ("'%s'", out->hold->status->emulator);
  way->plan = stasis_migrate_out_plan (out, request, stasis_job_cancellable (out->job), error);
  if (way->plan == NULL)
    return FALSE;
  stasis_migrate_plan_restrict (way->plan,
                                (const char *const *) way->cookie->prepare->capabilities);
  return stasis_migrate_plan_check (way->plan, emulator, error);
}

/* QEMU encrypts it. */
static gboolean
take_certificates (const StasisMigrateOut *out, const Way *way, GError **error)
{
  if ((out->flags & STASIS_MIGRATE_TLS) == 0)
    return TRUE;
  return stasis_migrate_tls_name (way->plan->parameters, way->places[0], error)
         && stasis_migrate_tls_begin (out->monitor, out->hold, out->driver->host,
                                      /* is_server= */ FALSE, way->plan->parameters,
                                      stasis_job_cancellable (out->job), error);
}

static gboolean
configure (const StasisMigrateOut *out, const Way *way, GError **error)
{
  GCancellable *cancellable = stasis_job_cancellable (out->job);
  const GPtrArray *names = way->plan->capabilities;
  g_autofree StasisMigrationCapability *on = g_new (StasisMigrationCapability, names->len);
  for (guint i = 0; i < names->len; i++)
    on[i] = (StasisMigrationCapability){ g_ptr_array_index (names, i), TRUE };
  /* One that was left on by people would have QEMU send something else. */
  return stasis_migration_reset (out->monitor, NULL, error) && take_certificates (out, way, error)
         && stasis_monitor_migrate_set_capabilities (out->monitor, on, names->len, cancellable,
                                                     error)
         && stasis_monitor_migrate_set_parameters (
             out->monitor, stasis_json_ref (way->plan->parameters), cancellable, error)
         && stasis_fault ("migrate-out-configured", error);
}

static gboolean
connect_to (const StasisMigrateOut *out, const char *place, Way *way, GError **error)
{
  const gboolean is_tunnelled = (out->flags & STASIS_MIGRATE_TUNNELLED) != 0;
  g_autoptr (StasisMigrateAddress) address = is_tunnelled
                                                 ? stasis_migrate_address_parse_own (place, error)
                                                 : stasis_migrate_address_parse (place, error);
  if (address == NULL)
    return FALSE;
  way->fd = stasis_migrate_connect (address, out->token, STASIS_CHANNEL_DATA, CONNECT_MS,
                                    stasis_job_cancellable (out->job), error);
  return way->fd >= 0;
}

/* To the first that answers. */
static gboolean
connect_data (const StasisMigrateOut *out, Way *way, GError **error)
{
  g_autoptr (GError) first = NULL;
  if (way->plan != NULL && stasis_migrate_plan_has (way->plan, "multifd"))
    {
      way->uri = way->places[0]; /* it has several connections */
      return TRUE;
    }
  for (guint i = 0; way->places[i] != NULL; i++)
    {
      g_autoptr (GError) local = NULL;
      if (connect_to (out, way->places[i], way, &local))
        return stasis_fault ("migrate-out-connected", error);
      if ((out->flags & STASIS_MIGRATE_TUNNELLED) == 0)
        g_prefix_error (&local, "'%s': ", way->places[i]);
      if (first == NULL)
        first = g_steal_pointer (&local);
      if (g_cancellable_is_cancelled (stasis_job_cancellable (out->job)))
        break;
    }
  g_propagate_error (error, g_steal_pointer (&first));
  return FALSE;
}

/* Where the destination can be asked, before it may get anything. */
static gboolean
write_journal (const StasisMigrateOut *out, Way *way, GError **error)
{
  StasisMigrateJournal *journal = out->hold->status->journal.migration;
  g_strfreev (journal->doors);
  journal->doors = g_strdupv (way->doors);
  g_free (journal->secret);
  journal->secret = g_strdup (way->cookie->prepare->secret);
  g_free (journal->peer);
  journal->peer = g_strdup (out->peer);
  return stasis_hold_write (out->hold, error) && stasis_fault ("migrate-out-journal", error);
}

/* The same for who finds the host down; while the guest still runs, for it is synced. */
static gboolean
write_note (const StasisMigrateOut *out, const Way *way, GError **error)
{
  g_autoptr (StasisMigrateJournal) note
      = stasis_migrate_journal_copy (out->hold->status->journal.migration);
  g_strfreev (note->doors);
  note->doors = g_strdupv (way->doors);
  g_free (note->secret);
  note->secret = g_strdup (way->cookie->prepare->secret);
  g_free (note->peer);
  note->peer = g_strdup (out->peer);
  return stasis_migrate_note_write (note->note, note, out->name, error);
}

/* QEMU's own spelling. */
static char *
qemu_uri (const char *place, GError **error)
{
  g_autoptr (StasisMigrateAddress) address = stasis_migrate_address_parse (place, error);
  if (address == NULL)
    return NULL;
  return address->path != NULL ? g_strconcat ("unix:", address->path, NULL)
                               : stasis_migrate_address_to_string (address);
}

static gboolean
begin_sending (const StasisMigrateOut *out, Way *way, GError **error)
{
  GCancellable *cancellable = stasis_job_cancellable (out->job);
  if (way->uri != NULL)
    {
      g_autofree char *uri = qemu_uri (way->uri, error);
      return uri != NULL && stasis_monitor_migrate (out->monitor, uri, cancellable, error);
    }
  return stasis_monitor_getfd (out->monitor, STASIS_MIGRATE_FD_NAME, way->fd, cancellable, error)
         && stasis_monitor_migrate (out->monitor, "fd:" STASIS_MIGRATE_FD_NAME, cancellable, error);
}

/* One that is not to run meanwhile.  A QEMU that has sent its state away before wants to be let go
 * once before it can do so again. */
static gboolean
pause_guest (StasisMigrateOut *out, GError **error)
{
  if (out->is_postmigrate
      && (!stasis_monitor_cont (out->monitor, NULL, error)
          || !stasis_monitor_stop (out->monitor, NULL, error)))
    return FALSE;
  if (!out->was_running || (out->flags & STASIS_MIGRATE_LIVE) != 0)
    return TRUE;
  out->stopped_us = g_get_real_time ();
  /* QEMU waits for the copies of its disks, too. */
  const gint64 limit_ms
      = out->mirrors != NULL ? (gint64) out->driver->host->migrate_stall * 1000 : STOP_MS;
  return stasis_monitor_stop_within (out->monitor, limit_ms, stasis_job_cancellable (out->job),
                                     error)
         && stasis_fault ("migrate-out-paused", error);
}

/* Until QEMU has paused it, and waits. */
static gboolean
send_memory (StasisMigrateOut *out, Way *way, GError **error)
{
  stasis_job_set_phase (out->job, "copy");
  return write_note (out, way, error) && pause_guest (out, error) && write_journal (out, way, error)
         && begin_sending (out, way, error) && stasis_fault ("migrate-out-sending", error)
         && stasis_migrate_out_wait (out, STASIS_MIGRATION_PRE_SWITCHOVER,
                                     stasis_job_cancellable (out->job), error);
}

/* A QEMU that writes to somebody who does not read answers nobody, not even who would have it
 * cancel: its descriptor is one with ours. */
static void
cut_off (const StasisMigrateOut *out, const Way *way, const GError *why)
{
  if (way->fd >= 0 && !out->hold->status->journal.migration->is_postcopy
      && (g_error_matches (why, G_IO_ERROR, G_IO_ERROR_TIMED_OUT)
          || g_error_matches (why, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_TIMEOUT)))
    shutdown (way->fd, SHUT_RDWR);
}

/* Precopy may come to its end before the switch was asked for, and with it. */
static StasisMigrationStatus
last_status (const StasisMigrateOut *out)
{
  return (out->flags & STASIS_MIGRATE_POSTCOPY) != 0 ? STASIS_MIGRATION_POSTCOPY_ACTIVE
                                                     : STASIS_MIGRATION_COMPLETED;
}

static gboolean
await_last (StasisMigrateOut *out, const Way *way, GError **error)
{
  g_autoptr (GError) local = NULL;
  if (stasis_migrate_out_wait (out, last_status (out), NULL, &local))
    return TRUE;
  cut_off (out, way, local);
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/* For whoever recovers from our death; QEMU says the same as long as it lives. */
static gboolean
note_postcopy (const StasisMigrateOut *out)
{
  g_autoptr (GError) local = NULL;
  if (!out->is_postcopy)
    return TRUE;
  out->hold->status->journal.migration->is_postcopy = TRUE;
  if (!stasis_hold_write (out->hold, &local))
    g_message ("%s", local->message);
  return TRUE;
}

/* From here on the destination may have all of it. */
static gboolean
hand_over (StasisMigrateOut *out, const Way *way, GError **error)
{
  stasis_job_set_phase (out->job, "switch over");
  if (!stasis_fault ("migrate-out-waiting", error) || !stasis_migrate_out_check_guest (out, error)
      || !stasis_migrate_out_finish_disks (out, error) || !stasis_job_commit (out->job, error))
    return FALSE;
  out->hold->status->journal.step = STASIS_STEP_MIGRATE_HANDED;
  if (!stasis_hold_write (out->hold, error))
    {
      out->hold->status->journal.step = STASIS_STEP_MIGRATE_SENDING; /* nothing was sent */
      return FALSE;
    }
  return stasis_fault ("migrate-out-handed", error)
         && stasis_monitor_migrate_continue (out->monitor, STASIS_MIGRATION_PRE_SWITCHOVER, NULL,
                                             error)
         && stasis_fault ("migrate-out-continued", error) && await_last (out, way, error)
         && note_postcopy (out) && stasis_fault ("migrate-out-completed", error);
}

/* QEMU goes on with a postcopy by another connection. */
static gboolean
resume (const StasisMigrateOut *out, Way *way, GError **error)
{
  const StasisMigrationRoute route = { .uri = "fd:" STASIS_MIGRATE_FD_NAME };
  GCancellable *cancellable = stasis_job_cancellable (out->job);
  if (!stasis_monitor_getfd (out->monitor, STASIS_MIGRATE_FD_NAME, way->fd, cancellable, error))
    return FALSE;
  stasis_fd_clear (&way->fd);
  return stasis_monitor_migrate_by (out->monitor, &route, /* is_resume= */ TRUE, cancellable,
                                    error);
}

/* It is sent by QEMU while the destination's Finish waits for all of it. */
static gboolean
send_rest (StasisMigrateOut *out, const StasisMigrateRequest *request, Way *way, GError **error)
{
  stasis_job_set_phase (out->job, "connect");
  /* With QEMU 7.2 a connection that ended before anything came by it could be the last one. */
  if (!write_note (out, way, error) || !write_journal (out, way, error)
      || !stasis_migrate_out_tell_speed_again (out, request, error)
      || !connect_data (out, way, error) || !resume (out, way, error)
      || !stasis_fault ("migrate-out-resumed", error)
      || !stasis_migrate_out_wait (out, STASIS_MIGRATION_POSTCOPY_ACTIVE,
                                   stasis_job_cancellable (out->job), error))
    return FALSE;
  g_autoptr (StasisMigrationInfo) info = stasis_monitor_query_migrate (out->monitor, NULL, error);
  if (info == NULL || info->status != STASIS_MIGRATION_POSTCOPY_PAUSED)
    return info != NULL;
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_QEMU,
                       _ ("the connection of the postcopy broke again"));
  return FALSE;
}

static gboolean
send_new (StasisMigrateOut *out, const StasisMigrateRequest *request, Way *way, GError **error)
{
  return choose_plan (out, request, way, error) && configure (out, way, error)
         && stasis_migrate_out_copy_disks (out, way->cookie->prepare, request, error)
         && connect_data (out, way, error) && send_memory (out, way, error)
         && hand_over (out, way, error);
}

static GBytes *
make_final (const StasisMigrateOut *out, GError **error)
{
  g_autoptr (StasisMigrateCookie) cookie = stasis_migrate_cookie_new (out->token);
  StasisMigrateFinal *final = stasis_migrate_cookie_add_final (cookie);
  final->source_run_us = out->stopped_us;
  final->source_end_us = g_get_real_time ();
  final->stats = stasis_job_stats_to_json (stasis_job_stats (out->job));
  return stasis_migrate_cookie_format (cookie, NULL, error);
}

static void
on_progress (const StasisJobStats *stats, gpointer data)
{
  const StasisMigrateOut *out = data;
  if (out->progress != NULL)
    out->progress (stats, out->progress_data);
}

/* It counts as a job from here on. */
static gboolean
open_job (StasisMigrateOut *out, const StasisMigrateRequest *request, GError **error)
{
  g_autofree char *last = stasis_paths_last_job (out->driver->paths, out->name);
  out->job = stasis_job_new ("migrate-out", on_progress, out, out->stop);
  stasis_job_begin (out->job, last);
  stasis_job_set_id (out->job, out->hold->status->journal.id);
  stasis_job_attach (out->job, out->hold->folder);
  stasis_job_set_phase (out->job, "connect");
  out->postcopy_passes = request != NULL ? request->postcopy_passes : 0;
  out->postcopy_at_us = request != NULL && request->postcopy_after_ms != 0
                            ? g_get_monotonic_time ()
                                  + (gint64) MIN (request->postcopy_after_ms, WAIT_MS_MAX) * 1000
                            : 0;
  return stasis_job_check (out->job, error); /* who wanted it to end before it was told of */
}

static gboolean
send_all (StasisMigrateOut *out, const StasisMigrateRequest *request, GBytes *octets,
          GBytes **out_cookie, GError **error)
{
  g_auto (Way) way = { .fd = -1 };
  if (!read_cookie (out, octets, &way, error) || !find_places (out, request, &way, error))
    return FALSE;
  note_asked (out, &way);
  const gboolean is_again = (out->flags & STASIS_MIGRATE_POSTCOPY_RESUME) != 0;
  if (!open_job (out, request, error)
      || !(is_again ? send_rest (out, request, &way, error) : send_new (out, request, &way, error)))
    return FALSE;
  g_autoptr (GBytes) cookie = make_final (out, error);
  if (cookie == NULL)
    return FALSE;
  *out_cookie = g_steal_pointer (&cookie);
  out->phase = STASIS_OUT_SENT;
  stasis_job_set_phase (out->job, out->is_postcopy ? "postcopy" : "wait for the destination");
  return TRUE;
}

/* There is no cookie, and there will be none: for whoever undoes it. */
static void
note_kept (const StasisMigrateOut *out)
{
  StasisJournal *journal = &out->hold->status->journal;
  g_autoptr (GError) local = NULL;
  if (journal->step != STASIS_STEP_MIGRATE_HANDED || journal->migration->is_postcopy)
    return;
  journal->migration->is_kept = TRUE;
  if (!stasis_hold_write (out->hold, &local))
    g_message ("%s", local->message);
}

gboolean
stasis_migrate_out_send (StasisMigrateOut *out, const StasisMigrateRequest *request, GBytes *cookie,
                         GBytes **out_cookie, GError **error)
{
  g_autoptr (GError) why = NULL;
  g_autoptr (GError) local = NULL;
  gboolean is_here = FALSE;
  if (send_all (out, request, cookie, out_cookie, &why))
    return TRUE;
  note_kept (out);
  if (!stasis_migrate_out_undo (out, why, &is_here, &local))
    g_set_error (error, local->domain, local->code, "%1$s; %2$s", why->message, local->message);
  else
    g_propagate_error (error, g_steal_pointer (&why));
  return FALSE;
}
