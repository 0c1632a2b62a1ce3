/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * overlay-folder.h: the folder of what a clone writes instead of its disks
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define STASIS_OVERLAY_SUFFIX ".qcow2"  /* of a disk: "vda.qcow2" */
#define STASIS_OVERLAY_NVRAM  "VARS.fd" /* the firmware's variables */

/* It goes with the clone: remove it with what we put there, and nothing else.  One that has gone is
 * fine. */
gboolean stasis_overlay_folder_remove (const char *folder, GError **error);

/* An image is about to name these disks: they are to outlive the clone, and the host's next boot.
 * It may be done twice.  @text is kept with them. */
gboolean stasis_overlay_folder_keep (const char *folder, const char *text, GError **error);
gboolean stasis_overlay_folder_is_kept (const char *folder);
char *stasis_overlay_folder_read_kept (const char *folder, GError **error);

/* Octets on the disk. */
guint64 stasis_overlay_folder_size (const char *folder);

G_END_DECLS
