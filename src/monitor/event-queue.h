/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * event-queue.h: the events that nobody has taken yet
 */

#pragma once

#include "monitor/event.h"

G_BEGIN_DECLS

#define STASIS_EVENT_QUEUE_OCTETS_MAX STASIS_JSON_SIZE_MAX

/* Not locked: whoever embeds it locks. */
typedef struct
{
  GQueue entries; /* (owned) */
  guint count_max;
  gsize octets;   /* sizes of all entries */
  guint64 n_lost; /* dropped since the last one was handed out */
} StasisEventQueue;

void stasis_event_queue_init (StasisEventQueue *queue, guint count_max);
void stasis_event_queue_clear (StasisEventQueue *queue);

/* Append; where it is full the oldest make room.  @size: octets the event took as text. */
void stasis_event_queue_push (StasisEventQueue *queue, StasisMonitorEvent *event_take, gsize size);

/* The oldest (transfer full), or NULL.  Where some were lost, first one that says so. */
StasisMonitorEvent *stasis_event_queue_pop (StasisEventQueue *queue) G_GNUC_WARN_UNUSED_RESULT;

gboolean stasis_event_queue_is_empty (const StasisEventQueue *queue);

G_END_DECLS
