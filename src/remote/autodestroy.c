/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * autodestroy.c: guests that end with the connection that started them
 *
 * As in libvirt this is a matter of the connection: a daemon that is killed cannot do it, and its
 * guests go on.
 */

#include "config.h"

#include "remote/autodestroy.h"

#include <glib/gi18n-lib.h>

#define THREADS 4

struct _StasisReaper
{
  GThreadPool *pool; /* (owned) of Errand */
};

typedef struct
{
  StasisDriver *driver; /* (owned) (nullable) */
  StasisMortal mortal;
  StasisMigrating *migrating; /* (owned) (nullable) instead of the two above */
} Errand;

static void
errand_free (gpointer data)
{
  Errand *errand = data;
  g_clear_object (&errand->driver);
  g_free (errand);
}

/* One that has ended since, or was started anew, is let be. */
static void
end_guest (const Errand *errand)
{
  g_autofree char *uuid = stasis_uuid_format (errand->mortal.uuid);
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisDomain) domain = stasis_driver_lookup_by_uuid (errand->driver, uuid, NULL);
  if (domain != NULL && stasis_domain_get_id (domain) == errand->mortal.id
      && !stasis_domain_destroy (domain, STASIS_DESTROY_NONE, &error))
    g_warning (_ ("domain '%1$s', which was to end with its client, goes on: %2$s"),
               stasis_domain_get_name (domain), error->message);
}

static void
carry_out (gpointer data, gpointer user_data)
{
  Errand *errand = data;
  if (errand->migrating != NULL)
    stasis_migrating_abandon (g_steal_pointer (&errand->migrating));
  else
    end_guest (errand);
  errand_free (errand);
}

/* Its threads. */
StasisReaper *
stasis_reaper_new (void)
{
  StasisReaper *self = g_new0 (StasisReaper, 1);
  self->pool = g_thread_pool_new_full (carry_out, self, errand_free, THREADS, FALSE, NULL);
  return self;
}

/* NULL is fine. */
void
stasis_reaper_free (StasisReaper *self)
{
  if (self == NULL)
    return;
  g_thread_pool_free (self->pool, /* immediate= */ FALSE, /* wait= */ TRUE);
  g_free (self);
}

/* End them. */
void
stasis_reaper_end (StasisReaper *self, StasisDriver *driver, const GArray *mortals)
{
  for (guint i = 0; i < mortals->len; i++)
    {
      Errand *errand = g_new0 (Errand, 1);
      errand->driver = g_object_ref (driver);
      errand->mortal = g_array_index (mortals, StasisMortal, i);
      g_thread_pool_push (self->pool, errand, NULL);
    }
}

/* Abandon them. */
void
stasis_reaper_abandon (StasisReaper *self, GPtrArray *migratings_take)
{
  for (guint i = 0; i < migratings_take->len; i++)
    {
      Errand *errand = g_new0 (Errand, 1);
      errand->migrating = g_ptr_array_index (migratings_take, i);
      g_thread_pool_push (self->pool, errand, NULL);
    }
  g_ptr_array_unref (migratings_take);
}
