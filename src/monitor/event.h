/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * event.h: one event of QEMU
 */

#pragma once

#include <glib.h>

#include "util/json.h"

G_BEGIN_DECLS

/* Our own event: the queue was full and the oldest events are gone ("lost" in its data says how
 * many).  It is handed out in their place; whoever gets it asks QEMU for its state anew. */
#define STASIS_MONITOR_EVENTS_LOST "STASIS_EVENTS_LOST"

typedef struct
{
  char *name;          /* (owned) "STOP", "MIGRATION" ... */
  StasisJson *data;    /* (owned) (nullable) an object */
  gint64 timestamp_us; /* QEMU's clock, since the epoch; -1 where QEMU has none */
} StasisMonitorEvent;

/* A new event without data, stamped -1. */
StasisMonitorEvent *stasis_monitor_event_new (const char *name) G_GNUC_WARN_UNUSED_RESULT;

/* NULL is fine. */
void stasis_monitor_event_free (StasisMonitorEvent *event);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisMonitorEvent, stasis_monitor_event_free)

G_END_DECLS
