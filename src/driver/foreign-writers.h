/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * foreign-writers.h: who else writes to a guest's memory, past QEMU
 */

#pragma once

#include "monitor/monitor.h"

G_BEGIN_DECLS

/* TRUE where nobody but QEMU, its threads and the kernel for them write to the guest's memory. Else
 * STASIS_ERROR_UNSUPPORTED names one who does. */
gboolean stasis_foreign_writers_check (StasisMonitor *monitor, GCancellable *cancellable,
                                       GError **error);

/* The network backend of which `info network` says so; (transfer full) (nullable): its id. */
char *stasis_foreign_writers_find_net (const char *text, const char **out_kind);

G_END_DECLS
