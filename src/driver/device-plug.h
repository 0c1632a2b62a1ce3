/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device-plug.h: devices that come to a guest that runs
 */

#pragma once

#include "conf/device-def.h"
#include "driver/command-private.h"
#include "driver/device-grip.h"

G_BEGIN_DECLS

/* What a device needs of the host, opened and given to QEMU. */
typedef struct
{
  GPtrArray *resources; /* (owned) of StasisResource */
  GArray *fds;          /* (owned) of int: ours, until QEMU has them */
} StasisPlugResources;

void stasis_plug_resources_clear (StasisPlugResources *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (StasisPlugResources, stasis_plug_resources_clear)

/* Open what the device at @place needs. */
gboolean stasis_plug_resources_open (StasisPlugResources *self, const StasisDeviceGrip *grip,
                                     const StasisDomainDef *def, const StasisDevicePlace *place,
                                     GError **error);
/* Give it to QEMU; @mark is by what it is found again. */
gboolean stasis_plug_resources_pass (StasisPlugResources *self, const StasisDeviceGrip *grip,
                                     const char *mark, GError **error);

/* (transfer full): the options that make the device at @place, and what is behind it; by pairs of
 * name and JSON.  @node_base: (nullable) see StasisArgs.  Only disks and interfaces. */
GPtrArray *stasis_plug_options (const StasisDeviceGrip *grip, const StasisPlugResources *resources,
                                const StasisDomainDef *def, const StasisDevicePlace *place,
                                const char *node_base, GError **error);
/* Carry them out; @only (nullable): those of that name. */
gboolean stasis_plug_run (const StasisDeviceGrip *grip, const GPtrArray *options, const char *only,
                          GError **error);

/* Add the device, which @next_take has got at @place: all of it, or nothing. */
gboolean stasis_device_plug (StasisDeviceGrip *grip, StasisDomainDef *next_take,
                             const StasisDevicePlace *place, GError **error);

G_END_DECLS
