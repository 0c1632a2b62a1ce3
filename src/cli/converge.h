/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * converge.h: does a migration come to an end?
 */

#pragma once

#include <stasis/stasis.h>

G_BEGIN_DECLS

typedef struct
{
  guint64 passes; /* that were looked at */
  guint behind;   /* of them in a row: more was written than sent */
  gboolean is_said;
} StasisCliConverge;

/* (transfer full) (nullable): a sentence for people, once, where it does not, with what helps.
 * @flags: how it was begun */
char *stasis_cli_converge_look (StasisCliConverge *self, const StasisJobStats *stats,
                                StasisMigrateFlags flags);

G_END_DECLS
