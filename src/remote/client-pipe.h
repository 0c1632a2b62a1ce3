/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client-pipe.h: an image between a descriptor here and a call on a server
 *
 * The other end is pipe.h.
 */

#pragma once

#include "remote/client.h"

G_BEGIN_DECLS

/* A call whose image goes into @fd (borrowed), called @fd_name in messages. */
gboolean stasis_client_pipe_out (StasisClient *client, const char *name,
                                 const StasisWireValue *args, int fd, const char *fd_name,
                                 const StasisClientJob *job, GError **error);

/* The same into whatever @fd (borrowed) is, a device too; who reads from a pipe is not waited for.
 */
gboolean stasis_client_pipe_out_plain (StasisClient *client, const char *name,
                                       const StasisWireValue *args, StasisWireValue *rets, int fd,
                                       const StasisClientJob *job, GError **error);

/* One whose image comes out of @fd (borrowed). */
gboolean stasis_client_pipe_in (StasisClient *client, const char *name, const StasisWireValue *args,
                                StasisWireValue *rets, int fd, const StasisClientJob *job,
                                GError **error);

G_END_DECLS
