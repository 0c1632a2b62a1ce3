/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kept-definitions.h: the definitions of a running domain as they were before a job changed them
 *
 * The live one and the persistent one, if there is one, are kept in the run folder @folder, as
 * octets: whoever recovers from the job's death puts them back without understanding them.
 */

#pragma once

#include "driver/status.h"

G_BEGIN_DECLS

gboolean stasis_kept_definitions_begin (const char *folder, const StasisStatus *status,
                                        GError **error);

/* TRUE where both are kept, so that they may have been changed since. */
gboolean stasis_kept_definitions_are_there (const char *folder);

/* As they were; where none were kept they have not been changed. */
gboolean stasis_kept_definitions_restore (const char *folder, const StasisStatus *status,
                                          GError **error);

/* They stay as they are now. */
void stasis_kept_definitions_drop (const char *folder);

G_END_DECLS
