/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * event-queue.c: the events that nobody has taken yet
 *
 * QEMU may send events faster than anybody takes them, and on purpose, so the queue is limited in
 * number and in octets.  What to drop: the oldest, since a consumer that was away needs to know
 * how things stand, not how they came to.  The loss is told at the place of the lost events, so
 * that the consumer can ask for the state anew before it goes on with the later ones.
 */

#include "config.h"

#include "monitor/event-queue.h"

typedef struct
{
  StasisMonitorEvent *event; /* (owned) */
  gsize size;
} Entry;

static void
free_entry (gpointer data)
{
  Entry *entry = data;
  stasis_monitor_event_free (entry->event);
  g_free (entry);
}

/* An empty queue of at most @count_max events. */
void
stasis_event_queue_init (StasisEventQueue *queue, guint count_max)
{
  *queue = (StasisEventQueue){ .count_max = count_max };
  g_queue_init (&queue->entries);
}

/* Drop all. */
void
stasis_event_queue_clear (StasisEventQueue *queue)
{
  g_queue_clear_full (&queue->entries, free_entry);
  queue->octets = 0;
  queue->n_lost = 0;
}

static void
drop_oldest (StasisEventQueue *queue)
{
  Entry *entry = g_queue_pop_head (&queue->entries);
  queue->octets -= entry->size;
  queue->n_lost++;
  free_entry (entry);
}

/* Append, and drop the oldest beyond the limits. */
void
stasis_event_queue_push (StasisEventQueue *queue, StasisMonitorEvent *event_take, gsize size)
{
  Entry *entry = g_new0 (Entry, 1);
  entry->event = event_take;
  entry->size = size;
  g_queue_push_tail (&queue->entries, entry);
  queue->octets += size;
  while (queue->entries.length > queue->count_max
         || (queue->octets > STASIS_EVENT_QUEUE_OCTETS_MAX && queue->entries.length > 1))
    drop_oldest (queue);
}

/* The oldest, or NULL. */
StasisMonitorEvent *
stasis_event_queue_pop (StasisEventQueue *queue)
{
  if (queue->n_lost > 0)
    {
      StasisMonitorEvent *lost = stasis_monitor_event_new (STASIS_MONITOR_EVENTS_LOST);
      lost->data = stasis_json_new_object ();
      stasis_json_set_uint (lost->data, "lost", queue->n_lost);
      queue->n_lost = 0;
      return lost;
    }

  Entry *entry = g_queue_pop_head (&queue->entries);
  if (entry == NULL)
    return NULL;
  StasisMonitorEvent *event = g_steal_pointer (&entry->event);
  queue->octets -= entry->size;
  free_entry (entry);
  return event;
}

/* TRUE where pop has nothing to give. */
gboolean
stasis_event_queue_is_empty (const StasisEventQueue *queue)
{
  return queue->n_lost == 0 && queue->entries.length == 0;
}
