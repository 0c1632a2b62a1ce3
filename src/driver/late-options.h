/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * late-options.h: what a definition asks for and QEMU has no option for
 */

#pragma once

#include "conf/domain-def.h"
#include "monitor/monitor.h"

G_BEGIN_DECLS

/* Tell a QEMU whose CPUs have not run yet: links that are down, passwords, the
 * balloon's statistics. */
gboolean stasis_late_options_apply (const StasisDomainDef *def, StasisMonitor *monitor,
                                    GCancellable *cancellable, GError **error);

/* How much memory a guest that boots has, where that is less than it may have. */
gboolean stasis_late_options_balloon (const StasisDomainDef *def, StasisMonitor *monitor,
                                      GCancellable *cancellable, GError **error);

/* The links alone, once more: of a guest that was loaded the saved state says how they are. */
gboolean stasis_late_options_links (const StasisDomainDef *def, StasisMonitor *monitor,
                                    GCancellable *cancellable, GError **error);

G_END_DECLS
