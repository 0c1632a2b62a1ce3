/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * events.c: libvirt's domain events on the wire
 */

#include "config.h"

#include "remote/events.h"

#include <string.h>

#include "remote/job-params.h"
#include "remote/server-private.h"

#define PROCEDURE_LIFECYCLE     318
#define PROCEDURE_JOB_COMPLETED 363

/* libvirt's virDomainEventType. */
enum
{
  DEFINED,
  UNDEFINED,
  STARTED,
  SUSPENDED,
  RESUMED,
  STOPPED,
  SHUTDOWN,
  PMSUSPENDED,
  CRASHED,
};

typedef struct
{
  const char *reason;
  gint32 detail;
} Detail;

static const Detail started[] = { { "booted", 0 }, { "migrated", 1 }, { "restored", 2 } };
static const Detail suspended[] = {
  { "user", 0 }, { "migration", 1 }, { "migrating", 1 }, { "I/O error", 2 }, { "watchdog", 3 }
};
static const Detail stopped[] = { { "shutdown", 0 }, { "destroyed", 1 }, { "crashed", 2 },
                                  { "migrated", 3 }, { "saved", 4 },     { "failed", 5 } };

static gint32
find (const Detail *details, gsize n_details, const char *reason, gint32 otherwise)
{
  for (gsize i = 0; i < n_details; i++)
    if (g_strcmp0 (details[i].reason, reason) == 0)
      return details[i].detail;
  return otherwise;
}

static guint
add (StasisLifecycle *out, guint count, gint32 type, gint32 detail)
{
  out[count] = (StasisLifecycle){ type, detail };
  return count + 1;
}

/* A guest that is first seen has been started; whether it ran before it stands still is not told.
 */
static guint
tell_state (const StasisDomainNews *news, StasisLifecycle *out)
{
  guint count = 0;
  if (news->is_first)
    count = add (out, count, STARTED, find (started, G_N_ELEMENTS (started), news->reason, 0));
  switch (news->state)
    {
    case STASIS_DOMAIN_RUNNING:
      return news->is_first ? count : add (out, count, RESUMED, 0);
    case STASIS_DOMAIN_PAUSED:
      return add (out, count, SUSPENDED,
                  find (suspended, G_N_ELEMENTS (suspended), news->reason, 0));
    case STASIS_DOMAIN_SHUTDOWN:
      return add (out, count, SHUTDOWN, 0);
    case STASIS_DOMAIN_PMSUSPENDED:
      return add (out, count, PMSUSPENDED, 0);
    case STASIS_DOMAIN_CRASHED:
      return add (out, count, CRASHED, 0);
    default:
      return count;
    }
}

/* What libvirt would tell of it. */
guint
stasis_events_lifecycle (const StasisDomainNews *news, StasisLifecycle *out)
{
  switch (news->kind)
    {
    case STASIS_NEWS_DEFINED:
      return add (out, 0, DEFINED, news->is_first ? 0 : 1);
    case STASIS_NEWS_UNDEFINED:
      return add (out, 0, UNDEFINED, 0);
    case STASIS_NEWS_STATE:
      return tell_state (news, out);
    case STASIS_NEWS_ENDED:
      return add (out, 0, STOPPED, find (stopped, G_N_ELEMENTS (stopped), news->reason, 2));
    case STASIS_NEWS_JOB:
      break;
    }
  return 0;
}

static void
send_event (StasisSession *session, gint32 procedure, const char *layout,
            const StasisWireValue *values)
{
  const StasisMessageHeader header = {
    .program = STASIS_PROGRAM_REMOTE,
    .version = STASIS_PROGRAM_VERSION,
    .procedure = procedure,
    .type = STASIS_MESSAGE_EVENT,
  };
  GByteArray *message = stasis_message_begin (&header);
  stasis_wire_encode (message, layout, values);
  stasis_message_end (message);
  stasis_session_send (session, message);
}

/* (transfer full): the numbers by which the client knows what wants this. */
static GArray *
find_callbacks (StasisSession *session, gint32 event, const StasisWireDomain *domain)
{
  GArray *ids = g_array_new (FALSE, FALSE, sizeof (gint32));
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&session->lock);
  for (guint i = 0; i < session->callbacks->len; i++)
    {
      const StasisCallback *callback = &g_array_index (session->callbacks, StasisCallback, i);
      if (callback->event == event
          && (!callback->is_of_one
              || memcmp (callback->uuid, domain->uuid, sizeof callback->uuid) == 0))
        g_array_append_val (ids, callback->id);
    }
  return ids;
}

/* The first value is the number of the callback. */
static void
send_to_all (StasisServer *server, gint32 event, gint32 procedure, const char *layout,
             StasisWireValue *values)
{
  for (guint i = 0; i < server->sessions->len; i++)
    {
      StasisSession *session = g_ptr_array_index (server->sessions, i);
      g_autoptr (GArray) ids = find_callbacks (session, event, values[1].domain);
      for (guint j = 0; j < ids->len; j++)
        {
          values[0].i = g_array_index (ids, gint32, j);
          send_event (session, procedure, layout, values);
        }
    }
}

/* On the first thread. */
void
stasis_server_tell (const StasisDomainNews *news, gpointer data)
{
  StasisServer *server = data;
  guint8 uuid[STASIS_UUID_SIZE];
  if (!stasis_uuid_parse (news->uuid, uuid, NULL))
    return;
  StasisWireValue values[4] = { 0 };
  values[1].domain = stasis_wire_domain_new (news->name, uuid, news->id);
  StasisLifecycle lifecycle[STASIS_LIFECYCLE_MAX];
  const guint count = stasis_events_lifecycle (news, lifecycle);
  for (guint i = 0; i < count; i++)
    {
      values[2].i = lifecycle[i].type;
      values[3].i = lifecycle[i].detail;
      send_to_all (server, STASIS_EVENT_LIFECYCLE, PROCEDURE_LIFECYCLE, "iDii", values);
    }
  stasis_wire_clear ("iDii", values);
  if (news->kind != STASIS_NEWS_JOB)
    return;
  values[1].domain = stasis_wire_domain_new (news->name, uuid, news->id);
  values[2].items = stasis_job_params_make (news->stats);
  send_to_all (server, STASIS_EVENT_JOB_COMPLETED, PROCEDURE_JOB_COMPLETED, "iDp", values);
  stasis_wire_clear ("iDp", values);
}
