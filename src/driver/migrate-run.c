/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-run.c: all five steps of a migration
 *
 * Theory of operation
 *
 * The order, and what follows a failure, are libvirt's, so that source or destination may be
 * behind any daemon:
 *
 *   begin                 fails: nothing has happened
 *   prepare               fails: confirm (cancelled)
 *   perform               fails: finish (cancelled); the source has undone it by itself
 *   finish                fails, or its answer is lost: confirm (cancelled), where the source asks
 *                         the destination whose the guest is
 *   confirm               fails: the guest is the destination's, a paused copy is left at the
 * source
 *
 * What was begun is ended in any case: the later steps cannot be cancelled.  Only the message of
 * the step that failed first is returned; what fails behind it is added where it says more.
 */

#include "config.h"

#include <glib/gi18n-lib.h>

#include "driver/migrate-out.h"

/* What only the source needs to know: libvirt's destinations refuse some of these. */
#define SOURCE_ONLY \
  (STASIS_MIGRATE_ABORT_ON_ERROR | STASIS_MIGRATE_AUTO_CONVERGE | STASIS_MIGRATE_CHANGE_PROTECTION)

typedef struct
{
  StasisDomain *domain;          /* (borrowed) */
  StasisDriver *destination;     /* (borrowed) */
  StasisMigrateFlags flags;      /* the source's */
  StasisMigrateFlags dest_flags; /* the destination's */
  StasisMigrateRequest *request; /* (owned) */
  GBytes *cookie;                /* (owned) (nullable) of the last step */
  StasisProgressFunc progress;   /* (nullable) */
  gpointer user_data;
  GCancellable *cancellable; /* (borrowed) (nullable) */
} Run;

static void
run_clear (Run *self)
{
  stasis_migrate_request_free (self->request);
  g_clear_pointer (&self->cookie, g_bytes_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Run, run_clear)

static void
set_cookie (Run *self, GBytes *cookie_take)
{
  g_clear_pointer (&self->cookie, g_bytes_unref);
  self->cookie = cookie_take;
}

/* Which step failed, and where. */
static gboolean
throw_at (const Run *self, const char *step, GError *error_take, GError **error)
{
  g_propagate_prefixed_error (error, error_take, _ ("%1$s at %2$s: "), step,
                              stasis_driver_get_uri (self->destination));
  return FALSE;
}

/* To what failed first. */
static void
add (GError **error, const char *step, const GError *more)
{
  if (error == NULL || *error == NULL)
    return;
  g_autoptr (GError) first = g_steal_pointer (error);
  g_set_error (error, first->domain, first->code, "%1$s; %2$s: %3$s", first->message, step,
               more->message);
}

static const char *
dest_name (const Run *self)
{
  return self->request->dname != NULL ? self->request->dname
                                      : stasis_domain_get_name (self->domain);
}

/* The source: it goes on there, or what has become of it is found out. */
static gboolean
undo_at_source (const Run *self, GError **error)
{
  g_autoptr (GError) local = NULL;
  if (stasis_domain_migrate_confirm (self->domain, self->flags, NULL, TRUE, &local))
    return TRUE;
  add (error, _ ("confirm"), local);
  return FALSE;
}

/* The destination: nothing is left there. */
static void
undo_at_dest (const Run *self, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (GBytes) cookie = NULL;
  g_autoptr (StasisDomain) domain = stasis_driver_migrate_finish (
      self->destination, self->dest_flags, dest_name (self), NULL, TRUE, &cookie, &local);
  if (domain == NULL && !g_error_matches (local, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    add (error, _ ("finish"), local);
}

static gboolean
prepare (Run *self, const char *xml, GError **error)
{
  g_autofree char *uri = NULL;
  GBytes *cookie = NULL;
  GError *local = NULL;
  if (!stasis_driver_migrate_prepare (self->destination, self->dest_flags, self->request, xml,
                                      self->cookie, &cookie, &uri, self->cancellable, &local))
    {
      throw_at (self, _ ("prepare"), local, error);
      undo_at_source (self, error);
      return FALSE;
    }
  set_cookie (self, cookie);
  if (uri != NULL)
    {
      g_free (self->request->uri);
      self->request->uri = g_steal_pointer (&uri);
    }
  return TRUE;
}

static gboolean
perform (Run *self, GError **error)
{
  GBytes *cookie = NULL;
  GError *local = NULL;
  if ((self->flags & STASIS_MIGRATE_OFFLINE) != 0)
    set_cookie (self, NULL);
  else if (!stasis_domain_migrate_perform (self->domain, self->flags, self->request, self->cookie,
                                           &cookie, self->progress, self->user_data,
                                           self->cancellable, &local))
    {
      g_propagate_prefixed_error (error, local, _ ("perform: "));
      undo_at_dest (self, error);
      return FALSE;
    }
  else
    set_cookie (self, cookie);
  return TRUE;
}

/* The source knows what has become of it: the answer was lost, and the guest is over there? */
static gboolean
has_left (const Run *self)
{
  StasisDomainState state;
  const char *reason = NULL;
  return stasis_domain_get_state (self->domain, &state, &reason, NULL)
         && state == STASIS_DOMAIN_SHUTOFF && g_strcmp0 (reason, "migrated") == 0;
}

/* Whether the source has it. */
static gboolean
is_gone (const Run *self)
{
  g_autoptr (GError) local = NULL;
  StasisDomainState state;
  return !stasis_domain_get_state (self->domain, &state, NULL, &local)
         && g_error_matches (local, STASIS_ERROR, STASIS_ERROR_NO_DOMAIN);
}

static gboolean
finish_failed (const Run *self, GError *failure_take, GError **error)
{
  throw_at (self, _ ("finish"), failure_take, error);
  if (!undo_at_source (self, error))
    return FALSE;
  if (has_left (self))
    {
      g_clear_error (error);
      return TRUE;
    }
  const GError unsure = { STASIS_ERROR, STASIS_ERROR_FAILED,
                          (char *) _ ("the source has it no more; see whether it runs there") };
  if (is_gone (self))
    add (error, _ ("confirm"), &unsure);
  return FALSE;
}

static gboolean
finish (Run *self, GError **error)
{
  GError *local = NULL;
  GBytes *cookie = NULL;
  g_autoptr (StasisDomain) domain = stasis_driver_migrate_finish (
      self->destination, self->dest_flags, dest_name (self), self->cookie, FALSE, &cookie, &local);
  if (domain == NULL)
    return finish_failed (self, local, error);
  set_cookie (self, cookie);
  if (stasis_domain_migrate_confirm (self->domain, self->flags, self->cookie, FALSE, error))
    return TRUE;
  g_prefix_error (error, _ ("the guest is at %s; confirm: "),
                  stasis_driver_get_uri (self->destination));
  return FALSE;
}

/* One that is paused stays so. */
static void
look_whether_paused (Run *self)
{
  StasisDomainState state;
  if ((self->flags & STASIS_MIGRATE_OFFLINE) != 0
      || !stasis_domain_get_state (self->domain, &state, NULL, NULL)
      || state != STASIS_DOMAIN_PAUSED)
    return;
  self->flags |= STASIS_MIGRATE_PAUSED;
  self->dest_flags |= STASIS_MIGRATE_PAUSED;
}

/* All five steps. */
gboolean
stasis_migrate_out_run (StasisDomain *domain, StasisDriver *destination, StasisMigrateFlags flags,
                        const StasisMigrateRequest *request, StasisProgressFunc progress,
                        gpointer user_data, GCancellable *cancellable, GError **error)
{
  g_auto (Run) self = {
    .domain = domain,
    .destination = destination,
    .flags = flags | STASIS_MIGRATE_CHANGE_PROTECTION,
    .dest_flags = flags & ~(guint) SOURCE_ONLY,
    .request = stasis_migrate_request_copy (request),
    .progress = progress,
    .user_data = user_data,
    .cancellable = cancellable,
  };
  g_autofree char *xml = NULL;
  if (!stasis_domain_migrate_begin (domain, self.flags, self.request, &xml, &self.cookie,
                                    cancellable, error))
    {
      g_prefix_error_literal (error, _ ("begin: "));
      return FALSE;
    }
  if (stasis_domain_get_ops (domain) == NULL)
    stasis_migrate_out_set_peer (domain, stasis_driver_get_uri (destination));
  look_whether_paused (&self);
  return prepare (&self, xml, error) && perform (&self, error) && finish (&self, error);
}
