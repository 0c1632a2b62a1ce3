/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-source.c: drive the source of a migration step by step, for tests/integration
 *
 * migrate-source NAME: each line of standard input is a step, each line of standard output its
 * answer; all are JSON objects.
 *
 *   {"step": "begin", "flags": N, ...}                 {"xml": ..., "cookie": ...}
 *   {"step": "perform", "flags": N, "cookie": ...}     {"cookie": ...}
 *   {"step": "confirm", "flags": N, "cookie": ... or none, "cancelled": B}   {}
 *   {"step": "abandon"}                                {}
 *   {"step": "limit", "bandwidth": N}                  {"speed": N}
 *
 * A step that failed answers {"error": message, "domain": ..., "code": N}.  SIGUSR1 cancels the
 * one that goes on.
 */

#include "config.h"

#include <glib-unix.h>
#include <stasis/stasis.h>
#include <stdio.h>
#include <string.h>

#include "driver/migrate-out.h"
#include "util/json-path.h"

typedef struct
{
  StasisDomain *domain;
  StasisMigrateFlags flags;
  StasisMigrateRequest *request;
  GBytes *cookie; /* (nullable) */
  gboolean is_cancelled;
  GCancellable *cancellable;
  StasisJson *answer;
} Step;

static GCancellable *cancellable_now; /* (guarded by main_lock) */
static GMutex main_lock;

static void
put_cookie (StasisJson *answer, GBytes *cookie_take)
{
  gsize size = 0;
  const char *text = g_bytes_get_data (cookie_take, &size);
  g_autofree char *copy = g_strndup (text, size);
  stasis_json_set_text (answer, "cookie", copy);
  g_bytes_unref (cookie_take);
}

static gboolean
begin (Step *step, GError **error)
{
  g_autofree char *xml = NULL;
  GBytes *cookie = NULL;
  if (!stasis_migrate_out_begin (step->domain, step->flags, step->request, &xml, &cookie,
                                 step->cancellable, error))
    return FALSE;
  stasis_json_set_text (step->answer, "xml", xml);
  put_cookie (step->answer, cookie);
  return TRUE;
}

static gboolean
perform (Step *step, GError **error)
{
  GBytes *cookie = NULL;
  if (!stasis_migrate_out_perform (step->domain, step->flags, step->request, step->cookie, &cookie,
                                   NULL, NULL, step->cancellable, error))
    return FALSE;
  put_cookie (step->answer, cookie);
  return TRUE;
}

static gboolean
confirm (Step *step, GError **error)
{
  return stasis_migrate_out_confirm (step->domain, step->flags, step->cookie, step->is_cancelled,
                                     error);
}

static gboolean
abandon (Step *step, GError **error)
{
  stasis_migrate_out_abandon (step->domain, NULL);
  return TRUE;
}

static const struct
{
  const char *name;
  gboolean (*run) (Step *step, GError **error);
} steps[] = {
  { "begin", begin },
  { "perform", perform },
  { "confirm", confirm },
  { "abandon", abandon },
};

static char *
dup_member (const StasisJson *line, const char *key)
{
  return g_strdup (stasis_json_string (stasis_json_get (line, key), NULL));
}

static void
read_step (Step *step, const StasisJson *line)
{
  const char *cookie = stasis_json_string (stasis_json_get (line, "cookie"), NULL);
  step->flags = (StasisMigrateFlags) stasis_json_int (stasis_json_get (line, "flags"), 0);
  step->cookie = cookie != NULL ? g_bytes_new (cookie, strlen (cookie)) : NULL;
  step->is_cancelled = stasis_json_boolean (stasis_json_get (line, "cancelled"), FALSE);
  step->request = stasis_migrate_request_new ();
  step->request->uri = dup_member (line, "uri");
  step->request->xml = dup_member (line, "new-xml");
  step->request->bandwidth = (guint64) stasis_json_int (stasis_json_get (line, "bandwidth"), 0);
  step->answer = stasis_json_new_object ();
}

static void
run_step (StasisDomain *domain, const StasisJson *line, GCancellable *cancellable)
{
  Step step = { .domain = domain, .cancellable = cancellable };
  g_autoptr (GError) error = NULL;
  const char *name = stasis_json_string (stasis_json_get (line, "step"), "");
  read_step (&step, line);
  for (gsize i = 0; i < G_N_ELEMENTS (steps); i++)
    if (g_str_equal (steps[i].name, name) && !steps[i].run (&step, &error))
      {
        stasis_json_set_text (step.answer, "error", error->message);
        stasis_json_set_string (step.answer, "domain", g_quark_to_string (error->domain));
        stasis_json_set_int (step.answer, "code", error->code);
      }
  g_autofree char *text = stasis_json_to_string (step.answer);
  printf ("%s\n", text);
  fflush (stdout);
  stasis_json_unref (step.answer);
  g_clear_pointer (&step.cookie, g_bytes_unref);
  stasis_migrate_request_free (step.request);
}

static gboolean
on_signal (gpointer data)
{
  g_mutex_lock (&main_lock);
  if (cancellable_now != NULL)
    g_cancellable_cancel (cancellable_now);
  g_mutex_unlock (&main_lock);
  return G_SOURCE_CONTINUE;
}

static gpointer
watch_signals (gpointer data)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_unix_signal_add (SIGUSR1, on_signal, NULL);
  g_main_loop_run (loop);
  return NULL;
}

static void
set_cancellable (GCancellable *cancellable)
{
  g_mutex_lock (&main_lock);
  cancellable_now = cancellable;
  g_mutex_unlock (&main_lock);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisDriver) driver = stasis_driver_open (NULL, NULL, &error);
  g_autoptr (StasisDomain) domain
      = driver != NULL && argc == 2 ? stasis_driver_lookup_by_name (driver, argv[1], &error) : NULL;
  if (domain == NULL)
    g_error ("%s", error != NULL ? error->message : "usage: migrate-source NAME");
  g_thread_unref (g_thread_new ("signals", watch_signals, NULL));
  g_autofree char *text = NULL;
  size_t size = 0;
  while (getline (&text, &size, stdin) > 0)
    {
      g_autoptr (StasisJson) line = stasis_json_parse (text, -1, &error);
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      g_assert_no_error (error);
      set_cancellable (cancellable);
      run_step (domain, line, cancellable);
      set_cancellable (NULL);
    }
  return 0;
}
