/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-limits.h: what is kept of a migration's limits until there is one
 */

#pragma once

#include <stasis/migrate-limits.h>
#include <stasis/migrate.h>

#include "driver/driver-private.h"
#include "util/json.h"

G_BEGIN_DECLS

/* Put what was chosen for the domain's migrations among QEMU's parameters, where @request
 * ((nullable)) does not say otherwise. */
void stasis_migrate_limits_apply (StasisDriver *driver, const char *name, StasisMigrateFlags flags,
                                  const StasisMigrateRequest *request, StasisJson *parameters);

G_END_DECLS
