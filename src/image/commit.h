/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commit.h: the first and the last steps of writing an image file
 */

#pragma once

#include <gio/gio.h>

#include "image/header.h"

G_BEGIN_DECLS

/* TRUE where @fd is what an image may be written to: an empty regular file, open for both. */
gboolean stasis_image_commit_check_file (int fd, GError **error);

/* Write the header as it stands. */
gboolean stasis_image_commit_header (int fd, const StasisImageHeader *header, GError **error);

/* Everything but the final header is written, and ends at @file_size: sync, complete the header,
 * write it, sync.  Fault points: image-tail-synced, image-complete, image-complete-synced. */
gboolean stasis_image_commit_seal (int fd, StasisImageHeader *header, guint64 file_size,
                                   GError **error);

/* The same for a streamed image, whose header is only now written: write it, sync.  Fault points:
 * image-complete, image-complete-synced. */
gboolean stasis_image_commit_stream (int fd, const StasisImageHeader *header, GError **error);

G_END_DECLS
