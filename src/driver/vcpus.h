/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vcpus.h: how many processors a guest has
 */

#pragma once

#include "driver/device-grip.h"

G_BEGIN_DECLS

/* The live definition has those that QEMU has; it is not written. */
gboolean stasis_vcpus_count_live (StasisDomainDef *live, StasisMonitor *monitor,
                                  GCancellable *cancellable, GError **error);

/* An error where one is missing that the domain was started with. */
gboolean stasis_vcpus_check_boot (const StasisDomainDef *live, StasisMonitor *monitor,
                                  GCancellable *cancellable, GError **error);

/* Give a QEMU whose guest has not run yet those that are not there from the beginning. */
gboolean stasis_vcpus_plug_at_start (const StasisDomainDef *def, StasisMonitor *monitor,
                                     GCancellable *cancellable, GError **error);

G_END_DECLS
