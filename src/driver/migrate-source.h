/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-source.h: the definition of a domain that has left
 */

#pragma once

#include "driver/status.h"

G_BEGIN_DECLS

/* The guest is the destination's: where the migration was asked for with that flag its definition
 * here goes, and the status says so in memory; before the domain is torn down. */
void stasis_migrate_source_undefine (StasisStatus *status, const StasisMigrateJournal *migration);

G_END_DECLS
