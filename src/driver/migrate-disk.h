/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-disk.h: a disk, as two hosts see it
 */

#pragma once

#include "conf/domain-def.h"
#include "driver/migrate-cookie.h"

G_BEGIN_DECLS

/* (transfer full): what a disk with a medium is on this host; whether it is copied is not said. */
StasisMigrateDisk *stasis_migrate_disk_describe (const StasisDiskDef *disk,
                                                 GError **error) G_GNUC_WARN_UNUSED_RESULT;
void stasis_migrate_disk_free (StasisMigrateDisk *disk);

/* (nullable): why a disk of a definition is not copied to another host. */
const char *stasis_migrate_disk_why_not (const StasisDiskDef *disk);

/* What it rests on, by the names of this host: nothing where it rests on nothing. */
gboolean stasis_migrate_disk_add_backing (StasisMigrateDisk *disk, GError **error);

/* (nullable): the block node that a guest has as its disk, of QEMU's (of StasisMonitorBlock). */
const char *stasis_migrate_disk_node (const StasisDomainDef *def, const char *target,
                                      const GPtrArray *blocks);

typedef enum
{
  STASIS_MIGRATE_DISK_OTHER,
  STASIS_MIGRATE_DISK_SAME,
  STASIS_MIGRATE_DISK_UNCERTAIN, /* it cannot be told */
} StasisMigrateSameness;

/* Whether both are one file. */
StasisMigrateSameness stasis_migrate_disk_compare (const StasisMigrateDisk *source,
                                                   const StasisMigrateDisk *here,
                                                   gboolean is_same_host);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisMigrateDisk, stasis_migrate_disk_free)

G_END_DECLS
