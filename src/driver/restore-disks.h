/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-disks.h: what a guest goes on with whose image has kept its disks
 */

#pragma once

#include "driver/driver-private.h"
#include "driver/hold.h"
#include "util/json.h"

G_BEGIN_DECLS

/* (transfer container): the disks (StasisDiskDef) of @def that the DISKS record @disks (nullable)
 * calls snapshots. */
GPtrArray *stasis_restore_disks_list (const StasisJson *disks, const StasisDomainDef *def);

/* TRUE where the guest of @def would write to a disk that is none of them. */
gboolean stasis_restore_disks_any_other (const StasisJson *disks, const StasisDomainDef *def);

/* Lay an overlay over each of @disks, which are its disks from then on.  The journal notes them. */
gboolean stasis_restore_disks_lay (StasisHold *hold, const GPtrArray *disks, GError **error);

/* If its domain is defined, it is to go on with @disks when it is started next.  As it was before
 * is kept (kept-definitions.h). */
gboolean stasis_restore_disks_define (StasisDriver *driver, const StasisHold *hold,
                                      const StasisDomainDef *def, const GPtrArray *disks,
                                      GError **error);

/* Warn where the definition of a guest that runs has other disks. */
void stasis_restore_disks_warn (StasisDriver *driver, const StasisDomainDef *def);

/* (transfer full) (nullable): "TARGET PATH" of each, a line each. */
char *stasis_restore_disks_describe (const GPtrArray *disks);

G_END_DECLS
