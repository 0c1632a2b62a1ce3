/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * origin.h: the ORIGIN record: from what an image was converted
 */

#pragma once

#include "util/json.h"

G_BEGIN_DECLS

#define STASIS_IMAGE_ORIGIN_KIND    "kind"    /* as users type it */
#define STASIS_IMAGE_ORIGIN_PROGRAM "program" /* that converted, with its version */
#define STASIS_IMAGE_ORIGIN_TIME    "converted-ns"
#define STASIS_IMAGE_ORIGIN_WRITER  "writer" /* of what was converted, where that says so */
#define STASIS_IMAGE_ORIGIN_BEFORE  "before" /* the ORIGIN that was in it */

/* TRUE where the mandatory members are there; else STASIS_IMAGE_ERROR_INVALID. */
gboolean stasis_image_origin_check (const StasisJson *origin, GError **error);

/* For an image that this program makes now from one of @kind.  @writer and @before (its own ORIGIN)
 * are nullable; of what was before @before nothing is kept. */
StasisJson *stasis_image_origin_new (const char *kind, const char *writer,
                                     const StasisJson *before) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
