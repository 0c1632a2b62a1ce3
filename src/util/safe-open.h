/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * safe-open.h: opening what somebody named, without being led astray by others
 *
 * A symbolic link is followed where it belongs to root or to ourselves, in whatever component of
 * the path.  Everybody else's is refused (G_IO_ERROR_PERMISSION_DENIED) by name and owner.
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* open(2) of what is there; O_CLOEXEC goes without saying. */
int stasis_safe_open (const char *path, int flags, GError **error);

/* The folder that @path lies in, for *at(2) and nothing else (O_PATH), and the name of @path in it
 * (transfer full).  What has that name is not looked at. */
int stasis_safe_open_folder (const char *path, char **out_name, GError **error);

/* The same of what @path leads to, there or not: links are followed to their end, so the name is
 * none now. */
int stasis_safe_open_place (const char *path, char **out_name, GError **error);

/* (transfer full) (nullable): the path that the folder behind a descriptor has now. */
char *stasis_safe_folder_path (int folder);

G_END_DECLS
