/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * attributes.h: the extended attributes of a file, for its copy
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* Give @to the extended attributes that @from has, and its POSIX ACL, or none where that has none;
 * owner and mode come first, or they would change the ACL.  What people give a file (user.*, the
 * ACL) that cannot be given is a failure; labels of the system's (security.*, trusted.*) are
 * given as far as the kernel agrees, and a warning tells of those that differ. */
gboolean stasis_attributes_copy (int from, int to, GError **error);

G_END_DECLS
