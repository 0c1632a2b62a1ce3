/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * huge-room.h: how much memory of huge pages can still be had
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Octets of huge pages of *@page_kib KiB each that nobody has, or has been promised.  *@page_kib:
 * 0: the host's default size, which it then is.  @root: "" but in tests, where it stands in front
 * of /proc and /sys.  FALSE where the host has no such pages at all. */
gboolean stasis_huge_room (const char *root, guint64 *page_kib, guint64 *out_octets);

G_END_DECLS
