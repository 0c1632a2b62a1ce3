/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * events.h: libvirt's domain events on the wire
 */

#pragma once

#include "driver/domain-news.h"

G_BEGIN_DECLS

/* Of libvirt's virDomainEventID; all below the last can be asked for. */
#define STASIS_EVENT_LIFECYCLE     0
#define STASIS_EVENT_DEVICE_ADDED  19
#define STASIS_EVENT_JOB_COMPLETED 21
#define STASIS_EVENT_COUNT         28

/* Ours, for two other ways to ask: the old one for lifecycle events, and that for QEMU's own. */
#define STASIS_EVENT_OLD  (-1)
#define STASIS_EVENT_QEMU (-2)

/* libvirt's virDomainEventType, and what it says besides. */
typedef struct
{
  gint32 type;
  gint32 detail;
} StasisLifecycle;

#define STASIS_LIFECYCLE_MAX 2u

/* What libvirt would tell of it, at most STASIS_LIFECYCLE_MAX; how many. */
guint stasis_events_lifecycle (const StasisDomainNews *news, StasisLifecycle *out);

G_END_DECLS
