/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * event.c: one event of QEMU
 */

#include "config.h"

#include "monitor/event.h"

/* A new event without data. */
StasisMonitorEvent *
stasis_monitor_event_new (const char *name)
{
  StasisMonitorEvent *event = g_new0 (StasisMonitorEvent, 1);
  event->name = g_strdup (name);
  event->timestamp_us = -1;
  return event;
}

/* NULL is fine. */
void
stasis_monitor_event_free (StasisMonitorEvent *event)
{
  if (event == NULL)
    return;

  stasis_json_unref (event->data);
  g_free (event->name);
  g_free (event);
}
