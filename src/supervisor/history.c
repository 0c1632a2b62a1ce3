/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * history.c: what became of a guest lately, for those who want to hear of it
 *
 * Everything that happens has a number.  Who watches asks for what came after the last that it has
 * heard of, and is answered when there is something: so nothing is lost between two questions, as
 * long as not more happens than is kept.  What QEMU has said makes room before states and jobs do:
 * a guest can bring about as much of it as it likes.  Who stays is told of each thing when it
 * happens, before anybody who waits for us to see it is answered.
 */

#include "config.h"

#include "supervisor/history.h"

#include <string.h>

#include "driver/job-stats-json.h"

#define KEPT_MAX        64u
#define QEMU_SIZE_MAX   4096u /* octets of an event of QEMU's */
#define QEMU_SECOND_MAX 16u   /* of them in a second */

typedef struct
{
  guint64 number;
  StasisJson *event; /* (owned) */
  gboolean is_qemu;  /* QEMU has said so */
} Entry;

struct _StasisHistory
{
  StasisControlServer *server; /* (borrowed) (nullable) */
  GQueue entries;              /* (owned) of Entry, the oldest first */
  guint64 lost;                /* number of the youngest state or job that is kept no more */
  guint64 last;                /* number of the youngest; 0: none */
  GHashTable *waiting;         /* (owned) StasisClientId -> guint64: after which */
  GHashTable *staying;         /* (owned) of StasisClientId */
  StasisDomainState state;
  const char *reason; /* (nullable) interned */
  gint64 second;      /* in which QEMU was heard of last (monotonic) */
  guint n_in_second;  /* events of QEMU's */
};

/* None yet. */
StasisHistory *
stasis_history_new (void)
{
  StasisHistory *self = g_new0 (StasisHistory, 1);
  g_queue_init (&self->entries);
  self->waiting = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, g_free);
  self->staying = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  return self;
}

/* Where those are answered who wait. */
void
stasis_history_set_server (StasisHistory *self, StasisControlServer *server)
{
  self->server = server;
}

static StasisJson *
state_to_json (StasisDomainState state, const char *reason)
{
  StasisJson *json = stasis_json_new_object ();
  stasis_json_set_int (json, "state", state);
  stasis_json_set_string (json, "reason", reason != NULL ? reason : "unknown");
  return json;
}

static StasisJson *
new_reply (const StasisHistory *self, StasisJson *events_take)
{
  StasisJson *reply = stasis_json_new_object ();
  stasis_json_set_boolean (reply, "ok", TRUE);
  stasis_json_set_uint (reply, "number", self->last);
  stasis_json_set (reply, "events", events_take);
  return reply;
}

/* How it is. */
static StasisJson *
tell_present (const StasisHistory *self)
{
  StasisJson *list = stasis_json_new_array ();
  if (self->last > 0)
    stasis_json_array_append (list, state_to_json (self->state, self->reason));
  return new_reply (self, list);
}

/* What came after this number. */
static StasisJson *
tell_since (const StasisHistory *self, guint64 after)
{
  StasisJson *list = stasis_json_new_array ();
  for (GList *item = self->entries.head; item != NULL; item = item->next)
    {
      const Entry *entry = item->data;
      if (entry->number > after)
        stasis_json_array_append (list, stasis_json_ref (entry->event));
    }
  StasisJson *reply = new_reply (self, list);
  if (after < self->lost)
    stasis_json_set_boolean (reply, "lost", TRUE);
  return reply;
}

static gboolean
answer_one (gpointer key, gpointer value, gpointer data)
{
  StasisHistory *self = data;
  const StasisClientId *client = key;
  const guint64 *after = value;
  stasis_control_server_reply (self->server, *client, tell_since (self, *after));
  return TRUE; /* it waits no more */
}

static void
tell_staying (const StasisHistory *self, StasisJson *event)
{
  g_autoptr (StasisJson) message = stasis_json_new_object ();
  StasisJson *list = stasis_json_new_array ();
  stasis_json_array_append (list, stasis_json_ref (event));
  stasis_json_set_uint (message, "number", self->last);
  stasis_json_set (message, "events", list);
  GHashTableIter iter;
  gpointer client;
  g_hash_table_iter_init (&iter, self->staying);
  while (g_hash_table_iter_next (&iter, &client, NULL))
    stasis_control_server_tell (self->server, *(const StasisClientId *) client, message);
}

/* The oldest of QEMU's, if there is any. */
static void
make_room (StasisHistory *self)
{
  GList *item = self->entries.head;
  while (item != NULL && !((const Entry *) item->data)->is_qemu)
    item = item->next;
  if (item == NULL)
    item = self->entries.head;
  Entry *entry = item->data;
  if (!entry->is_qemu)
    self->lost = entry->number;
  stasis_json_unref (entry->event);
  g_free (entry);
  g_queue_delete_link (&self->entries, item);
}

static void
add (StasisHistory *self, StasisJson *event_take, gboolean is_qemu)
{
  g_autoptr (StasisJson) event = stasis_json_ref (event_take); /* it may be what makes room */
  Entry *entry = g_new (Entry, 1);
  *entry = (Entry){ ++self->last, event_take, is_qemu };
  g_queue_push_tail (&self->entries, entry);
  if (self->entries.length > KEPT_MAX)
    make_room (self);
  if (self->server == NULL)
    return;
  g_hash_table_foreach_remove (self->waiting, answer_one, self);
  tell_staying (self, event);
}

/* The guest's state is another one. */
void
stasis_history_add_state (StasisHistory *self, StasisDomainState state, const char *reason)
{
  self->state = state;
  self->reason = reason;
  add (self, state_to_json (state, reason), FALSE);
}

/* A job has come to its end. */
void
stasis_history_add_job (StasisHistory *self, const StasisJobStats *stats)
{
  StasisJson *json = stasis_json_new_object ();
  stasis_json_set (json, "job", stasis_job_stats_to_json (stats));
  add (self, json, FALSE);
}

/* A device has come to it. */
void
stasis_history_add_device (StasisHistory *self, const char *alias)
{
  StasisJson *json = stasis_json_new_object ();
  stasis_json_set_string (json, "device-added", alias);
  add (self, json, FALSE);
}

/* QEMU has said this. */
void
stasis_history_add_qemu (StasisHistory *self, StasisJson *event)
{
  const gint64 second = g_get_monotonic_time () / G_USEC_PER_SEC;
  if (second != self->second)
    self->n_in_second = 0;
  self->second = second;
  g_autofree char *text = stasis_json_to_string (event);
  if (strlen (text) <= QEMU_SIZE_MAX && self->n_in_second++ < QEMU_SECOND_MAX)
    add (self, stasis_json_ref (event), TRUE);
}

/* Answer, now or later. */
void
stasis_history_ask (StasisHistory *self, StasisClientId client, gint64 after, gboolean stays)
{
  if (!stays && after >= 0 && (guint64) after >= self->last)
    {
      guint64 *number = g_new (guint64, 1);
      *number = (guint64) after;
      g_hash_table_replace (self->waiting, g_memdup2 (&client, sizeof client), number);
      return;
    }
  StasisJson *reply = after < 0 ? tell_present (self) : tell_since (self, (guint64) after);
  if (stays)
    {
      g_hash_table_add (self->staying, g_memdup2 (&client, sizeof client));
      stasis_json_set_boolean (reply, "stay", TRUE);
    }
  stasis_control_server_reply (self->server, client, reply);
}

/* It has gone. */
void
stasis_history_forget (StasisHistory *self, StasisClientId client)
{
  g_hash_table_remove (self->waiting, &client);
  g_hash_table_remove (self->staying, &client);
}

/* TRUE for one that waits or stays. */
gboolean
stasis_history_has (const StasisHistory *self, StasisClientId client)
{
  return g_hash_table_contains (self->waiting, &client)
         || g_hash_table_contains (self->staying, &client);
}
