/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * events.c: libvirt's domain events on the wire
 */

#include "config.h"

#include "remote/events.h"

#include <string.h>

#include "remote/events-qemu.h"
#include "remote/job-params.h"
#include "remote/server-private.h"

#define PROCEDURE_OLD_LIFECYCLE 107
#define PROCEDURE_LIFECYCLE     318
#define PROCEDURE_JOB_COMPLETED 363
#define PROCEDURE_DEVICE_ADDED  354
#define PROCEDURE_QEMU_EVENT    6

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
  { "user", 0 },     { "migration", 1 }, { "migrating", 1 },        { "I/O error", 2 },
  { "watchdog", 3 }, { "post-copy", 7 }, { "post-copy failed", 8 },
};
static const Detail resumed[] = { { "post-copy", 3 }, { "post-copy failed", 4 } };
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
      return news->is_first ? count
                            : add (out, count, RESUMED,
                                   find (resumed, G_N_ELEMENTS (resumed), news->reason, 0));
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
    case STASIS_NEWS_QEMU:
    case STASIS_NEWS_DEVICE:
      break;
    }
  return 0;
}

/* A packet of one kind for all who want it. */
typedef struct
{
  guint32 program;
  gint32 event; /* of the callbacks */
  gint32 procedure;
  const char *layout;
  StasisWireValue *values; /* (borrowed) the first is the number of the callback */
  gboolean is_old;         /* it is not there */
  const guint8 *uuid;      /* (borrowed) of the domain */
  const char *name;        /* (borrowed) (nullable) of the event, where callbacks choose by it */
} Mail;

static void
send_mail (StasisSession *session, const Mail *mail)
{
  const StasisMessageHeader header = {
    .program = mail->program,
    .version = STASIS_PROGRAM_VERSION,
    .procedure = mail->procedure,
    .type = STASIS_MESSAGE_EVENT,
  };
  GByteArray *message = stasis_message_begin (&header);
  stasis_wire_encode (message, mail->layout, mail->values);
  stasis_message_end (message);
  stasis_session_send (session, message);
}

static gboolean
is_wanted (const StasisCallback *callback, const Mail *mail)
{
  if (callback->event != mail->event
      || (callback->is_of_one && memcmp (callback->uuid, mail->uuid, sizeof callback->uuid) != 0))
    return FALSE;
  if (callback->name == NULL || mail->name == NULL)
    return TRUE;
  return callback->any_case ? g_ascii_strcasecmp (callback->name, mail->name) == 0
                            : g_str_equal (callback->name, mail->name);
}

/* (transfer full): the numbers by which the client knows what wants this. */
static GArray *
find_callbacks (StasisSession *session, const Mail *mail)
{
  GArray *ids = g_array_new (FALSE, FALSE, sizeof (gint32));
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&session->lock);
  for (guint i = 0; i < session->callbacks->len; i++)
    {
      const StasisCallback *callback = &g_array_index (session->callbacks, StasisCallback, i);
      if (is_wanted (callback, mail))
        g_array_append_val (ids, callback->id);
    }
  return ids;
}

static void
send_to_all (StasisServer *server, const Mail *mail)
{
  for (guint i = 0; i < server->sessions->len; i++)
    {
      StasisSession *session = g_ptr_array_index (server->sessions, i);
      g_autoptr (GArray) ids = find_callbacks (session, mail);
      for (guint j = 0; j < ids->len; j++)
        {
          if (!mail->is_old)
            mail->values[0].i = g_array_index (ids, gint32, j);
          send_mail (session, mail);
        }
    }
}

/* With the domain at its place among the values, which are cleared. */
static void
tell_of_domain (StasisServer *server, const StasisDomainNews *news, const Mail *mail,
                guint domain_at)
{
  mail->values[domain_at].domain = stasis_wire_domain_new (news->name, mail->uuid, news->id);
  send_to_all (server, mail);
  stasis_wire_clear (mail->layout, mail->values);
}

/* In both ways; the old one has no number of a callback. */
static void
tell_lifecycle (StasisServer *server, const StasisDomainNews *news, const guint8 *uuid)
{
  StasisWireValue values[4] = { 0 };
  StasisLifecycle lifecycle[STASIS_LIFECYCLE_MAX];
  const guint count = stasis_events_lifecycle (news, lifecycle);
  const Mail mail = {
    .program = STASIS_PROGRAM_REMOTE,
    .event = STASIS_EVENT_LIFECYCLE,
    .procedure = PROCEDURE_LIFECYCLE,
    .layout = "iDii",
    .values = values,
    .uuid = uuid,
  };
  const Mail old = {
    .program = STASIS_PROGRAM_REMOTE,
    .event = STASIS_EVENT_OLD,
    .procedure = PROCEDURE_OLD_LIFECYCLE,
    .layout = "Dii",
    .values = values + 1,
    .is_old = TRUE,
    .uuid = uuid,
  };
  values[1].domain = stasis_wire_domain_new (news->name, uuid, news->id);
  for (guint i = 0; i < count; i++)
    {
      values[2].i = lifecycle[i].type;
      values[3].i = lifecycle[i].detail;
      send_to_all (server, &mail);
      send_to_all (server, &old);
    }
  stasis_wire_clear ("iDii", values);
}

static void
tell_job (StasisServer *server, const StasisDomainNews *news, const guint8 *uuid)
{
  StasisWireValue values[3] = { 0 };
  const Mail mail = {
    .program = STASIS_PROGRAM_REMOTE,
    .event = STASIS_EVENT_JOB_COMPLETED,
    .procedure = PROCEDURE_JOB_COMPLETED,
    .layout = "iDp",
    .values = values,
    .uuid = uuid,
  };
  values[2].items = stasis_job_params_make (news->stats);
  tell_of_domain (server, news, &mail, 1);
}

static void
tell_device (StasisServer *server, const StasisDomainNews *news, const guint8 *uuid)
{
  StasisWireValue values[3] = { 0 };
  const Mail mail = {
    .program = STASIS_PROGRAM_REMOTE,
    .event = STASIS_EVENT_DEVICE_ADDED,
    .procedure = PROCEDURE_DEVICE_ADDED,
    .layout = "iDs",
    .values = values,
    .uuid = uuid,
  };
  values[2].s = g_strdup (news->alias);
  tell_of_domain (server, news, &mail, 1);
}

/* In its own words. */
static void
tell_raw (StasisServer *server, const StasisDomainNews *news, const guint8 *uuid)
{
  const gint64 at = stasis_json_int (stasis_json_get (news->event, "at"), 0);
  const StasisJson *data = stasis_json_get (news->event, "data");
  StasisWireValue values[6] = { 0 };
  const Mail mail = {
    .program = STASIS_PROGRAM_QEMU,
    .event = STASIS_EVENT_QEMU,
    .procedure = PROCEDURE_QEMU_EVENT,
    .layout = "iDsluz",
    .values = values,
    .uuid = uuid,
    .name = stasis_json_string (stasis_json_get (news->event, "qemu"), ""),
  };
  values[2].s = g_strdup (mail.name);
  values[3].l = MAX (at, 0) / G_USEC_PER_SEC;
  values[4].u = (guint32) (MAX (at, 0) % G_USEC_PER_SEC);
  values[5].s = data != NULL ? stasis_json_to_string (data) : NULL;
  tell_of_domain (server, news, &mail, 1);
}

/* And in libvirt's. */
static void
tell_qemu (StasisServer *server, const StasisDomainNews *news, const guint8 *uuid)
{
  g_auto (StasisEventDevice) device = { NULL };
  const char *node = NULL;
  const char *alias = NULL;
  if (stasis_events_need_device (news->event, &node, &alias))
    stasis_event_device_find (server->driver, news->name, node, alias, &device);
  StasisEventPacket packets[STASIS_EVENT_PACKETS_MAX];
  const guint count = stasis_events_of_qemu (news->event, &device, packets);
  for (guint i = 0; i < count; i++)
    {
      StasisEventPacket *packet = &packets[i];
      const Mail mail = {
        .program = STASIS_PROGRAM_REMOTE,
        .event = packet->event,
        .procedure = packet->procedure,
        .layout = packet->layout,
        .values = packet->values,
        .uuid = uuid,
      };
      tell_of_domain (server, news, &mail, packet->domain_at);
    }
  tell_raw (server, news, uuid);
}

/* On the first thread. */
void
stasis_server_tell (const StasisDomainNews *news, gpointer server)
{
  guint8 uuid[STASIS_UUID_SIZE];
  if (!stasis_uuid_parse (news->uuid, uuid, NULL))
    return;
  if (news->kind == STASIS_NEWS_QEMU)
    tell_qemu (server, news, uuid);
  else if (news->kind == STASIS_NEWS_JOB)
    tell_job (server, news, uuid);
  else if (news->kind == STASIS_NEWS_DEVICE)
    tell_device (server, news, uuid);
  else
    tell_lifecycle (server, news, uuid);
}
