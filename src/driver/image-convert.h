/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-convert.h: what a conversion whose other end is elsewhere has in common with one here
 */

#pragma once

#include <stasis/image.h>

G_BEGIN_DECLS

/* stasis_image_convert() with a name for the input in messages, where that is a descriptor
 * (nullable). */
gboolean stasis_image_convert_named (StasisDriver *driver, const StasisImageConversion *request,
                                     const char *in_name, char ***out_lost,
                                     StasisProgressFunc progress, gpointer user_data,
                                     GCancellable *cancellable, GError **error);

/* An error where @fd is a file that has something in it already. */
gboolean stasis_image_convert_check_fd (int fd, GError **error);
/* What went into @fd is good for nothing: a file is cut back. */
void stasis_image_convert_cut_fd (int fd);

G_END_DECLS
