/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reconnect.c: the hooks of the domains that were there before the daemon was
 *
 * Clients do not wait for them, and a guest that runs goes on whatever a hook says of it.
 */

#include "config.h"

#include "daemon/reconnect.h"

#include "driver/hook-begin.h"

struct _StasisReconnect
{
  GPtrArray *domains;        /* (owned) of StasisDomain */
  GCancellable *cancellable; /* (owned) */
  GThread *thread;           /* (owned) */
};

static gpointer
run (gpointer data)
{
  const StasisReconnect *self = data;
  for (guint i = 0; i < self->domains->len && !g_cancellable_is_cancelled (self->cancellable); i++)
    {
      g_autoptr (GError) error = NULL;
      if (!stasis_hook_reconnect (g_ptr_array_index (self->domains, i), self->cancellable, &error)
          && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        g_warning ("%s", error->message);
    }
  return NULL;
}

/* Tell the hooks of each of these. */
StasisReconnect *
stasis_reconnect_begin (GPtrArray *domains)
{
  StasisReconnect *self = g_new0 (StasisReconnect, 1);
  self->domains = g_ptr_array_ref (domains);
  self->cancellable = g_cancellable_new ();
  self->thread = g_thread_new ("reconnect", run, self);
  return self;
}

/* End that. */
void
stasis_reconnect_end (StasisReconnect *self)
{
  if (self == NULL)
    return;
  g_cancellable_cancel (self->cancellable);
  g_thread_join (self->thread);
  g_object_unref (self->cancellable);
  g_ptr_array_unref (self->domains);
  g_free (self);
}
