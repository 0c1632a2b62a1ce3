/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * console.h: the terminal on one side, the guest's serial line on the other
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* Copy standard input to @fd and @fd to standard output, until the guest's side ends, @escape is
 * typed, or @cancellable is.  A terminal is raw meanwhile and is always put back. */
gboolean stasis_cli_console_pump (int fd, guchar escape, GCancellable *cancellable, GError **error);

G_END_DECLS
