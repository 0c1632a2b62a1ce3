/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client-port.h: what comes to a client in packets of the type stream
 *
 * A call may have a port: packets of its serial come there, from before its reply until the port is
 * closed.  The client's lock guards all of it, and whoever waits for something does so on the
 * client's condition.
 *
 * Of what has no window, as libvirt's streams, more may come than anybody takes.  As long as nobody
 * else waits for anything of this connection it is not read then.  Where somebody does it is read
 * on, and a port that has far too much is ended with an error: others come before it.
 */

#pragma once

#include "remote/client-private.h"
#include "remote/message.h"

G_BEGIN_DECLS

struct _StasisClientPort
{
  /* Said by who opens it. */
  gsize in_max;        /* octets that are kept; 0: what comes are counts */
  gboolean is_patient; /* see above; else more than that is a breach, which ends the connection */

  guint32 serial; /* of its call, once that was sent */
  const StasisProcedure *procedure;
  GByteArray *in;     /* (owned) octets that nobody has taken */
  gboolean is_empty;  /* a packet without octets has come */
  gboolean has_ended; /* no more comes */
  GError *error;      /* (owned) (nullable) why */
  guint64 n_taken;    /* octets of ours that the other end has taken */
  gboolean is_closed; /* by us: what comes is dropped */
};

void stasis_client_port_init (StasisClientPort *self, gsize in_max, gboolean is_patient);
/* With the lock held: nothing comes any more. */
void stasis_client_port_close (StasisClient *client, StasisClientPort *self);
void stasis_client_port_clear (StasisClientPort *self);

/* The thread that reads: a packet. */
void stasis_client_port_take (StasisClient *client, const StasisMessageHeader *header,
                              const guint8 *payload, gsize length);
/* Send one. */
void stasis_client_port_send (StasisClient *client, const StasisClientPort *self,
                              StasisMessageStatus status, const guint8 *payload, gsize length);

G_END_DECLS
