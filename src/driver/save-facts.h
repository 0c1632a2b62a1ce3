/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save-facts.h: what a save image says of the QEMU that wrote it
 */

#pragma once

#include "conf/domain-def.h"
#include "driver/save-engine.h"
#include "driver/status.h"

G_BEGIN_DECLS

/* The QEMU_FACTS record (image/facts.h).  Asks the running QEMU; the guest need not be paused. */
StasisJson *stasis_save_facts (const StasisDomainDef *def, const StasisStatus *status,
                               const StasisSaveEngine *engine, const GPtrArray *ram_blocks,
                               gboolean resume_running, const char *reason, StasisMonitor *monitor,
                               GCancellable *cancellable);

/* (transfer full) (nullable): the guest's CPU as this QEMU expands it: {"model", "props"}; NULL
 * where it cannot tell. */
StasisJson *stasis_save_facts_cpu (const StasisDomainDef *def, StasisMonitor *monitor,
                                   GCancellable *cancellable);

G_END_DECLS
