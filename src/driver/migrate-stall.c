/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-stall.c: a guest stands still for its migration, and nothing moves
 *
 * However much is left to be sent, a destination that works takes some of it, or comes to the end:
 * so it is not the time that is limited, but that without any octet, and any other status.
 */

#include "config.h"

#include "driver/migrate-stall.h"

#include <glib/gi18n-lib.h>

void
stasis_migrate_stall_begin (StasisMigrateStall *stall, guint32 limit_s, gint64 now_us)
{
  *stall = (StasisMigrateStall){ .limit_s = limit_s, .moved_us = now_us };
}

gboolean
stasis_migrate_stall_look (StasisMigrateStall *stall, const StasisMigrationInfo *info,
                           gint64 now_us, GError **error)
{
  if (info->ram_transferred != stall->octets || info->status != stall->status
      || stasis_migration_status_is_shared (info->status))
    {
      stall->octets = info->ram_transferred;
      stall->status = info->status;
      stall->moved_us = now_us;
    }
  if (now_us - stall->moved_us <= (gint64) stall->limit_s * G_USEC_PER_SEC)
    return TRUE;
  g_set_error (
      error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT,
      _ ("the destination has taken nothing for %1$u s, while the guest stood still (QEMU: "
         "%2$s)"),
      stall->limit_s, stasis_migration_status_to_string (info->status));
  return FALSE;
}
