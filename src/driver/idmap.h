/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * idmap.h: a file of ours that another user may open, without touching the file
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* The file behind @fd opened again for reading, in such a way that whoever inherits the result as
 * user and group @uid may open it by /proc/self/fd as if he owned it.  Root only.  -1 where the
 * kernel or the file system cannot do that. */
int stasis_idmap_open (int fd, guint32 uid, GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
