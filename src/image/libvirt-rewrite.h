/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt-rewrite.h: editing a save image of libvirt, as a new file
 */

#pragma once

#include "image/libvirt-image.h"
#include "image/types.h"

G_BEGIN_DECLS

/* Write a copy of @image, which has to be from a file, with another domain XML and state to @out_fd
 * (borrowed; an empty regular file, open for reading and writing).  The cookie stays.  Where the
 * XML is longer than the image has room for, the body moves; that of a sparse image can't, which is
 * STASIS_IMAGE_ERROR_TOO_LARGE.  Ends like stasis_libvirt_writer_finish(): synced, without a name.
 */
gboolean stasis_libvirt_rewrite (const StasisLibvirtImage *image, GBytes *xml, gboolean was_running,
                                 int out_fd, StasisImageProgress progress, gpointer progress_data,
                                 GCancellable *cancellable, GError **error);

G_END_DECLS
