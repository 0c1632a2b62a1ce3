/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * overlay-file.h: the octets of a file that lies on top of a disk
 */

#pragma once

#include <gio/gio.h>

#include "conf/domain-def.h"

G_BEGIN_DECLS

/* An empty qcow2 file on top of the disk; refused where that is nothing that a file can lie on. */
GBytes *stasis_overlay_file_empty (const StasisDiskDef *disk, GCancellable *cancellable,
                                   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* An empty qcow2 file for a disk of @size octets, on top of @backing (nullable), which is not
 * opened, and of @backing_format. */
GBytes *stasis_overlay_file_make (const char *backing, const char *backing_format, guint64 size,
                                  GCancellable *cancellable,
                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* All of a regular file that is small; @path is for messages. */
GBytes *stasis_overlay_file_read (int fd, const char *path,
                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
