/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-volume.h: files for disks that are copied to this host
 */

#pragma once

#include <stasis/migrate.h>

#include "conf/domain-def.h"
#include "driver/hold.h"
#include "driver/migrate-cookie.h"

G_BEGIN_DECLS

/* A disk that is copied here, which may be there already. */
typedef struct
{
  char *target;           /* (owned) */
  char *path;             /* (owned) as the definition has it here */
  char *format;           /* (owned) "raw", "qcow2" */
  guint64 size;           /* octets that the guest sees */
  char *backing;          /* (owned) (nullable) what it is to rest on */
  char *backing_format;   /* (owned) (nullable) */
  gboolean may_overwrite; /* what is in a file that is there already */
  gboolean is_block;      /* a device, which is never made */
} StasisMigrateVolume;

void stasis_migrate_volume_free (StasisMigrateVolume *volume);

/* (transfer full) (element-type StasisMigrateVolume): those that the source copies. */
GPtrArray *stasis_migrate_volumes_list (const StasisMigrateBegin *begin, const StasisDomainDef *def,
                                        StasisMigrateFlags flags);

/* Make those that are missing.  The journal notes them before they have names; after a failure
 * whatever it notes is to be removed. */
gboolean stasis_migrate_volumes_make (StasisHold *hold, const GPtrArray *volumes,
                                      GCancellable *cancellable, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisMigrateVolume, stasis_migrate_volume_free)

G_END_DECLS
