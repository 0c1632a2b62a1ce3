/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * devices.h: external devices: what QEMU does not carry must come along or say no
 */

#pragma once

#include <stasis/driver.h>

#include "conf/domain-def.h"
#include "driver/migrate-mirror.h"
#include "monitor/monitor.h"

G_BEGIN_DECLS

typedef enum
{
  STASIS_DEVICE_SAVE,
  STASIS_DEVICE_RESTORE,
  STASIS_DEVICE_MIGRATE, /* to another host */
} StasisDeviceOperation;

/* What the handlers are told.  All borrowed. */
typedef struct
{
  StasisDeviceOperation operation;
  gboolean is_live;        /* the guest runs while its state is taken */
  const char *destination; /* (nullable) the image's path */
  const StasisDomainDef *def;
  StasisMonitor *monitor;        /* (nullable): of the running guest */
  StasisDriver *driver;          /* (nullable): who uses a device is looked for among its domains */
  StasisMigrateMirrors *mirrors; /* (nullable): copies of disks, from step 1 on */
} StasisDeviceRequest;

/* One kind of device.  Every slot is filled.  Called on the job's thread. */
typedef struct
{
  const char *name;

  /* Step 0: may it move at all?  Quick, without side effects.  FALSE: no, and the error names
   * the device and the reason. */
  gboolean (*test) (const StasisDeviceRequest *request, GError **error);

  /* Step 1: the transfer has begun, and the guest may run.  Returns once the device can be
   * transferred at any time. */
  gboolean (*prepare) (const StasisDeviceRequest *request, GError **error);

  /* Step 2: the guest stands still.  Begins, and returns at once. */
  gboolean (*transfer) (const StasisDeviceRequest *request, GError **error);

  /* Step 3: until it is done. */
  gboolean (*sync) (const StasisDeviceRequest *request, GError **error);

  /* Undo what any later step did.  Called in reverse order for each handler whose test said
   * yes, when the operation fails after its first lasting step.  Must not fail. */
  void (*recover) (const StasisDeviceRequest *request);
} StasisDeviceOps;

/* Step 0 of all handlers, before anything else is touched. */
gboolean stasis_devices_test (const StasisDeviceRequest *request, GError **error);

/* Steps 1 to 3, each of all handlers before the next one begins. */
gboolean stasis_devices_prepare (const StasisDeviceRequest *request, GError **error);
gboolean stasis_devices_transfer (const StasisDeviceRequest *request, GError **error);
gboolean stasis_devices_sync (const StasisDeviceRequest *request, GError **error);

/* For the slots of a handler that has nothing to do in a step.  TRUE. */
gboolean stasis_devices_no_step (const StasisDeviceRequest *request, GError **error);

/* After a failure: recover of all, in reverse order. */
void stasis_devices_recover (const StasisDeviceRequest *request);

extern const StasisDeviceOps stasis_device_disk;
extern const StasisDeviceOps stasis_device_qemu;

G_END_DECLS
