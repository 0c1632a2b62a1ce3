/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device-unplug.h: devices that leave a guest that runs
 */

#pragma once

#include "conf/device-def.h"
#include "driver/device-grip.h"

G_BEGIN_DECLS

/* Ask the guest to release the device, and wait for that for a few seconds.  *@out_is_gone: FALSE
 * where it takes longer: it is there until then, and whoever looks later clears it away. */
gboolean stasis_device_unplug (StasisDeviceGrip *grip, const StasisDevicePlace *place,
                               gboolean *out_is_gone, GError **error);
/* The same of the processor at that path in QEMU. */
gboolean stasis_device_unplug_cpu (StasisDeviceGrip *grip, const char *path, gboolean *out_is_gone,
                                   GError **error);

/* Clear away what the guest has released since it was asked. */
gboolean stasis_device_unplug_settle (StasisDeviceGrip *grip, GError **error);
/* The same for who has hold, monitor and live definition, which is changed too. */
gboolean stasis_device_unplug_settle_held (StasisDriver *driver, StasisHold *hold,
                                           StasisMonitor *monitor, StasisDomainDef *live,
                                           GError **error);
/* (transfer full) *@out_now: the definition as QEMU has the devices; NULL where that is @live. */
gboolean stasis_device_unplug_compare (StasisMonitor *monitor, const StasisDomainDef *live,
                                       StasisDomainDef **out_now, GError **error);
/* Clear away what was released, where nobody holds the domain; nothing is done where nothing is
 * due. */
void stasis_device_unplug_look (StasisDomain *domain);

G_END_DECLS
