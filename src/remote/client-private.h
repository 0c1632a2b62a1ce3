/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client-private.h: what the files of a client share
 *
 * client.c opens, calls and closes; client-io.c reads and writes; client-wait.c waits for a reply.
 */

#pragma once

#include "remote/client.h"
#include "remote/message.h"

G_BEGIN_DECLS

/* Of a call that has not ended. */
typedef struct
{
  gint32 event; /* STASIS_OWN_WARNING ... */
  char *text;   /* (owned) */
} StasisClientNews;

/* A call whose reply has not come; on the stack of who waits for it. */
typedef struct
{
  guint32 serial;
  const StasisProcedure *procedure;
  gboolean is_done;
  guint32 status;  /* of the reply */
  GBytes *payload; /* (owned) (nullable) of the reply */
  GQueue news;     /* (owned) of StasisClientNews */
  gsize n_kept;    /* octets of those, but for how far it is */
} StasisPending;

struct _StasisClient
{
  char *uri;                 /* (owned) */
  StasisClientStream stream; /* (owned) shut down when it is over, closed with the client */
  gboolean is_own;

  GByteArray *in; /* (owned) (reader's) what has come of the next packets */

  GMutex send_lock; /* held while a packet is written; taken after no other */

  GMutex lock; /* guards the rest */
  GCond changed;
  GHashTable *pending;   /* (owned) serial -> StasisPending (borrowed) */
  GHashTable *ports;     /* (owned) serial -> StasisClientPort (borrowed), see client-port.h */
  GPtrArray *consoles;   /* (owned) of client-console.c: those that have not ended */
  GThread *last_console; /* (owned) (nullable) of the last one that has */
  guint32 last_serial;
  char *why;         /* (owned) (nullable): why it is over */
  gint64 last_input; /* µs */
  guint n_pings;     /* unanswered */
  gboolean has_keepalive;
  GThread *reader; /* (owned) (nullable) */
};

/* client.c */

/* Without a thread that reads. */
StasisClient *stasis_client_new (const StasisClientStream *stream_take, const char *uri);
/* A call of small arguments whose reply nobody waits for. */
void stasis_client_call_aside (StasisClient *self, guint32 program, const char *name,
                               const StasisWireValue *args);

/* client-io.c */

/* Octets that have come, in any portions.  FALSE where they are no packets (*@out_why). */
gboolean stasis_client_feed (StasisClient *self, const guint8 *octets, gsize length,
                             const char **out_why);
void stasis_client_news_free (gpointer news);
/* Write a packet; where that is not possible the connection is over. */
void stasis_client_send (StasisClient *self, GByteArray *message_take);
/* From now on nobody waits for it any more.  The first reason stays. */
void stasis_client_break (StasisClient *self, const char *why);
/* A thread: until it is over. */
gpointer stasis_client_read (gpointer client);

/* client-wait.c */

/* Until the reply is there; @deadline (µs) 0: as long as it takes. */
gboolean stasis_client_wait (StasisClient *self, StasisPending *pending, gint64 deadline,
                             const StasisClientJob *job, GError **error);

G_END_DECLS
