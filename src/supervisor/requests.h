/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * requests.h: what a supervisor answers on its control socket
 */

#pragma once

#include "driver/status.h"
#include "supervisor/life.h"

G_BEGIN_DECLS

typedef struct _StasisRequests StasisRequests;

/* Called when a connection has ended with a job begun on it. */
typedef void (*StasisJobLost) (gpointer data);

/* Listen on @folder's control socket. */
StasisRequests *stasis_requests_new (const char *folder, StasisLife *life, StasisJobLost job_lost,
                                     gpointer data, GError **error);

/* The status file says this now; its journal stands for a job that nobody has told us of. */
void stasis_requests_set_status (StasisRequests *requests, const StasisStatus *status);

G_END_DECLS
