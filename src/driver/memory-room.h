/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory-room.h: how much memory a process can still have
 */

#pragma once

#include <gio/gio.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* Octets that process @pid can have before somebody has to be killed: what the host has available,
 * or less where a control group (version 2) of the process has a limit.  Swap does not count.
 * @root: "" but in tests, where it stands in front of /proc and /sys.  FALSE where it is not told.
 */
gboolean stasis_memory_room (const char *root, pid_t pid, guint64 *out_octets);

G_END_DECLS
