/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-switch.h: a source's QEMU is to switch to postcopy
 */

#pragma once

#include "monitor/monitor.h"

G_BEGIN_DECLS

/* Pause the guest, and have QEMU switch at the next occasion.  Where QEMU refuses, a guest that ran
 * goes on; where its answer is lost it does not.  Whoever migrates lets it run again, wherever it
 * will be. */
gboolean stasis_migrate_switch (StasisMonitor *monitor, GCancellable *cancellable, GError **error);

G_END_DECLS
