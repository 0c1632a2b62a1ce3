/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * handover.h: a running guest gets another QEMU on the same host
 */

#pragma once

#include <stasis/domain.h>
#include <stasis/job.h>

G_BEGIN_DECLS

#pragma GCC visibility push(default)

/**
 * StasisHandoverFlags:
 * @STASIS_HANDOVER_DEFAULT: hand it over
 * @STASIS_HANDOVER_CHECK: only look whether it could be
 *
 * How a guest is handed over.
 */
typedef enum /*< flags >*/
{
  STASIS_HANDOVER_DEFAULT = 0,
  STASIS_HANDOVER_CHECK = 1 << 0,
} StasisHandoverFlags;

/* @emulator (nullable): the one that it has, as it is installed now.  @out_pause_us (optional): how
 * long the guest stood still, or -1. */
gboolean stasis_domain_handover (StasisDomain *self, const char *emulator,
                                 StasisHandoverFlags flags, gint64 *out_pause_us,
                                 StasisProgressFunc progress, gpointer user_data,
                                 GCancellable *cancellable, GError **error);

#pragma GCC visibility pop

G_END_DECLS
