/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * front.h: what stands before the body: header and front records
 */

#pragma once

#include <gio/gio.h>

#include "image/header.h"
#include "image/record.h"
#include "image/writer.h"

G_BEGIN_DECLS

/* Fill what is known of a header, with a UUID of its own. */
void stasis_image_front_fill_header (StasisImageHeader *header, const StasisImageFacts *facts,
                                     StasisImageBodyKind kind);

/* The front records, appended to @out; STASIS_IMAGE_ERROR_INVALID where the facts are not what the
 * format demands. */
gboolean stasis_image_front_encode (const StasisImageFacts *facts, GByteArray *out,
                                    StasisRecordDigest *digest, GError **error);

/* The body of a DISKS record; @disks NULL: the domain has none. */
GBytes *stasis_image_disks_body (const StasisJson *disks) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
