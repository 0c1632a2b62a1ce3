/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * call.h: one call, as the functions that carry it out see it
 */

#pragma once

#include <stasis/stasis.h>

#include "remote/message.h"
#include "remote/remote-error.h"
#include "remote/wire.h"

G_BEGIN_DECLS

typedef struct _StasisSession StasisSession;

/* On a thread of its own; others may be under way on the same connection. */
typedef struct
{
  StasisSession *session;      /* (borrowed) of the connection */
  StasisDriver *driver;        /* (borrowed) */
  const StasisWireValue *args; /* (borrowed) by the layout of the procedure */
  StasisWireValue *rets;       /* all zeros; cleared by the caller, also where the call fails */
  const char *save_format;     /* (borrowed) (nullable) where the client names none */
  int stream_fd;     /* -1; a call that opens a stream leaves there what is behind it (owned) */
  guint32 serial;    /* the client's, of its calls on this connection */
  const GArray *fds; /* (borrowed) (nullable) (element-type int) that came with the call */
  int reply_fd;      /* -1; one that goes with the results (owned) */
  const StasisMessageHeader *header; /* (borrowed) of its packet */
} StasisCall;

typedef gboolean (*StasisCallFunc) (StasisCall *call, GError **error);

/* (transfer full): the domain that an argument names: by its UUID, as in libvirt. */
StasisDomain *stasis_call_domain (const StasisCall *call, guint index, GError **error);
/* (transfer full): what a result says of a domain. */
StasisWireDomain *stasis_call_describe (StasisDomain *domain);
/* The first result is this domain; FALSE for NULL, where the error is set already. */
gboolean stasis_call_give (StasisCall *call, StasisDomain *domain_take);
/* A descriptor (borrowed) that came with the call; -1 and an error where it has no such. */
int stasis_call_fd (const StasisCall *call, guint index, GError **error);
/* A path of the host where the call is carried out: absolute, for nobody here knows of which folder
 * the client thinks. */
gboolean stasis_call_check_path (const char *path, GError **error);
/* The same, and nothing but a plain file is there: others may keep who opens them waiting for ever,
 * and with it a thread, and the domain. */
gboolean stasis_call_check_file (const char *path, GError **error);
/* A bit of libvirt's and one of ours. */
typedef struct
{
  guint32 theirs;
  guint32 ours;
} StasisFlagPair;

/* Flags to ours; an error that names what is not known. */
gboolean stasis_call_translate_flags (guint32 flags, const StasisFlagPair *pairs, guint n_pairs,
                                      guint32 *out, GError **error);

G_END_DECLS
