/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * overlay-bases.h: what the disks of a clone that is saved rest on
 */

#pragma once

#include "conf/domain-def.h"
#include "util/atomic-file.h"

G_BEGIN_DECLS

/* What the file that keeps the overlays has besides: the clone's name, and the image's path
 * (util/json-path.h), unless that went into a pipe. */
#define STASIS_OVERLAY_NAME  "name"
#define STASIS_OVERLAY_IMAGE "image"

/* Keep the overlays in @folder, the disks of @def, for an image that is about to name them, and
 * note what they rest on, and that image: @path (nullable: it went into a pipe). */
gboolean stasis_overlay_bases_keep (const StasisDomainDef *def, const char *folder,
                                    const char *path, GError **error);

/* Refuse (STASIS_ERROR_REFUSED) where that is not what it was. */
gboolean stasis_overlay_bases_check (const StasisDomainDef *def, const char *folder,
                                     GError **error);

G_END_DECLS
