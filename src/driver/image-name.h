/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-name.h: the name that an open save image has now
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* (transfer full): the path of the file behind @fd, which was @path once, and has one name.
 * STASIS_ERROR_REFUSED where it has several, or one that nobody can find. */
char *stasis_image_name_now (const char *path, int fd, GError **error);

G_END_DECLS
