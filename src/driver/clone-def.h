/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * clone-def.h: the definition of a clone
 */

#pragma once

#include "conf/domain-def.h"

G_BEGIN_DECLS

/* Refuse by name what no two guests can have, and a clone can do without by another definition
 * only. */
gboolean stasis_clone_def_check (const StasisDomainDef *def, GError **error);

/* (transfer full) (element-type utf8): what of clones of @def is not as it should be, for people.
 */
GPtrArray *stasis_clone_def_warnings (const StasisDomainDef *def);

/* The definition of a clone of @def: name, UUID, generation ID, MAC addresses, and the paths of
 * what it writes to are its own.  @folder (nullable): of its overlays. */
StasisDomainDef *stasis_clone_def_new (const StasisDomainDef *def, const char *name,
                                       const char *uuid, const char *folder);

G_END_DECLS
