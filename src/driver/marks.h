/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * marks.h: what this host remembers of save images
 */

#pragma once

#include <sys/stat.h>

#include "driver/paths.h"
#include "image/reader.h"

G_BEGIN_DECLS

/* The verification stamp: this very file (device, inode, size, change time) was written or
 * verified here and not touched since.  Losing one costs a verification, never safety; hence
 * writing one cannot fail in a way that matters. */
void stasis_mark_verified (const StasisPaths *paths, int fd);
/* The same for a file that was there before and took a while to verify: what it was before that
 * (@out_before), and the stamp if it still is that. */
void stasis_mark_begin (int fd, struct stat *out_before);
void stasis_mark_verified_since (const StasisPaths *paths, int fd, const struct stat *before);
gboolean stasis_mark_is_verified (const StasisPaths *paths, int fd);
char *stasis_mark_verified_path (const StasisPaths *paths, int fd);

/* (transfer full) What a file is known by here: a name of device and inode, and a line of size and
 * change time. */
char *stasis_mark_key (const struct stat *st);
char *stasis_mark_version (const struct stat *st);

/* An image with writable disks is good for one resume: its disks move on with the guest.  So is a
 * managed image.  Known by the image's UUID, so that a copy counts as the same.  */
gboolean stasis_mark_resumed (const StasisPaths *paths, const StasisImage *image, GError **error);
gboolean stasis_mark_is_resumed (const StasisPaths *paths, const StasisImage *image);
char *stasis_mark_resumed_path (const StasisPaths *paths, const StasisImage *image);
void stasis_mark_clear_resumed (const StasisPaths *paths, const StasisImage *image);

G_END_DECLS
