/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * events-qemu.h: what libvirt makes of QEMU's events
 */

#pragma once

#include "driver/event-device.h"
#include "remote/wire.h"
#include "util/json.h"

G_BEGIN_DECLS

#define STASIS_EVENT_PACKET_VALUES 6u
#define STASIS_EVENT_PACKETS_MAX   2u

/* One of libvirt's events: the first value is the number of the callback, and the domain is still
 * missing. */
typedef struct
{
  gint32 event;
  gint32 procedure;
  const char *layout; /* (static) */
  guint domain_at;    /* which value that is */
  StasisWireValue values[STASIS_EVENT_PACKET_VALUES];
} StasisEventPacket;

/* TRUE where it cannot be told without knowing which device is meant: by the block node, or the
 * alias (borrowed, nullable, both). */
gboolean stasis_events_need_device (const StasisJson *event, const char **out_node,
                                    const char **out_alias);
/* @device: (nullable).  At most STASIS_EVENT_PACKETS_MAX, whose values are to be cleared; how many.
 */
guint stasis_events_of_qemu (const StasisJson *event, const StasisEventDevice *device,
                             StasisEventPacket *out);

G_END_DECLS
