/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disks.h: the disks of a domain at the moment of a save or restore
 */

#pragma once

#include "conf/domain-def.h"
#include "image/disks.h"

G_BEGIN_DECLS

/* Note what each disk with a medium is now.  QEMU has flushed them.  A read-only one that cannot
 * be opened is left out, as is one in an open tray.  (transfer full) of StasisImageDisk */
GPtrArray *stasis_disks_describe (const StasisDomainDef *def, GError **error);

/* Refuse where a writable disk of these (image/disks.h; NULL: there are none) is not what it was
 * when the guest was saved. */
gboolean stasis_disks_check (const StasisJson *disks, const StasisDomainDef *def, GError **error);
/* Append to @bases (of StasisImageDisk) what a disk rests on, nearest first. */
gboolean stasis_disks_describe_chain (const StasisDiskDef *disk, GPtrArray *bases, GError **error);

/* (transfer full) (element-type StasisImageDisk): what those of @disks rest on that are snapshots.
 */
GPtrArray *stasis_disks_describe_bases (const StasisDomainDef *def, const GPtrArray *disks,
                                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
