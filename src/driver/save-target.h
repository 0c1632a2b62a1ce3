/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save-target.h: whether a save image may go to a path
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* (transfer full): the absolute path to write to, symbolic links followed.  Refuses what is no
 * regular file, and a file that is no save image; the existing image stays until the new one is
 * complete. */
char *stasis_save_target_resolve (const char *path, GError **error);

G_END_DECLS
