/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device-grip.h: a domain whose devices are being changed
 */

#pragma once

#include <stasis/device.h>

#include "driver/device-change.h"
#include "driver/hold.h"

G_BEGIN_DECLS

/* The domain's lock and the definitions that are to be changed: @live where it runs and that is
 * meant, @config where the persistent one is. */
typedef struct
{
  StasisDriver *driver;      /* (borrowed) */
  GCancellable *cancellable; /* (borrowed) (nullable) */
  StasisHold *hold;          /* (owned) */
  StasisMonitor *monitor;    /* (owned) (nullable) with @live */
  StasisDomainDef *live;     /* (owned) (nullable) */
  StasisDomainDef *config;   /* (owned) (nullable) */
} StasisDeviceGrip;

/* An error where the flags do not fit the domain's state, and STASIS_ERROR_BUSY while a job goes
 * on.  @known: the flags that may be there. */
gboolean stasis_device_grip_take (StasisDeviceGrip *grip, StasisDomain *domain,
                                  StasisAffectFlags flags, StasisAffectFlags known,
                                  GCancellable *cancellable, GError **error);
/* An error where there are others than these, and those that say what is changed. */
gboolean stasis_device_grip_check_flags (StasisAffectFlags flags, StasisAffectFlags known,
                                         GError **error);
void stasis_device_grip_clear (StasisDeviceGrip *grip);

/* (transfer full): a copy of the live definition to be changed. */
StasisDomainDef *stasis_device_grip_copy_live (const StasisDeviceGrip *grip);
/* Fill in and check what was changed of it. */
gboolean stasis_device_grip_complete_live (const StasisDeviceGrip *grip, StasisDomainDef *next,
                                           GError **error);
/* The same of @config, which has been changed: it can be started. */
gboolean stasis_device_grip_complete_config (const StasisDeviceGrip *grip, GError **error);

/* The journal says what is going to be changed; @next is the live definition when it is. */
gboolean stasis_device_grip_begin (StasisDeviceGrip *grip, StasisDomainDef *next,
                                   const char *operation, StasisDeviceChange *change_take,
                                   GError **error);
/* It is done, or, with an error in @failure (nullable) (transfer full), is not and is undone: then
 * FALSE with that error. */
gboolean stasis_device_grip_end (StasisDeviceGrip *grip, StasisDomainDef *next_take,
                                 GError *failure_take, GError **error);

/* The live definition is another one, nothing of QEMU's changes with that. */
gboolean stasis_device_grip_rewrite_live (StasisDeviceGrip *grip, GError **error);
/* The persistent definition is @config now, where there is one. */
gboolean stasis_device_grip_store (const StasisDeviceGrip *grip, GError **error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (StasisDeviceGrip, stasis_device_grip_clear)

G_END_DECLS
