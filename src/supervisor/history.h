/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * history.h: what became of a guest lately, for those who want to hear of it
 *
 * All called in the default main context.
 */

#pragma once

#include <stasis/domain.h>
#include <stasis/job.h>

#include "supervisor/control-server.h"

G_BEGIN_DECLS

typedef struct _StasisHistory StasisHistory;

/* @server: outlives it; may come later, see below. */
StasisHistory *stasis_history_new (void);
/* Where those are answered who wait. */
void stasis_history_set_server (StasisHistory *self, StasisControlServer *server);

/* The guest's state is another one; @reason is interned. */
void stasis_history_add_state (StasisHistory *self, StasisDomainState state, const char *reason);
/* A job has come to its end. */
void stasis_history_add_job (StasisHistory *self, const StasisJobStats *stats);

/* A device of that alias has come to it. */
void stasis_history_add_device (StasisHistory *self, const char *alias);

/* QEMU has said this.  More than some in a second, or longer ones, are not told, and they are kept
 * for as long only as there is room beside states and jobs. */
void stasis_history_add_qemu (StasisHistory *self, StasisJson *event);

/* Answer with all that came after number @after, now or once there is something; or, for -1, with
 * the number of the last and the present state.  One that @stays is answered now, and told of what
 * comes. */
void stasis_history_ask (StasisHistory *self, StasisClientId client, gint64 after, gboolean stays);
/* It has gone. */
void stasis_history_forget (StasisHistory *self, StasisClientId client);
/* TRUE for one that waits or stays. */
gboolean stasis_history_has (const StasisHistory *self, StasisClientId client);

G_END_DECLS
