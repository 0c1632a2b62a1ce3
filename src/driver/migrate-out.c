/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-out.c: the source of a migration
 *
 * Theory of operation
 *
 * Begin, Perform and Confirm are calls of their own, which come from a client one after the other,
 * or never, on whatever thread.  What lies between them is kept here: a table by the domain's name,
 * with its domain's lock, QEMU's monitor and the job.  A step is at its entry alone (is_busy); who
 * abandons it meanwhile only says so, and the step's own thread gives it up when it returns.
 *
 * The journal says what of it is to be undone by whoever finds it (migrate-settle.c), and an entry
 * that is given up is undone in just that way.  It is written by Begin already: others are told at
 * once that the domain is busy.
 */

#include "config.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/migrate-out-private.h"
#include "driver/migrate-settle.h"
#include "driver/migrate-token.h"
#include "driver/registry.h"
#include "util/fault.h"

#define ABANDON_US (10 * G_USEC_PER_SEC) /* for steps of other threads */

struct _StasisMigrateOuts
{
  GMutex lock;
  GCond left;        /* one has gone */
  GHashTable *table; /* (guarded by lock) name -> StasisMigrateOut */
};

StasisMigrateOuts *
stasis_migrate_outs_new (void)
{
  StasisMigrateOuts *self = g_new0 (StasisMigrateOuts, 1);
  g_mutex_init (&self->lock);
  g_cond_init (&self->left);
  self->table = g_hash_table_new (g_str_hash, g_str_equal);
  return self;
}

/* Nothing goes on any more. */
void
stasis_migrate_outs_free (StasisMigrateOuts *self)
{
  if (g_hash_table_size (self->table) > 0)
    g_warning ("a migration goes on whose driver is freed");
  g_hash_table_unref (self->table);
  g_cond_clear (&self->left);
  g_mutex_clear (&self->lock);
  g_free (self);
}

static void
out_free (StasisMigrateOut *out)
{
  stasis_job_free (out->job);
  stasis_monitor_close (out->monitor);
  stasis_domain_def_free (out->def);
  stasis_hold_release (out->hold);
  g_object_unref (out->stop);
  stasis_migrate_journal_free (out->asked);
  g_free (out->token);
  g_free (out->peer);
  g_strfreev (out->copied);
  stasis_migrate_mirrors_free (out->mirrors);
  g_free (out->name);
  g_free (out);
}

/* An entry that is ours. */
static StasisMigrateOut *
enter (StasisDomain *domain, StasisMigrateFlags flags, GError **error)
{
  StasisDriver *driver = stasis_domain_get_driver (domain);
  StasisMigrateOuts *outs = driver->migrate_outs;
  const char *name = stasis_domain_get_name (domain);
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&outs->lock);
  if (g_hash_table_contains (outs->table, name))
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_BUSY, _ ("domain '%s' is being migrated"),
                   name);
      return NULL;
    }
  g_autofree char *token = stasis_migrate_token_new (error);
  if (token == NULL)
    return NULL;
  StasisMigrateOut *out = g_new0 (StasisMigrateOut, 1);
  out->token = g_steal_pointer (&token);
  out->driver = driver;
  out->name = g_strdup (name);
  out->stop = g_cancellable_new ();
  out->flags = flags;
  out->is_busy = TRUE;
  g_hash_table_insert (outs->table, out->name, out);
  return out;
}

void
stasis_migrate_out_set_token (StasisMigrateOut *out, const char *token)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&out->driver->migrate_outs->lock);
  g_free (out->token);
  out->token = g_strdup (token);
}

/* It is over. */
static void
drop (StasisMigrateOut *out)
{
  StasisMigrateOuts *outs = out->driver->migrate_outs;
  g_autoptr (StasisMigrateJournal) asked = out->is_settled ? g_steal_pointer (&out->asked) : NULL;
  g_mutex_lock (&outs->lock);
  g_hash_table_remove (outs->table, out->name);
  g_cond_broadcast (&outs->left);
  g_mutex_unlock (&outs->lock);
  out_free (out);
  if (asked != NULL)
    stasis_migrate_settle_take_leave (asked);
}

/* What was begun and is not to go on. */
static void
give_up (StasisMigrateOut *out)
{
  g_autoptr (GError) error = NULL;
  gboolean is_here = FALSE;
  if (!stasis_migrate_out_undo (out, NULL, &is_here, &error))
    g_warning (_ ("the migration of domain '%1$s' was given up: %2$s"), out->name, error->message);
  drop (out);
}

/* The step has been done; there is another one to come. */
static void
leave (StasisMigrateOut *out)
{
  StasisMigrateOuts *outs = out->driver->migrate_outs;
  g_mutex_lock (&outs->lock);
  const gboolean is_abandoned = out->is_abandoned;
  out->is_busy = is_abandoned;
  g_mutex_unlock (&outs->lock);
  if (is_abandoned)
    give_up (out);
}

/* (nullable) for this thread alone; NULL without an error where there is none. */
static StasisMigrateOut *
find (StasisDomain *domain, GError **error)
{
  StasisMigrateOuts *outs = stasis_domain_get_driver (domain)->migrate_outs;
  const char *name = stasis_domain_get_name (domain);
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&outs->lock);
  StasisMigrateOut *out = g_hash_table_lookup (outs->table, name);
  if (out == NULL)
    return NULL;
  if (out->is_busy)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_BUSY,
                   _ ("another step of the migration of domain '%s' goes on"), name);
      return NULL;
    }
  out->is_busy = TRUE;
  return out;
}

static gboolean
throw_none (StasisDomain *domain, GError **error)
{
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
               _ ("no migration of domain '%s' was begun"), stasis_domain_get_name (domain));
  return FALSE;
}

gboolean
stasis_migrate_out_begin (StasisDomain *domain, StasisMigrateFlags flags,
                          const StasisMigrateRequest *request, char **out_xml, GBytes **out_cookie,
                          GCancellable *cancellable, GError **error)
{
  if (!stasis_migrate_params_check (flags, request, error))
    return FALSE;
  StasisMigrateOut *out = enter (domain, flags, error);
  if (out == NULL)
    return FALSE;
  if (stasis_migrate_out_describe (out, domain, request, out_xml, out_cookie, cancellable, error))
    {
      leave (out);
      return TRUE;
    }
  drop (out);
  return FALSE;
}

/* Nothing was sent yet. */
static gboolean
check_phase (const StasisMigrateOut *out, GError **error)
{
  if (out->phase == STASIS_OUT_BEGUN && !stasis_migrate_out_is_offline (out))
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
               _ ("there is nothing to send of domain '%s'"), out->name);
  return FALSE;
}

static void
on_cancelled (GCancellable *cancellable, gpointer stop)
{
  g_cancellable_cancel (stop);
}

gboolean
stasis_migrate_out_perform (StasisDomain *domain, StasisMigrateFlags flags,
                            const StasisMigrateRequest *request, GBytes *cookie,
                            GBytes **out_cookie, StasisProgressFunc progress, gpointer user_data,
                            GCancellable *cancellable, GError **error)
{
  g_autoptr (GError) local = NULL;
  StasisMigrateOut *out = find (domain, &local);
  if (out == NULL && local == NULL)
    throw_none (domain, &local);
  if (out == NULL)
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  const gulong handler = cancellable != NULL
                             ? g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled),
                                                      g_object_ref (out->stop), g_object_unref)
                             : 0;
  out->progress = progress;
  out->progress_data = user_data;
  const gboolean is_due = check_phase (out, error);
  const gboolean ok = is_due && stasis_migrate_out_send (out, request, cookie, out_cookie, error);
  out->progress = NULL;
  if (handler != 0)
    g_cancellable_disconnect (cancellable, handler);
  if (ok || !is_due)
    leave (out);
  else
    drop (out);
  return ok;
}

/* The guest runs at the destination, or is its own; a definition that cannot be removed is no
 * reason to say otherwise. */
static void
undefine (StasisDomain *domain)
{
  g_autoptr (GError) error = NULL;
  /* It may have gone with the copy. */
  if (!stasis_registry_has (stasis_domain_get_driver (domain), stasis_domain_get_name (domain)))
    return;
  if (!stasis_domain_undefine (domain, STASIS_UNDEFINE_KEEP_NVRAM, &error)
      && !g_error_matches (error, STASIS_ERROR, STASIS_ERROR_NO_DOMAIN))
    g_warning (_ ("domain '%1$s' has migrated, but its definition is left: %2$s"),
               stasis_domain_get_name (domain), error->message);
}

/* (transfer full) (nullable): of this migration; what is none is said in the log only, for the
 * destination can be asked. */
static StasisMigrateCookie *
read_final (const StasisMigrateOut *out, GBytes *octets)
{
  g_autoptr (GError) error = NULL;
  if (octets == NULL)
    return NULL;
  gsize size = 0;
  gconstpointer data = g_bytes_get_data (octets, &size);
  g_autoptr (StasisMigrateCookie) cookie = stasis_migrate_cookie_parse (data, size, &error);
  if (cookie != NULL && stasis_migrate_cookie_check_token (cookie, out->token, &error))
    return g_steal_pointer (&cookie);
  g_message ("%s", error->message);
  return NULL;
}

static gboolean
throw_not_gone (const StasisMigrateOut *out, GError **error)
{
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_FAILED,
               _ ("domain '%s' did not migrate: its destination has revoked it, and the guest goes "
                  "on here"),
               out->name);
  return FALSE;
}

/* @out_has_gone: the guest is the destination's, and its definition here of no more use */
static gboolean
conclude (StasisMigrateOut *out, GBytes *octets, gboolean is_cancelled, gboolean *out_has_gone,
          GError **error)
{
  gboolean is_here = FALSE;
  *out_has_gone = FALSE;
  if (stasis_migrate_out_is_offline (out))
    {
      *out_has_gone = !is_cancelled;
      return TRUE;
    }
  g_autoptr (StasisMigrateCookie) cookie = read_final (out, octets);
  if (out->phase == STASIS_OUT_SENT && cookie != NULL && cookie->final != NULL
      && cookie->final->has_begun)
    {
      *out_has_gone = TRUE;
      return stasis_migrate_out_end_copy (out, cookie->final, error);
    }
  if (!stasis_fault ("migrate-out-ask", error)
      || !stasis_migrate_out_undo (out, NULL, &is_here, error))
    return FALSE;
  *out_has_gone = !is_here && stasis_migrate_out_has_begun_there (out);
  return is_cancelled || !is_here || throw_not_gone (out, error);
}

gboolean
stasis_migrate_out_confirm (StasisDomain *domain, StasisMigrateFlags flags, GBytes *cookie,
                            gboolean is_cancelled, GError **error)
{
  g_autoptr (GError) local = NULL;
  StasisMigrateOut *out = find (domain, &local);
  if (out == NULL && local == NULL && is_cancelled)
    return TRUE; /* Perform has undone it by itself */
  if (out == NULL && local == NULL)
    throw_none (domain, &local);
  if (out == NULL)
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  gboolean has_gone = FALSE;
  const gboolean ok = conclude (out, cookie, is_cancelled, &has_gone, error);
  const gboolean is_undefined
      = ok && has_gone && ((out->flags | flags) & STASIS_MIGRATE_UNDEFINE_SOURCE) != 0;
  drop (out);
  if (is_undefined)
    undefine (domain);
  return ok;
}

void
stasis_migrate_out_set_peer (StasisDomain *domain, const char *uri)
{
  StasisMigrateOut *out = find (domain, NULL);
  if (out == NULL)
    return;
  g_free (out->peer);
  out->peer = g_strdup (uri);
  leave (out);
}

/* With the table's lock.  TRUE where it is for the caller to give up. */
static gboolean
abandon (StasisMigrateOut *out)
{
  g_cancellable_cancel (out->stop);
  if (out->is_busy)
    {
      out->is_abandoned = TRUE;
      return FALSE;
    }
  out->is_busy = TRUE;
  return TRUE;
}

void
stasis_migrate_out_abandon (StasisDomain *domain, const char *token)
{
  StasisMigrateOuts *outs = stasis_domain_get_driver (domain)->migrate_outs;
  g_mutex_lock (&outs->lock);
  StasisMigrateOut *out = g_hash_table_lookup (outs->table, stasis_domain_get_name (domain));
  const gboolean is_ours
      = out != NULL && (token == NULL || g_str_equal (out->token, token)) && abandon (out);
  g_mutex_unlock (&outs->lock);
  if (is_ours)
    give_up (out);
}

/* With the table's lock. */
static StasisMigrateOut *
abandon_one (StasisMigrateOuts *outs)
{
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init (&iter, outs->table);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    if (abandon (value))
      return value;
  return NULL;
}

/* What cannot be given up in time is recovered from its journal, when this process has ended. */
void
stasis_migrate_out_abandon_all (StasisDriver *driver)
{
  StasisMigrateOuts *outs = driver->migrate_outs;
  const gint64 deadline = g_get_monotonic_time () + ABANDON_US;
  g_mutex_lock (&outs->lock);
  while (g_hash_table_size (outs->table) > 0)
    {
      StasisMigrateOut *out = abandon_one (outs);
      if (out == NULL && !g_cond_wait_until (&outs->left, &outs->lock, deadline))
        break;
      if (out == NULL)
        continue;
      g_mutex_unlock (&outs->lock);
      give_up (out);
      g_mutex_lock (&outs->lock);
    }
  g_mutex_unlock (&outs->lock);
}
