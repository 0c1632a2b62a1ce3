/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * parent.h: the PARENT record: which image the pages are in that an incremental one has not
 */

#pragma once

#include "image/reader.h"
#include "util/json.h"

G_BEGIN_DECLS

#define STASIS_IMAGE_PARENT_IMAGE  "image"  /* its UUID */
#define STASIS_IMAGE_PARENT_HASHES "hashes" /* checksum of its record CHUNK_HASHES, hexadecimal */
#define STASIS_IMAGE_PARENT_FILE   "file"   /* where it was */

/* For an image that is made now, on top of @parent, which lies at @path.  NULL and
 * STASIS_IMAGE_ERROR_UNSUPPORTED where its pages do not lie in place. */
StasisJson *stasis_image_parent_new (const StasisImage *parent, const char *path,
                                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* TRUE where the members are there; else STASIS_IMAGE_ERROR_INVALID. */
gboolean stasis_image_parent_check (const StasisJson *parent, GError **error);

/* TRUE where @image is that very parent, with the memory that it had; else
 * STASIS_IMAGE_ERROR_INVALID. */
gboolean stasis_image_parent_match (const StasisJson *parent, const StasisImage *image,
                                    GError **error);

G_END_DECLS
