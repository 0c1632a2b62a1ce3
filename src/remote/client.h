/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client.h: a connection to a stasisd, or to a libvirtd
 *
 * Any number of threads may call at once.
 */

#pragma once

#include <stasis/stasis.h>

#include "remote/procedures.h"

G_BEGIN_DECLS

typedef struct _StasisClient StasisClient;
typedef struct _StasisClientPort StasisClientPort;

/* A long call: who hears how far it is, and what ends it. */
typedef struct
{
  StasisProgressFunc progress; /* (nullable) */
  /* (nullable): of a call for all guests: what becomes of one of them (guest-news.h) */
  void (*hear) (const char *text, gpointer user_data);
  gpointer user_data;
  GCancellable *cancellable; /* (borrowed) (nullable) */
  /* (borrowed) (nullable): whose job it is, for servers that do not tell by themselves. */
  const StasisWireDomain *domain;
  /* (borrowed) (nullable): where packets of the type stream go.  It stays open after the call. */
  StasisClientPort *port;
} StasisClientJob;

/* How a server is reached. */
typedef struct
{
  int fd;              /* (owned) a stream to it; -1: none */
  gboolean is_session; /* it is a user's, not the system's */
  gboolean is_read_only;
  guint keepalive_s; /* how long it may be silent until it is asked; 0: for ever */
  /* (nullable): (transfer full) (nullable) why the stream has ended, where more is known. */
  char *(*explain) (gpointer reason);
  void (*free_reason) (gpointer reason);
  gpointer reason; /* (owned) (nullable) */
} StasisClientStream;

/* Open a connection; @uri is for messages.  What the stream owns is the client's, in any case. */
StasisClient *stasis_client_open (const StasisClientStream *stream_take, const char *uri,
                                  GCancellable *cancellable, GError **error);
/* Close it, and free it.  NULL is fine. */
void stasis_client_free (StasisClient *self);

const char *stasis_client_uri (const StasisClient *self);
/* Whether the server has our own program: it is a stasisd. */
gboolean stasis_client_is_own (const StasisClient *self);

/* Call a procedure by its name; @args and @rets are by its layouts.  @rets are to be cleared by
 * stasis_client_clear() where this returns TRUE.  An error is one of the library: what the server
 * says, or what became of the connection. */
gboolean stasis_client_call (StasisClient *self, guint32 program, const char *name,
                             const StasisWireValue *args, StasisWireValue *rets, GError **error);
/* The same of a long one; @job (nullable). */
gboolean stasis_client_call_job (StasisClient *self, guint32 program, const char *name,
                                 const StasisWireValue *args, StasisWireValue *rets,
                                 const StasisClientJob *job, GError **error);
void stasis_client_clear (guint32 program, const char *name, StasisWireValue *rets);

/* It is a matter for stasisd: an error that says so unless the server is one.  @what: "a
 * checkpoint" */
gboolean stasis_client_need_own (const StasisClient *self, const char *what, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisClient, stasis_client_free)

G_END_DECLS
