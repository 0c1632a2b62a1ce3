/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client-port.c: what comes to a client in packets of the type stream
 */

#include "config.h"

#include "remote/client-port.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "remote/remote-error.h"

#define FAR_TIMES   8u             /* what is far more than may be kept */
#define PATIENCE_US G_USEC_PER_SEC /* between two signs of life while nothing is read */

/* Not known to a client yet. */
void
stasis_client_port_init (StasisClientPort *self, gsize in_max, gboolean is_patient)
{
  *self = (StasisClientPort){ .in_max = in_max, .is_patient = is_patient };
  self->in = g_byte_array_new ();
}

/* From now on. */
void
stasis_client_port_close (StasisClient *client, StasisClientPort *self)
{
  if (self->serial != 0)
    g_hash_table_remove (client->ports, GUINT_TO_POINTER (self->serial));
  self->is_closed = TRUE;
  g_cond_broadcast (&client->changed);
}

/* It is closed. */
void
stasis_client_port_clear (StasisClientPort *self)
{
  g_clear_pointer (&self->in, g_byte_array_unref);
  g_clear_error (&self->error);
}

static StasisClientPort *
find (StasisClient *client, const StasisMessageHeader *header)
{
  StasisClientPort *self = g_hash_table_lookup (client->ports, GUINT_TO_POINTER (header->serial));
  return self != NULL && !self->has_ended && self->procedure->program == header->program
                 && self->procedure->number == header->procedure
             ? self
             : NULL;
}

static void
take_error (StasisClientPort *self, const guint8 *payload, gsize length)
{
  StasisXdrReader in;
  stasis_xdr_reader_init (&in, payload, length);
  self->error = stasis_remote_error_get (&in);
  self->has_ended = TRUE;
}

static void
take_count (StasisClientPort *self, const guint8 *payload, gsize length)
{
  StasisWireValue count[1];
  StasisXdrReader in;
  stasis_xdr_reader_init (&in, payload, length);
  if (!stasis_wire_decode (&in, "U", count))
    return;
  self->n_taken = MAX (self->n_taken, count[0].ul);
}

/* (transfer full): with the numbers of its call. */
static GByteArray *
begin_packet (const StasisClientPort *self, StasisMessageStatus status, const guint8 *payload,
              gsize length)
{
  const StasisMessageHeader header = {
    .program = self->procedure->program,
    .version = STASIS_PROGRAM_VERSION,
    .procedure = self->procedure->number,
    .type = STASIS_MESSAGE_STREAM,
    .serial = self->serial,
    .status = status,
  };
  GByteArray *message = stasis_message_begin (&header);
  if (length > 0)
    g_byte_array_append (message, payload, (guint) length);
  stasis_message_end (message);
  return message;
}

/* FALSE where it is more than it may be. */
static gboolean
take_octets (StasisClientPort *self, const guint8 *payload, gsize length)
{
  const gsize most = self->is_patient ? self->in_max * FAR_TIMES : self->in_max;
  if (self->in->len + length > most)
    return FALSE;
  g_byte_array_append (self->in, payload, (guint) length);
  return TRUE;
}

static gboolean
is_needed (StasisClient *client)
{
  return g_hash_table_size (client->pending) > 0 || g_hash_table_size (client->ports) > 1;
}

/* The server hears that we live, though it is not read: it must not take us for dead.  With the
 * lock held; it is given back meanwhile. */
static void
wait_for_room (StasisClient *client, const StasisMessageHeader *header)
{
  const StasisMessageHeader alive = {
    .program = STASIS_PROGRAM_KEEPALIVE,
    .version = STASIS_PROGRAM_VERSION,
    .procedure = STASIS_KEEPALIVE_PONG,
    .type = STASIS_MESSAGE_EVENT,
  };
  const StasisClientPort *self;
  while (client->why == NULL && (self = find (client, header)) != NULL
         && self->in->len > self->in_max && !is_needed (client))
    {
      const gint64 until = g_get_monotonic_time () + PATIENCE_US;
      if (g_cond_wait_until (&client->changed, &client->lock, until))
        continue;
      g_mutex_unlock (&client->lock);
      GByteArray *message = stasis_message_begin (&alive);
      stasis_message_end (message);
      stasis_client_send (client, message);
      g_mutex_lock (&client->lock);
    }
}

/* What has come so far may be taken.  With the lock held; it is given back meanwhile. */
static void
give_up (StasisClient *client, StasisClientPort *self)
{
  g_set_error (&self->error, STASIS_ERROR, STASIS_ERROR_FAILED,
               _ ("more than %zu octets have come that nobody takes, and other calls wait behind "
                  "them"),
               self->in_max * FAR_TIMES);
  self->has_ended = TRUE;
  GByteArray *message = begin_packet (self, STASIS_MESSAGE_ERROR, NULL, 0);
  g_mutex_unlock (&client->lock);
  stasis_client_send (client, message);
  g_mutex_lock (&client->lock);
}

/* A packet that nobody waits for is passed over. */
void
stasis_client_port_take (StasisClient *client, const StasisMessageHeader *header,
                         const guint8 *payload, gsize length)
{
  gboolean ok = TRUE;
  g_mutex_lock (&client->lock);
  StasisClientPort *self = find (client, header);
  const gboolean is_patient = self != NULL && self->is_patient;
  if (self != NULL && header->status == STASIS_MESSAGE_ERROR)
    take_error (self, payload, length);
  else if (self != NULL && header->status == STASIS_MESSAGE_OK)
    self->has_ended = TRUE;
  else if (self != NULL && length == 0)
    self->is_empty = TRUE;
  else if (self != NULL && self->in_max == 0)
    take_count (self, payload, length);
  else if (self != NULL)
    ok = take_octets (self, payload, length);
  g_cond_broadcast (&client->changed);
  if (is_patient && !ok)
    give_up (client, self);
  else if (is_patient)
    wait_for_room (client, header);
  g_mutex_unlock (&client->lock);
  if (!ok && !is_patient)
    stasis_client_break (client, _ ("it sends more than it was asked for"));
}

/* Send one. */
void
stasis_client_port_send (StasisClient *client, const StasisClientPort *self,
                         StasisMessageStatus status, const guint8 *payload, gsize length)
{
  stasis_client_send (client, begin_packet (self, status, payload, length));
}
