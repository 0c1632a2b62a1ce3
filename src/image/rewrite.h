/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rewrite.h: editing an image, as a new file
 */

#pragma once

#include <gio/gio.h>

#include "image/reader.h"

G_BEGIN_DECLS

/* Write a copy of @image with another domain XML and other QEMU facts (NULL: as they are) to
 * @out_fd (borrowed; an empty regular file, open for reading and writing).  The body keeps its
 * place and its holes, shared with the old file where the file system can; that of a streamed image
 * moves, and the copy is a streamed image, too.  An XML of any allowed length fits.  Ends like
 * stasis_image_writer_finish(): synced, without a name.  The image UUID stays: it is the same saved
 * state. */
gboolean stasis_image_rewrite (const StasisImage *image, GBytes *xml, const StasisJson *facts,
                               int out_fd, StasisImageProgress progress, gpointer progress_data,
                               GCancellable *cancellable, GError **error);

G_END_DECLS
