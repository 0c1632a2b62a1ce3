/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * overlay-bases.h: what the disks of a clone that is saved rest on
 */

#pragma once

#include "conf/domain-def.h"

G_BEGIN_DECLS

/* Keep the overlays in @folder, the disks of @def, for an image that is about to name them, and
 * note what they rest on. */
gboolean stasis_overlay_bases_keep (const StasisDomainDef *def, const char *folder, GError **error);

/* Refuse (STASIS_ERROR_REFUSED) where that is not what it was. */
gboolean stasis_overlay_bases_check (const StasisDomainDef *def, const char *folder,
                                     GError **error);

G_END_DECLS
