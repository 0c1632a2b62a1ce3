/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device-media.h: what is in a CD-ROM or floppy drive
 */

#pragma once

#include "conf/device-def.h"
#include "driver/device-grip.h"

G_BEGIN_DECLS

/* TRUE for a drive whose medium comes and goes. */
gboolean stasis_disk_is_removable (const StasisDiskDef *disk);

/* @disk has the medium of @wanted, or none.  No other member is touched. */
void stasis_disk_take_medium (StasisDiskDef *disk, const StasisDiskDef *wanted);

/* Change the medium: @next_take has the new one at @place.  @force: although the guest has locked
 * the tray. */
gboolean stasis_device_change_medium (StasisDeviceGrip *grip, StasisDomainDef *next_take,
                                      const StasisDevicePlace *place, gboolean force,
                                      GError **error);

G_END_DECLS
