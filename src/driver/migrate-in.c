/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-in.c: the destination of a migration
 *
 * Theory of operation
 *
 * A guest that is to come here stands in the driver's table from Prepare until Finish, or until
 * whoever prepared it has gone.  Meanwhile QEMU waits for it with its CPUs stopped, the domain's
 * lock is held, and the journal says MIGRATE_INCOMING: it is the source's (docs/migration.md).
 *
 * Several threads do something for it, one at a time, for which there is @work: Prepare and Finish;
 * one that watches over QEMU in between; and those of the doors, which hand QEMU its connection.
 * Nobody takes a lock of the table while he has @work, but the other way round neither.  What a
 * source asks at a door is answered without: the verdict's file alone decides.
 *
 * Whoever finds that it comes to nothing clears all of it away at once; only the reason stays in
 * the table, for Finish.
 */

#include "config.h"

#include "driver/migrate-in-private.h"

#include <string.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/recover.h"
#include "driver/start.h"
#include "util/fault.h"

#define AGAIN_US     (10 * G_USEC_PER_SEC)
#define AGAIN_NAP_US 20000

StasisMigrateIn *
stasis_migrate_in_ref (StasisMigrateIn *in)
{
  g_atomic_ref_count_inc (&in->refs);
  return in;
}

/* NULL is fine. */
void
stasis_migrate_in_unref (StasisMigrateIn *in)
{
  if (in == NULL || !g_atomic_ref_count_dec (&in->refs))
    return;

  stasis_monitor_close (in->monitor);
  stasis_job_free (in->job);
  stasis_hold_release (in->hold);
  stasis_domain_def_free (in->def);
  stasis_domain_def_free (in->persistent);
  stasis_json_unref (in->cpu);
  stasis_json_unref (in->parameters);
  g_strfreev (in->known);
  g_clear_pointer (&in->volumes, g_ptr_array_unref);
  g_clear_pointer (&in->exports, g_hash_table_unref);
  g_free (in->nbd);
  g_free (in->nbd_path);
  g_clear_error (&in->why);
  g_object_unref (in->cancellable);
  g_mutex_clear (&in->work);
  g_cond_clear (&in->stirred);
  g_free (in->name);
  g_free (in->uuid);
  g_free (in->token);
  g_free (in->secret);
  g_free (in->verdicts);
  g_free (in);
}

StasisMigrateIn *
stasis_migrate_ins_find (StasisMigrateIns *ins, const char *token)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&ins->lock);
  GHashTableIter iter;
  gpointer in;
  g_hash_table_iter_init (&iter, ins->by_name);
  while (g_hash_table_iter_next (&iter, NULL, &in))
    if (g_str_equal (((StasisMigrateIn *) in)->token, token))
      return stasis_migrate_in_ref (in);
  return NULL;
}

static StasisMigrateIn *
find_by_name (StasisMigrateIns *ins, const char *name)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&ins->lock);
  StasisMigrateIn *in = g_hash_table_lookup (ins->by_name, name);
  return in != NULL ? stasis_migrate_in_ref (in) : NULL;
}

/* What stays of a domain that came to nothing would be taken for one that is there. */
static void
forget (const StasisMigrateIn *in, const StasisStatus *status)
{
  if (status == NULL || !status->is_transient)
    return;
  unlink (status->last);
  unlink (status->last_job);
}

/* Nobody can say any more that it has not begun. */
static void
leave_to_recovery (StasisMigrateIn *in)
{
  g_autoptr (GError) error = NULL;
  if (!stasis_recover (in->hold->folder, in->hold->status, in->monitor, &error))
    g_warning ("%s", error->message);
}

static void
end_qemu (StasisMigrateIn *in)
{
  if (in->is_again)
    {
      leave_to_recovery (in);
      return;
    }
  StasisVerdict holds = STASIS_VERDICT_REVOKED;
  g_autoptr (GError) error = NULL;
  const gboolean is_last_hope = in->is_incoming && (in->flags & STASIS_MIGRATE_POSTCOPY) != 0
                                && in->monitor != NULL
                                && stasis_migrate_in_is_last_hope (in->monitor);
  /* Where it cannot be written QEMU is ended all the same: the source's guest is complete, and will
   * not be ended before somebody has said that it has begun here.  That may stand there already
   * where it was tried. */
  const gboolean is_known = !in->is_incoming
                            || stasis_migrate_verdict_decide (in->verdicts, in->token,
                                                              is_last_hope ? STASIS_VERDICT_BEGUN
                                                                           : STASIS_VERDICT_REVOKED,
                                                              in->name, in->uuid, &holds, &error);
  if (!is_known)
    g_warning (_ ("the migration of domain '%1$s' ends, and that cannot be written down: %2$s"),
               in->name, error->message);
  if (holds == STASIS_VERDICT_BEGUN || (!is_known && (in->may_have_begun || is_last_hope)))
    {
      leave_to_recovery (in);
      return;
    }
  g_autoptr (StasisStatus) status = stasis_status_new ();
  status->is_transient = in->hold->status->is_transient;
  status->last = g_strdup (in->hold->status->last);
  status->last_job = g_strdup (in->hold->status->last_job);
  stasis_start_abandon (in->hold);
  forget (in, status);
}

/* TRUE where QEMU here fails for no other reason than that nothing more comes: what the source says
 * tells more than this.  QEMU's words for that are as many as places where it reads; the last one,
 * an invalid argument, may stand for anything. */
static gboolean
is_cut_off (const StasisMigrateIn *in, const GError *why)
{
  static const char *const words[] = { "Input/output error", "Connection reset by peer",
                                       "Unable to read from socket", "section footer failed: -5" };
  const StasisStatus *status = in->hold != NULL ? in->hold->status : NULL;
  if (status == NULL
      || (why->domain != STASIS_MONITOR_ERROR
          && !g_error_matches (why, STASIS_ERROR, STASIS_ERROR_QEMU)))
    return FALSE;
  g_autoptr (GError) said = stasis_monitor_ended (status->log, status->log_start);
  for (guint i = 0; i < G_N_ELEMENTS (words); i++)
    if (strstr (why->message, words[i]) != NULL || strstr (said->message, words[i]) != NULL)
      return TRUE;
  return FALSE;
}

void
stasis_migrate_in_clear_away (StasisMigrateIn *in, const GError *error)
{
  if (in->is_over)
    return;
  in->is_over = TRUE;
  in->why = g_error_copy (error);
  in->is_cut_off = is_cut_off (in, error);
  if (in->job != NULL)
    stasis_job_end (in->job, error);
  if (in->hold != NULL && in->hold->status != NULL)
    end_qemu (in);
  g_clear_pointer (&in->monitor, stasis_monitor_close);
  g_clear_pointer (&in->job, stasis_job_free);
  g_clear_pointer (&in->hold, stasis_hold_release);
}

void
stasis_migrate_in_reopen_doors (StasisDriver *driver)
{
  g_autofree char *verdicts = stasis_migrate_verdicts (driver->paths);
  stasis_migrate_doors_reopen (driver->migrations->doors, verdicts);
}

StasisMigrateIns *
stasis_migrate_ins_new (void)
{
  StasisMigrateIns *ins = g_new0 (StasisMigrateIns, 1);
  /* One of each driver: that which follows it, at a reload, listens before it has gone. */
  ins->tunnel = g_strdup_printf ("tunnel-%08x.sock", g_random_int ());
  g_mutex_init (&ins->lock);
  ins->by_name = g_hash_table_new (g_str_hash, g_str_equal);
  ins->doors = stasis_migrate_doors_join (ins);
  return ins;
}

/* Nobody finds it any more; the thread that watched over it has ended. */
static void
leave (StasisMigrateIns *ins, StasisMigrateIn *in)
{
  g_mutex_lock (&ins->lock);
  const gboolean is_ours = g_hash_table_lookup (ins->by_name, in->name) == in
                           && g_hash_table_remove (ins->by_name, in->name);
  g_mutex_unlock (&ins->lock);
  if (!is_ours)
    return;
  if (in->watch != NULL)
    g_thread_join (g_steal_pointer (&in->watch));
  stasis_migrate_in_unref (in);
  stasis_migrate_doors_look (ins->doors);
}

/* Nobody waits: who is at it may be so for minutes. */
static gboolean
is_over (StasisMigrateIn *in)
{
  if (!g_mutex_trylock (&in->work))
    return FALSE;
  const gboolean is_over = in->is_over;
  g_mutex_unlock (&in->work);
  return is_over;
}

/* With the table's lock.  One of a name at a time; and a verdict is on a token, so that cannot be
 * on two domains. */
static gboolean
check_free (const StasisMigrateIns *ins, const StasisMigrateIn *in, GError **error)
{
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init (&iter, ins->by_name);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      const StasisMigrateIn *other = value;
      if (g_str_equal (other->name, in->name))
        {
          g_set_error (error, STASIS_ERROR, STASIS_ERROR_BUSY,
                       _ ("domain '%s' is busy: a migration of it is coming in"), in->name);
          return FALSE;
        }
      if (g_str_equal (other->token, in->token))
        {
          g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                       _ ("this migration comes in already, as domain '%s'"), other->name);
          return FALSE;
        }
    }
  return TRUE;
}

static void
drop_former (StasisMigrateIns *ins, const char *name)
{
  g_autoptr (StasisMigrateIn) former = find_by_name (ins, name);
  if (former != NULL && is_over (former))
    leave (ins, former); /* nobody has asked what became of it */
}

gboolean
stasis_migrate_ins_check_free (StasisMigrateIns *ins, const StasisMigrateIn *in, GError **error)
{
  drop_former (ins, in->name);
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&ins->lock);
  return check_free (ins, in, error);
}

static gboolean
enter (StasisMigrateIns *ins, StasisMigrateIn *in, GError **error)
{
  drop_former (ins, in->name);
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&ins->lock);
  if (!check_free (ins, in, error))
    return FALSE;
  g_hash_table_insert (ins->by_name, in->name, stasis_migrate_in_ref (in));
  return TRUE;
}

/* Whoever knows the token has seen the connection break at the source.  The Finish that waits here
 * may have no part of it yet (a link that hangs), and leaves once it has. */
static void
tell_former (StasisMigrateIns *ins, const StasisMigrateIn *in)
{
  g_autoptr (StasisMigrateIn) former = find_by_name (ins, in->name);
  if (former != NULL && g_str_equal (former->token, in->token))
    g_atomic_int_set (&former->is_broken, TRUE);
}

/* A postcopy that broke goes on once whoever had it has noticed, and left. */
static gboolean
enter_in_time (StasisMigrateIns *ins, StasisMigrateIn *in, GCancellable *cancellable,
               GError **error)
{
  const gboolean is_again = (in->flags & STASIS_MIGRATE_POSTCOPY_RESUME) != 0;
  const gint64 deadline_us = g_get_monotonic_time () + (is_again ? AGAIN_US : 0);
  if (is_again)
    tell_former (ins, in);
  for (;;)
    {
      g_autoptr (GError) local = NULL;
      if (enter (ins, in, &local))
        return TRUE;
      if (!g_error_matches (local, STASIS_ERROR, STASIS_ERROR_BUSY)
          || g_get_monotonic_time () >= deadline_us || g_cancellable_is_cancelled (cancellable))
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
      g_usleep (AGAIN_NAP_US);
    }
}

static void
abandon (StasisMigrateIns *ins, StasisMigrateIn *in, const char *why)
{
  g_autoptr (GError) error = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED, why);
  g_cancellable_cancel (in->cancellable);
  g_mutex_lock (&in->work);
  stasis_migrate_in_clear_away (in, error);
  g_cond_signal (&in->stirred);
  g_mutex_unlock (&in->work);
  leave (ins, in);
}

static void
on_cancelled (GCancellable *cancellable, gpointer own)
{
  g_cancellable_cancel (own);
}

static gboolean
prepare (StasisMigrateIn *in, StasisMigrateIns *ins, const StasisMigrateRequest *request,
         GBytes **out_cookie, char **out_uri, GError **error)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&in->work);
  g_autoptr (GError) local = NULL;
  if (stasis_migrate_in_start (in, &local)
      && stasis_migrate_in_ready (in, ins, request, out_cookie, out_uri, &local)
      && stasis_fault ("migrate-in-prepared", &local))
    {
      stasis_migrate_in_watch (in);
      return TRUE;
    }
  stasis_migrate_in_clear_away (in, local);
  g_clear_pointer (out_cookie, g_bytes_unref);
  g_clear_pointer (out_uri, g_free);
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

gboolean
stasis_migrate_in_prepare (StasisDriver *driver, StasisMigrateFlags flags,
                           const StasisMigrateRequest *request, const char *xml, GBytes *cookie,
                           GBytes **out_cookie, char **out_uri, GCancellable *cancellable,
                           GError **error)
{
  StasisMigrateIns *ins = driver->migrations;
  *out_cookie = NULL;
  *out_uri = NULL;
  g_autoptr (StasisMigrateIn) in
      = stasis_migrate_in_new (driver, flags, request, xml, cookie, cancellable, error);
  if (in == NULL || !enter_in_time (ins, in, cancellable, error))
    return FALSE;
  const gulong handler
      = cancellable != NULL
            ? g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled), in->cancellable, NULL)
            : 0;
  const gboolean ok = prepare (in, ins, request, out_cookie, out_uri, error);
  g_cancellable_disconnect (cancellable, handler);
  if (!ok)
    leave (ins, in);
  return ok;
}

/* It begins, or comes to nothing. */
static StasisDomain *
finish (StasisMigrateIn *in, StasisMigrateFlags flags, GBytes *cookie, gboolean is_cancelled,
        GBytes **out_cookie, GError **error)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&in->work);
  g_autoptr (GError) local = NULL;
  StasisDomain *domain = NULL;
  in->is_finishing = TRUE;
  g_cond_signal (&in->stirred);
  if (in->is_over && !(is_cancelled && in->is_cut_off))
    local = in->why != NULL
                ? g_error_copy (in->why)
                : g_error_new (STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
                               _ ("the migration of domain '%s' has ended already"), in->name);
  else if (is_cancelled)
    local = g_error_new (G_IO_ERROR, G_IO_ERROR_CANCELLED,
                         _ ("the migration of domain '%s' was cancelled"), in->name);
  else if ((in->flags & STASIS_MIGRATE_OFFLINE) != 0)
    domain = stasis_migrate_in_define (in, out_cookie, &local);
  else
    domain = stasis_migrate_in_begin (in, flags, cookie, out_cookie, &local);
  if (domain != NULL)
    return domain;
  stasis_migrate_in_clear_away (in, local);
  g_propagate_error (error, g_steal_pointer (&local));
  return NULL;
}

/* Who has the word for another migration has come too late for his own: this one goes on. */
static gboolean
check_meant (const StasisMigrateIn *in, GBytes *octets, GError **error)
{
  gsize size = 0;
  const void *data = octets != NULL ? g_bytes_get_data (octets, &size) : NULL;
  g_autoptr (StasisMigrateCookie) cookie
      = size > 0 ? stasis_migrate_cookie_parse (data, size, NULL) : NULL;
  return cookie == NULL || stasis_migrate_cookie_check_token (cookie, in->token, error);
}

StasisDomain *
stasis_migrate_in_finish (StasisDriver *driver, StasisMigrateFlags flags, const char *name,
                          GBytes *cookie, gboolean is_cancelled, GBytes **out_cookie,
                          GError **error)
{
  StasisMigrateIns *ins = driver->migrations;
  *out_cookie = NULL;
  g_autoptr (StasisMigrateIn) in = find_by_name (ins, name);
  if (in == NULL)
    {
      if (is_cancelled)
        g_set_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED,
                     _ ("no migration of domain '%s' is coming in any more"), name);
      else
        g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
                     _ ("no migration of domain '%s' is coming in"), name);
      return NULL;
    }
  if (!check_meant (in, cookie, error))
    return NULL;
  StasisDomain *domain = finish (in, flags, cookie, is_cancelled, out_cookie, error);
  leave (ins, in);
  return domain;
}

void
stasis_migrate_in_abandon (StasisDriver *driver, const char *name, const char *token)
{
  StasisMigrateIns *ins = driver->migrations;
  g_autoptr (StasisMigrateIn) in = find_by_name (ins, name);
  if (in != NULL && (token == NULL || g_str_equal (in->token, token)))
    abandon (ins, in, _ ("whoever prepared the migration has gone"));
}

static StasisMigrateIn *
find_any (StasisMigrateIns *ins)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&ins->lock);
  GHashTableIter iter;
  gpointer in;
  g_hash_table_iter_init (&iter, ins->by_name);
  return g_hash_table_iter_next (&iter, NULL, &in) ? stasis_migrate_in_ref (in) : NULL;
}

static void
abandon_all (StasisMigrateIns *ins)
{
  for (;;)
    {
      g_autoptr (StasisMigrateIn) in = find_any (ins);
      if (in == NULL)
        return;
      abandon (ins, in, _ ("the destination's driver ends"));
    }
}

void
stasis_migrate_in_abandon_all (StasisDriver *driver)
{
  abandon_all (driver->migrations);
}

void
stasis_migrate_ins_free (StasisMigrateIns *ins)
{
  abandon_all (ins);
  stasis_migrate_doors_leave (ins->doors, ins);
  g_hash_table_unref (ins->by_name);
  g_free (ins->tunnel);
  g_mutex_clear (&ins->lock);
  g_free (ins);
}
