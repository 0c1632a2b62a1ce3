/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk-empty.h: whether there is anything in a disk's file that could be lost
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* An error where something was ever written to the file @path of @format, or where that cannot be
 * told: of a block device, and of formats other than raw and qcow2. */
gboolean stasis_disk_check_empty (const char *path, const char *format, GError **error);

G_END_DECLS
