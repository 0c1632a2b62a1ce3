/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * info.h: what `stasis image info` shows
 */

#pragma once

#include "image/reader.h"

G_BEGIN_DECLS

/* All about an image as one JSON object: uuid, domain-uuid, created, writer, body, memory (total,
 * stored, zero octets), qemu (the facts), disks, file (size, allocated).
 * Of one that comes out of a pipe without disks and file. */
StasisJson *stasis_image_info_to_json (const StasisImage *image) G_GNUC_WARN_UNUSED_RESULT;

/* The octets of guest memory: all of it, and what is stored (not zero).  0 and 0 for a STREAM. */
void stasis_image_memory (const StasisImage *image, guint64 *out_total, guint64 *out_stored);

G_END_DECLS
