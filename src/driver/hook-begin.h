/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hook-begin.h: hooks that are asked before something is done
 */

#pragma once

#include "driver/hold.h"
#include "driver/job.h"

G_BEGIN_DECLS

/* Ask the hooks of this domain; "prepare", "start", "started", "save" or "checkpoint".  FALSE: one
 * refuses.  Where `prepare` is asked `stopped` and `release` follow, whatever becomes of it; where
 * one of the last two is, its end.
 * @def: as it is now, with its secrets left out for them; unchanged when this returns */
gboolean stasis_hook_begin (StasisHold *hold, StasisDomainDef *def, const char *operation,
                            GCancellable *cancellable, GError **error);

/* FALSE where there are none, as far as one system call tells. */
gboolean stasis_hook_may_be_asked (const StasisHold *hold);

/* The same in the middle of a job, which can be seen and aborted meanwhile. */
gboolean stasis_hook_begin_in_job (StasisHold *hold, StasisDomainDef *def, const char *operation,
                                   StasisJob *job, GError **error);

/* Ask those for a guest that comes with its definition: "restore" from an image, or "migrate".
 * @out_xml: (out) (nullable) (transfer full): what they have made of the definition, if anything */
gboolean stasis_hook_filter (StasisDriver *driver, const StasisDomainDef *def,
                             const char *operation, char **out_xml, GCancellable *cancellable,
                             GError **error);

/* Tell those of a running domain that a daemon has come to it; its lock is not taken. */
gboolean stasis_hook_reconnect (StasisDomain *domain, GCancellable *cancellable, GError **error);

G_END_DECLS
