/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-verdict.h: what the destination has decided of a migration, for good
 */

#pragma once

#include "driver/paths.h"

G_BEGIN_DECLS

typedef enum
{
  STASIS_VERDICT_OPEN,    /* nothing was decided, or the migration is not known here */
  STASIS_VERDICT_BEGUN,   /* the guest is the destination's */
  STASIS_VERDICT_REVOKED, /* it never will be: the source may go on */
} StasisVerdict;

/* "open", "begun", "revoked" */
const char *stasis_verdict_to_string (StasisVerdict verdict);

/* (transfer full): the folder of a host's verdicts, for the functions below. */
char *stasis_migrate_verdicts (const StasisPaths *paths);

/* Decide, unless somebody has: *@out_verdict is what holds from now on, whatever is killed.  Where
 * this fails nothing may be done that relies on either, and the other side is not to be told.
 * @wish: not OPEN
 * @name, @uuid: (nullable): of the domain, for people */
gboolean stasis_migrate_verdict_decide (const char *folder, const char *token, StasisVerdict wish,
                                        const char *name, const char *uuid,
                                        StasisVerdict *out_verdict, GError **error);

/* What holds. */
gboolean stasis_migrate_verdict_get (const char *folder, const char *token,
                                     StasisVerdict *out_verdict, GError **error);

#define STASIS_VERDICTS_KEEP 4096u

/* Forget what is older than a month and not among the youngest @keep.  It may take a while. */
void stasis_migrate_verdict_prune (const char *folder, guint keep);

G_END_DECLS
