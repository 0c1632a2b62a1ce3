/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session-job.c: long calls of our clients: what cancels them, and how far they are
 *
 * The client names a call by the serial that it gave it.  It hears how far it is on the same
 * connection, always before the reply, and unless it does not take what is sent to it.
 */

#include "config.h"

#include "driver/job-stats-json.h"
#include "remote/server-private.h"

#define OUT_SKIPPED (1024u * 1024) /* octets that are not taken yet: it has enough to read */

/* It knows our events. */
void
stasis_session_set_own (StasisSession *self)
{
  g_atomic_int_set (&self->is_own, 1);
}

/* It has come. */
void
stasis_session_begin_job (StasisSession *self, guint32 serial)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  g_hash_table_insert (self->jobs, GUINT_TO_POINTER (serial), g_cancellable_new ());
}

/* (transfer full): what cancels it, perhaps since before it was carried out. */
GCancellable *
stasis_session_get_job (StasisSession *self, guint32 serial)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  GCancellable *found = g_hash_table_lookup (self->jobs, GUINT_TO_POINTER (serial));
  return found != NULL ? g_object_ref (found) : g_cancellable_new ();
}

/* It has ended. */
void
stasis_session_end_job (StasisSession *self, guint32 serial)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  g_hash_table_remove (self->jobs, GUINT_TO_POINTER (serial));
}

/* Its client has changed its mind. */
gboolean
stasis_session_cancel_job (StasisSession *self, guint32 serial)
{
  g_mutex_lock (&self->lock);
  GCancellable *found = g_hash_table_lookup (self->jobs, GUINT_TO_POINTER (serial));
  g_autoptr (GCancellable) cancellable = found != NULL ? g_object_ref (found) : NULL;
  g_mutex_unlock (&self->lock);
  if (cancellable != NULL)
    g_cancellable_cancel (cancellable);
  return cancellable != NULL;
}

static void
tell (StasisSession *self, gint32 event, guint32 serial, const char *text)
{
  const StasisMessageHeader header = {
    .program = STASIS_PROGRAM_OWN,
    .version = STASIS_PROGRAM_VERSION,
    .procedure = event,
    .type = STASIS_MESSAGE_EVENT,
  };
  const StasisWireValue values[] = { { .u = serial }, { .s = (char *) text } };
  GByteArray *message = stasis_message_begin (&header);
  stasis_wire_encode (message, STASIS_OWN_EVENT_LAYOUT, values);
  stasis_message_end (message);
  stasis_session_send (self, message);
}

/* How far it is. */
void
stasis_session_tell_job (StasisSession *self, guint32 serial, const StasisJobStats *stats)
{
  g_mutex_lock (&self->lock);
  const gboolean is_behind = self->out_octets > OUT_SKIPPED;
  g_mutex_unlock (&self->lock);
  if (is_behind)
    return;
  g_autoptr (StasisJson) json = stasis_job_stats_to_json (stats);
  g_autofree char *text = stasis_json_to_string (json);
  tell (self, STASIS_OWN_JOB_PROGRESS, serial, text);
}

/* What becomes of one guest of all. */
void
stasis_session_tell_guest (StasisSession *self, guint32 serial, const char *text)
{
  tell (self, STASIS_OWN_GUEST, serial, text);
}

/* What is not as it should be. */
void
stasis_session_tell_warning (StasisSession *self, guint32 serial, const char *message)
{
  tell (self, STASIS_OWN_WARNING, serial, message);
}
