/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-stall.h: a guest stands still for its migration, and nothing moves
 */

#pragma once

#include "monitor/commands-migrate.h"

G_BEGIN_DECLS

typedef struct
{
  guint32 limit_s;              /* as long as nothing moves */
  gint64 moved_us;              /* when something did last; monotonic */
  guint64 octets;               /* sent until then */
  StasisMigrationStatus status; /* until then */
} StasisMigrateStall;

void stasis_migrate_stall_begin (StasisMigrateStall *stall, guint32 limit_s, gint64 now_us);
/* G_IO_ERROR_TIMED_OUT where nothing has moved for that long.  Never in postcopy, where the guest
 * may run at the destination. */
gboolean stasis_migrate_stall_look (StasisMigrateStall *stall, const StasisMigrationInfo *info,
                                    gint64 now_us, GError **error);

G_END_DECLS
