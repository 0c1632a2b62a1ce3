/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-in-client.c: a driver that is a migration's destination, for migrate-in-test.py
 *
 * Each line on standard input is one call, an object, which gets a thread of its own:
 *
 *   {"id": N, "do": "prepare", "flags": N, "xml": TEXT, "cookie": TEXT, "uri": TEXT, ...}
 *   {"id": N, "do": "finish", "flags": N, "name": TEXT, "cookie": TEXT, "cancelled": BOOLEAN}
 *   {"id": N, "do": "abandon", "name": TEXT, "token": TEXT or none}
 *
 * and is answered by an object with that id.  At the end of the input the driver is freed.
 */

#include "config.h"

#include <stdio.h>
#include <string.h>

#include "driver/migrate-in.h"
#include "util/json.h"

static GMutex print_lock;

static void
answer (StasisJson *reply)
{
  g_autofree char *text = stasis_json_to_string (reply);
  g_mutex_lock (&print_lock);
  puts (text);
  g_mutex_unlock (&print_lock);
}

static const char *
text_of (const StasisJson *call, const char *key)
{
  return stasis_json_string (stasis_json_get (call, key), NULL);
}

static StasisMigrateRequest *
request_of (const StasisJson *call)
{
  StasisMigrateRequest *request = stasis_migrate_request_new ();
  request->uri = g_strdup (text_of (call, "uri"));
  request->listen_address = g_strdup (text_of (call, "listen"));
  request->dname = g_strdup (text_of (call, "dname"));
  request->persistent_xml = g_strdup (text_of (call, "persistent"));
  request->parallel_connections
      = (gint) stasis_json_int (stasis_json_get (call, "channels"), STASIS_MIGRATE_UNSET);
  return request;
}

/* (transfer full) (nullable) */
static GBytes *
octets_of (const StasisJson *call, const char *key)
{
  const char *text = text_of (call, key);
  return text != NULL ? g_bytes_new (text, strlen (text)) : NULL;
}

static void
add_octets (StasisJson *reply, const char *key, GBytes *octets)
{
  if (octets == NULL)
    return;
  gsize size = 0;
  const char *data = g_bytes_get_data (octets, &size);
  g_autofree char *text = g_strndup (data, size);
  stasis_json_set_string (reply, key, text);
}

static gboolean
prepare (StasisDriver *driver, const StasisJson *call, StasisJson *reply, GError **error)
{
  g_autoptr (StasisMigrateRequest) request = request_of (call);
  g_autoptr (GBytes) cookie = octets_of (call, "cookie");
  g_autoptr (GBytes) out_cookie = NULL;
  g_autofree char *uri = NULL;
  const guint flags = (guint) stasis_json_uint (stasis_json_get (call, "flags"), 0);
  if (!stasis_migrate_in_prepare (driver, flags, request, text_of (call, "xml"), cookie,
                                  &out_cookie, &uri, NULL, error))
    return FALSE;
  stasis_json_set_string (reply, "uri", uri);
  add_octets (reply, "cookie", out_cookie);
  return TRUE;
}

static gboolean
finish (StasisDriver *driver, const StasisJson *call, StasisJson *reply, GError **error)
{
  g_autoptr (GBytes) cookie = octets_of (call, "cookie");
  g_autoptr (GBytes) out_cookie = NULL;
  const guint flags = (guint) stasis_json_uint (stasis_json_get (call, "flags"), 0);
  g_autoptr (StasisDomain) domain = stasis_migrate_in_finish (
      driver, flags, text_of (call, "name"), cookie,
      stasis_json_boolean (stasis_json_get (call, "cancelled"), FALSE), &out_cookie, error);
  add_octets (reply, "cookie", out_cookie);
  if (domain != NULL)
    stasis_json_set_string (reply, "domain", stasis_domain_get_name (domain));
  return domain != NULL;
}

typedef struct
{
  StasisDriver *driver; /* (borrowed) */
  StasisJson *call;     /* (owned) */
} Work;

static gpointer
work (gpointer data)
{
  g_autofree Work *self = data;
  g_autoptr (StasisJson) call = self->call;
  g_autoptr (StasisJson) reply = stasis_json_new_object ();
  g_autoptr (GError) error = NULL;
  const char *what = text_of (call, "do");
  gboolean ok = TRUE;
  stasis_json_set_int (reply, "id", stasis_json_int (stasis_json_get (call, "id"), 0));
  if (g_strcmp0 (what, "prepare") == 0)
    ok = prepare (self->driver, call, reply, &error);
  else if (g_strcmp0 (what, "finish") == 0)
    ok = finish (self->driver, call, reply, &error);
  else
    stasis_migrate_in_abandon (self->driver, text_of (call, "name"), text_of (call, "token"));
  if (!ok)
    {
      stasis_json_set_string (reply, "error", error->message);
      stasis_json_set_string (reply, "kind", g_quark_to_string (error->domain));
      stasis_json_set_int (reply, "code", error->code);
    }
  answer (reply);
  return NULL;
}

static int
serve (StasisDriver *driver)
{
  g_autoptr (GPtrArray) threads = g_ptr_array_new ();
  g_autofree char *line = NULL;
  size_t room = 0;
  while (getline (&line, &room, stdin) > 0)
    {
      g_autoptr (GError) error = NULL;
      StasisJson *call = stasis_json_parse (line, -1, &error);
      if (call == NULL)
        g_error ("%s", error->message);
      Work *one = g_new (Work, 1);
      *one = (Work){ driver, call };
      g_ptr_array_add (threads, g_thread_new ("call", work, one));
    }
  for (guint i = 0; i < threads->len; i++)
    g_thread_join (g_ptr_array_index (threads, i));
  return 0;
}

int
main (void)
{
  setvbuf (stdout, NULL, _IOLBF, 0);
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisDriver) driver = stasis_driver_open ("stasis:///session", NULL, &error);
  if (driver == NULL)
    g_error ("%s", error->message);
  return serve (driver);
}
