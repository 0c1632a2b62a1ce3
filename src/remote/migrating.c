/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrating.c: migrations that wait for their client's next step
 */

#include "config.h"

#include "remote/migrating.h"

#include <glib/gi18n-lib.h>

#include "driver/migrate-cookie.h"
#include "driver/migrate-in.h"
#include "driver/migrate-out.h"
#include "remote/server-private.h"

#define SESSION_MAX 64u /* of one connection */

struct _StasisMigratings
{
  GMutex lock;
  GPtrArray *all; /* (owned) (guarded by lock) of StasisMigrating */
};

struct _StasisMigrating
{
  StasisMigratings *owner; /* (borrowed): outlives us */
  guint64 session;
  StasisDriver *driver;      /* (owned) */
  StasisDomain *domain;      /* (owned) (nullable) at the source */
  char *name;                /* (owned) (nullable) at the destination */
  char *token;               /* (owned) (nullable) (guarded by lock) */
  GCancellable *cancellable; /* (owned) (nullable) (guarded by lock) of the step under way */
  gboolean is_busy;          /* (guarded by lock) a step is under way */
  gboolean is_left;          /* (guarded by lock) its connection is over */
};

static void
migrating_free (gpointer data)
{
  StasisMigrating *self = data;
  g_clear_object (&self->cancellable);
  g_clear_object (&self->domain);
  g_object_unref (self->driver);
  g_free (self->name);
  g_free (self->token);
  g_free (self);
}

/* None yet. */
StasisMigratings *
stasis_migratings_new (void)
{
  StasisMigratings *self = g_new0 (StasisMigratings, 1);
  g_mutex_init (&self->lock);
  self->all = g_ptr_array_new ();
  return self;
}

/* NULL is fine. */
void
stasis_migratings_free (StasisMigratings *self)
{
  if (self == NULL)
    return;
  g_ptr_array_set_free_func (self->all, migrating_free);
  g_ptr_array_unref (self->all);
  g_mutex_clear (&self->lock);
  g_free (self);
}

static gboolean
is_meant (const StasisMigrating *self, StasisDomain *domain, const char *name)
{
  if (domain == NULL)
    return self->name != NULL && g_str_equal (self->name, name);
  return self->domain != NULL
         && g_str_equal (stasis_domain_get_uuid (self->domain), stasis_domain_get_uuid (domain));
}

/* (transfer full) (nullable) */
static char *
read_token (GBytes *octets)
{
  gsize size = 0;
  const void *data = octets != NULL ? g_bytes_get_data (octets, &size) : NULL;
  g_autoptr (StasisMigrateCookie) cookie
      = size > 0 ? stasis_migrate_cookie_parse (data, size, NULL) : NULL;
  return cookie != NULL ? g_strdup (cookie->token) : NULL;
}

static guint
count (const StasisMigratings *self, guint64 session)
{
  guint n = 0;
  for (guint i = 0; i < self->all->len; i++)
    n += ((const StasisMigrating *) g_ptr_array_index (self->all, i))->session == session;
  return n;
}

static gboolean
is_over (StasisSession *session)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&session->lock);
  return session->fd < 0;
}

/* A new one. */
StasisMigrating *
stasis_migrating_begin (StasisCall *call, StasisDomain *domain, const char *name, GBytes *cookie,
                        GCancellable *cancellable, GError **error)
{
  StasisMigratings *owner = call->session->server->migratings;
  StasisMigrating *self = g_new0 (StasisMigrating, 1);
  self->owner = owner;
  self->session = call->session->number;
  self->driver = g_object_ref (call->driver);
  self->domain = domain != NULL ? g_object_ref (domain) : NULL;
  self->name = domain == NULL ? g_strdup (name) : NULL;
  self->token = read_token (cookie);
  self->cancellable = g_object_ref (cancellable);
  self->is_busy = TRUE;
  g_mutex_lock (&owner->lock);
  const gboolean fits = count (owner, self->session) < SESSION_MAX;
  if (fits)
    g_ptr_array_add (owner->all, self);
  g_mutex_unlock (&owner->lock);
  if (!fits)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_BUSY,
                   _ ("%u migrations of this connection have not ended yet"), SESSION_MAX);
      migrating_free (self);
      return NULL;
    }
  /* Who closes it looks at the records behind that: one of both sees it. */
  if (is_over (call->session))
    {
      g_mutex_lock (&owner->lock);
      self->is_left = TRUE;
      g_mutex_unlock (&owner->lock);
    }
  return self;
}

/* Its token is known. */
void
stasis_migrating_set_cookie (StasisMigrating *self, GBytes *cookie)
{
  g_autofree char *token = read_token (cookie);
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->owner->lock);
  g_free (self->token);
  self->token = g_steal_pointer (&token);
}

/* (nullable) With the lock.  Where no token is said, the connection's own comes first. */
static StasisMigrating *
find (const StasisMigratings *owner, guint64 session, StasisDomain *domain, const char *name,
      const char *token)
{
  StasisMigrating *found = NULL;
  for (guint i = 0; i < owner->all->len; i++)
    {
      StasisMigrating *self = g_ptr_array_index (owner->all, i);
      if (self->is_busy || !is_meant (self, domain, name)
          || (token != NULL && g_strcmp0 (self->token, token) != 0))
        continue;
      if (self->session == session)
        return self;
      found = self;
    }
  return found;
}

/* The next step. */
StasisMigrating *
stasis_migrating_go_on (StasisCall *call, StasisDomain *domain, const char *name, GBytes *cookie,
                        GCancellable *cancellable)
{
  StasisMigratings *owner = call->session->server->migratings;
  g_autofree char *token = read_token (cookie);
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&owner->lock);
  StasisMigrating *self = find (owner, call->session->number, domain, name, token);
  if (self == NULL)
    return NULL;
  self->is_busy = TRUE;
  g_set_object (&self->cancellable, cancellable);
  return self;
}

/* Of its driver. */
StasisDomain *
stasis_migrating_domain (const StasisMigrating *self, StasisDomain *otherwise)
{
  return self != NULL ? self->domain : otherwise;
}

/* Its driver. */
StasisDriver *
stasis_migrating_driver (const StasisMigrating *self, StasisDriver *otherwise)
{
  return self != NULL ? self->driver : otherwise;
}

/* Until somebody comes with the next one. */
gboolean
stasis_migrating_rest (StasisMigrating *self)
{
  if (self == NULL)
    return TRUE;
  StasisMigratings *owner = self->owner;
  g_mutex_lock (&owner->lock);
  const gboolean is_left = self->is_left;
  self->is_busy = FALSE;
  g_clear_object (&self->cancellable);
  if (is_left)
    g_ptr_array_remove_fast (owner->all, self);
  g_mutex_unlock (&owner->lock);
  if (is_left)
    stasis_migrating_abandon (self);
  return !is_left;
}

/* It is over. */
void
stasis_migrating_end (StasisMigrating *self)
{
  if (self == NULL)
    return;
  g_mutex_lock (&self->owner->lock);
  g_ptr_array_remove_fast (self->owner->all, self);
  g_mutex_unlock (&self->owner->lock);
  migrating_free (self);
}

/* It failed. */
void
stasis_migrating_fail (StasisMigrating *self)
{
  if (self == NULL)
    return;
  g_mutex_lock (&self->owner->lock);
  g_ptr_array_remove_fast (self->owner->all, self);
  g_mutex_unlock (&self->owner->lock);
  stasis_migrating_abandon (self);
}

/* What a step is carried out of is left to that. */
GPtrArray *
stasis_migratings_leave (StasisMigratings *self, guint64 session)
{
  GPtrArray *left = g_ptr_array_new ();
  g_autoptr (GPtrArray) cancellables = g_ptr_array_new_with_free_func (g_object_unref);
  g_mutex_lock (&self->lock);
  for (guint i = self->all->len; i > 0; i--)
    {
      StasisMigrating *one = g_ptr_array_index (self->all, i - 1);
      if (one->session != session)
        continue;
      one->is_left = TRUE;
      if (one->is_busy && one->cancellable != NULL)
        g_ptr_array_add (cancellables, g_object_ref (one->cancellable));
      if (!one->is_busy)
        g_ptr_array_add (left, g_ptr_array_remove_index_fast (self->all, i - 1));
    }
  g_mutex_unlock (&self->lock);
  for (guint i = 0; i < cancellables->len; i++)
    g_cancellable_cancel (g_ptr_array_index (cancellables, i));
  return left;
}

/* Nobody comes any more. */
void
stasis_migrating_abandon (StasisMigrating *self_take)
{
  if (self_take->domain != NULL)
    stasis_migrate_out_abandon (self_take->domain, self_take->token);
  else
    stasis_migrate_in_abandon (self_take->driver, self_take->name, self_take->token);
  migrating_free (self_take);
}
