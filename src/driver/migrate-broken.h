/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-broken.h: has the connection of a postcopy broken, at either end
 */

#pragma once

#include "monitor/monitor.h"

G_BEGIN_DECLS

/* Somebody wants it to go on by another connection: until QEMU waits for one.  What it still has,
 * for it has not seen yet that nobody is there, it breaks off.  FALSE where there is nothing to go
 * on with: the memory of @name is not on two hosts. */
gboolean stasis_migrate_await_broken (StasisMonitor *monitor, const char *name,
                                      GCancellable *cancellable, GError **error);

G_END_DECLS
