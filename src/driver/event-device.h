/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * event-device.h: which device of a domain an event of QEMU's is about
 */

#pragma once

#include <stasis/stasis.h>

G_BEGIN_DECLS

typedef struct
{
  char *alias;       /* (owned) (nullable) */
  char *source;      /* (owned) (nullable) of a disk: path */
  gboolean is_agent; /* the channel of the guest's agent */
} StasisEventDevice;

/* By the name of a block node, or the alias; all is empty where there is no such device. */
void stasis_event_device_find (StasisDriver *driver, const char *domain, const char *node,
                               const char *alias, StasisEventDevice *out_device);
void stasis_event_device_clear (StasisEventDevice *device);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (StasisEventDevice, stasis_event_device_clear)

G_END_DECLS
