/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session.c: what the functions behind the procedures may ask of, and tell, the connection
 */

#include "config.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "remote/events.h"
#include "remote/server-private.h"

/* Of one connection: clients ask once for each event, or for each of it and a domain. */
#define CALLBACKS_MAX STASIS_WIRE_DOMAINS_MAX

/* Once. */
gboolean
stasis_session_open (StasisSession *self, gboolean is_read_only, GError **error)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  if (self->is_open)
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_QEMU, _ ("connection already open"));
      return FALSE;
    }
  self->is_open = TRUE;
  self->is_read_only |= is_read_only;
  return TRUE;
}

/* Read-only by its socket, or by its own wish. */
gboolean
stasis_session_check_xml (StasisSession *self, StasisXmlFlags flags, GError **error)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  if ((flags & STASIS_XML_SECURE) == 0 || !self->is_read_only)
    return TRUE;
  g_set_error_literal (error, STASIS_REMOTE_ERROR, STASIS_REMOTE_ERROR_DENIED,
                       _ ("operation forbidden for read only access: passwords"));
  return FALSE;
}

/* It is asked for signs of life. */
void
stasis_session_begin_keepalive (StasisSession *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  self->has_keepalive = TRUE;
}

/* Now or later. */
void
stasis_session_end_with (StasisSession *self, StasisDriver *driver, StasisDomain *domain)
{
  StasisMortal mortal = { .id = stasis_domain_get_id (domain) };
  if (mortal.id < 0 || !stasis_uuid_parse (stasis_domain_get_uuid (domain), mortal.uuid, NULL))
    return;
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  g_array_append_val (self->mortals, mortal);
  if (self->fd >= 0)
    return;
  stasis_reaper_end (self->server->reaper, driver, self->mortals);
  g_array_set_size (self->mortals, 0);
}

/* Half of the threads. */
gboolean
stasis_session_begin_perform (StasisSession *self, GError **error)
{
  StasisServer *server = self->server;
  const gint max = MAX (g_atomic_int_get (&server->max_workers) / 2, 1);
  if (g_atomic_int_add (&server->n_performs, 1) < max)
    return TRUE;
  stasis_session_end_perform (self);
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_BUSY,
               _ ("%d migrations are under way from this daemon: half of max_workers"), max);
  return FALSE;
}

/* One less. */
void
stasis_session_end_perform (StasisSession *self)
{
  g_atomic_int_add (&self->server->n_performs, -1);
}

/* With the lock held. */
static gboolean
add_callback (StasisSession *self, StasisCallback *callback, const StasisWireDomain *domain,
              gint32 *out_callback, GError **error)
{
  if (self->callbacks->len >= CALLBACKS_MAX)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                   _ ("too many event callbacks: there are %u"), self->callbacks->len);
      return FALSE;
    }
  callback->id = self->last_callback++;
  callback->is_of_one = domain != NULL;
  if (domain != NULL)
    memcpy (callback->uuid, domain->uuid, sizeof callback->uuid);
  g_array_append_val (self->callbacks, *callback);
  *out_callback = callback->id;
  return TRUE;
}

/* One more. */
gboolean
stasis_session_add_callback (StasisSession *self, gint32 event, const StasisWireDomain *domain,
                             gint32 *out_callback, GError **error)
{
  StasisCallback callback = { .event = event };
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  return add_callback (self, &callback, domain, out_callback, error);
}

/* One more. */
gboolean
stasis_session_add_qemu_callback (StasisSession *self, const char *name, gboolean any_case,
                                  const StasisWireDomain *domain, gint32 *out_callback,
                                  GError **error)
{
  StasisCallback callback
      = { .event = STASIS_EVENT_QEMU, .name = g_strdup (name), .any_case = any_case };
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  if (add_callback (self, &callback, domain, out_callback, error))
    return TRUE;
  g_free (callback.name);
  return FALSE;
}

/* On or off. */
gboolean
stasis_session_set_old_callback (StasisSession *self, gboolean is_on)
{
  StasisCallback callback = { .event = STASIS_EVENT_OLD };
  gint32 id;
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  for (guint i = 0; i < self->callbacks->len; i++)
    if (g_array_index (self->callbacks, StasisCallback, i).event == STASIS_EVENT_OLD)
      {
        if (!is_on)
          g_array_remove_index (self->callbacks, i);
        return !is_on;
      }
  return is_on && add_callback (self, &callback, NULL, &id, NULL);
}

/* One less. */
gboolean
stasis_session_remove_callback (StasisSession *self, gint32 callback, gboolean is_qemu)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  for (guint i = 0; i < self->callbacks->len; i++)
    {
      const StasisCallback *one = &g_array_index (self->callbacks, StasisCallback, i);
      if (one->id != callback || one->event == STASIS_EVENT_OLD
          || (one->event == STASIS_EVENT_QEMU) != is_qemu)
        continue;
      g_array_remove_index (self->callbacks, i);
      return TRUE;
    }
  return FALSE;
}
