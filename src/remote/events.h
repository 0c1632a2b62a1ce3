/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * events.h: libvirt's domain events on the wire
 */

#pragma once

#include "remote/wire.h"

G_BEGIN_DECLS

/* Of libvirt's virDomainEventID. */
#define STASIS_EVENT_LIFECYCLE           0
#define STASIS_EVENT_MIGRATION_ITERATION 20
#define STASIS_EVENT_JOB_COMPLETED       21
#define STASIS_EVENT_COUNT               28

G_END_DECLS
