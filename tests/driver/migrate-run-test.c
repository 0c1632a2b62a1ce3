/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-run-test.c: tests of src/driver/migrate-run.c, with two drivers that only note what they
 * are told
 */

#include "config.h"

#include <string.h>

#include "driver/migrate-out.h"

#define SOURCE "stasis+unix:///system?socket=/source"
#define DEST   "stasis+unix:///system?socket=/dest"
#define UUID   "6a3c4a0e-0f0c-4c0c-8a52-5d6c3b6f2a11"

/* Of the case that is run; all steps are on one thread. */
static GString *steps;
static const char *failing;     /* the step that fails */
static int failing_code;        /* of STASIS_ERROR */
static StasisDomainState state; /* of the domain at the source */
static const char *reason;
static gboolean has_no_uri; /* Prepare does not say where to send to */

static gboolean
note (const char *step, const char *cookie, const char *wanted, GError **error)
{
  g_string_append_printf (steps, "%s%s", steps->len > 0 ? " " : "", step);
  g_assert_cmpstr (cookie, ==, wanted);
  if (g_strcmp0 (failing, step) != 0)
    return TRUE;
  g_set_error (error, STASIS_ERROR, failing_code, "%s has failed", step);
  return FALSE;
}

static const char *
text_of (GBytes *cookie)
{
  return cookie != NULL ? g_bytes_get_data (cookie, NULL) : NULL;
}

static GBytes *
make_cookie (const char *text)
{
  return g_bytes_new (text, strlen (text) + 1);
}

static gboolean
begin (StasisDomain *self, StasisMigrateFlags flags, const StasisMigrateRequest *request,
       char **out_xml, GBytes **out_cookie, GCancellable *cancellable, GError **error)
{
  if (!note ("begin", NULL, NULL, error))
    return FALSE;
  g_assert_true ((flags & STASIS_MIGRATE_CHANGE_PROTECTION) != 0);
  *out_xml = g_strdup ("<domain/>");
  *out_cookie = make_cookie ("of begin");
  return TRUE;
}

static gboolean
prepare (StasisDriver *self, StasisMigrateFlags flags, const StasisMigrateRequest *request,
         const char *xml, GBytes *cookie, GBytes **out_cookie, char **out_uri,
         GCancellable *cancellable, GError **error)
{
  g_assert_cmpstr (stasis_driver_get_uri (self), ==, DEST);
  g_assert_cmpstr (xml, ==, "<domain/>");
  g_assert_cmpuint (flags & (STASIS_MIGRATE_CHANGE_PROTECTION | STASIS_MIGRATE_AUTO_CONVERGE), ==,
                    0);
  g_assert_cmpuint ((flags & STASIS_MIGRATE_PAUSED) != 0, ==, state == STASIS_DOMAIN_PAUSED);
  if (!note ("prepare", text_of (cookie), "of begin", error))
    return FALSE;
  *out_cookie = make_cookie ("of prepare");
  *out_uri = has_no_uri ? NULL : g_strdup ("tcp:dest:49152");
  return TRUE;
}

static gboolean
perform (StasisDomain *self, StasisMigrateFlags flags, const StasisMigrateRequest *request,
         GBytes *cookie, GBytes **out_cookie, StasisProgressFunc progress, gpointer user_data,
         GCancellable *cancellable, GError **error)
{
  g_assert_cmpstr (request->uri, ==, has_no_uri ? "tcp:chosen" : "tcp:dest:49152");
  if (!note ("perform", text_of (cookie), "of prepare", error))
    return FALSE;
  *out_cookie = make_cookie ("of perform");
  return TRUE;
}

static StasisDomain *
finish (StasisDriver *self, StasisMigrateFlags flags, const char *name, GBytes *cookie,
        gboolean is_cancelled, GBytes **out_cookie, GError **error)
{
  g_assert_cmpstr (stasis_driver_get_uri (self), ==, DEST);
  g_assert_cmpstr (name, ==, "new-web");
  if (is_cancelled)
    {
      if (note ("finish-cancelled", text_of (cookie), NULL, error))
        g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "cancelled");
      return NULL;
    }
  const char *wanted = (flags & STASIS_MIGRATE_OFFLINE) != 0 ? NULL : "of perform";
  if (!note ("finish", text_of (cookie), wanted, error))
    return NULL;
  *out_cookie = make_cookie ("of finish");
  return stasis_domain_new (self, name, UUID);
}

static gboolean
confirm (StasisDomain *self, StasisMigrateFlags flags, GBytes *cookie, gboolean is_cancelled,
         GError **error)
{
  return is_cancelled ? note ("confirm-cancelled", text_of (cookie), NULL, error)
                      : note ("confirm", text_of (cookie), "of finish", error);
}

static gboolean
get_state (StasisDomain *self, StasisDomainState *out_state, const char **out_reason,
           GError **error)
{
  if (state == STASIS_DOMAIN_NOSTATE)
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_NO_DOMAIN, "no such domain");
      return FALSE;
    }
  *out_state = state;
  if (out_reason != NULL)
    *out_reason = reason;
  return TRUE;
}

static void
close_connection (gpointer connection)
{
}

static const StasisDriverOps ops = {
  .close = close_connection,
  .get_state = get_state,
  .migrate_begin = begin,
  .migrate_prepare = prepare,
  .migrate_perform = perform,
  .migrate_finish = finish,
  .migrate_confirm = confirm,
};

static gpointer
open_fake (const char *uri, StasisOpenFlags flags, const StasisDriverAsk *ask,
           const StasisDriverOps **out_ops, char **out_uri, GCancellable *cancellable,
           GError **error)
{
  *out_ops = &ops;
  *out_uri = g_strdup (uri);
  return &steps;
}

typedef struct
{
  const char *name;
  const char *failing;
  int code;
  StasisDomainState state; /* 0: the domain is no more */
  const char *reason;
  guint flags;
  gboolean has_no_uri;
  const char *steps;
  const char *message; /* (nullable): of the error, a pattern; NULL: it succeeds */
} Case;

#define ALL          "begin prepare perform finish confirm"
#define RUNNING      STASIS_DOMAIN_RUNNING
#define FAILED       STASIS_ERROR_FAILED
#define UNDO         "begin prepare perform finish confirm-cancelled"
#define UNDO_PREPARE "begin prepare confirm-cancelled"

static const Case cases[] = {
  { "all", NULL, 0, RUNNING, NULL, STASIS_MIGRATE_LIVE | STASIS_MIGRATE_AUTO_CONVERGE, FALSE, ALL,
    NULL },
  { "paused", NULL, 0, STASIS_DOMAIN_PAUSED, NULL, 0, FALSE, ALL, NULL },
  { "uri-chosen", NULL, 0, RUNNING, NULL, 0, TRUE, ALL, NULL },
  { "offline", NULL, 0, STASIS_DOMAIN_SHUTOFF, NULL, STASIS_MIGRATE_OFFLINE, FALSE,
    "begin prepare finish confirm", NULL },
  { "begin", "begin", FAILED, RUNNING, NULL, 0, FALSE, "begin", "begin: begin has failed" },
  { "prepare", "prepare", STASIS_ERROR_EXISTS, RUNNING, NULL, 0, FALSE, UNDO_PREPARE,
    "prepare at " DEST ": prepare has failed" },
  { "perform", "perform", STASIS_ERROR_QEMU, RUNNING, NULL, 0, FALSE,
    "begin prepare perform finish-cancelled", "perform: perform has failed" },
  { "finish", "finish", FAILED, RUNNING, NULL, 0, FALSE, UNDO,
    "finish at " DEST ": finish has failed" },
  { "finish-lost", "finish", FAILED, STASIS_DOMAIN_SHUTOFF, "migrated", 0, FALSE, UNDO, NULL },
  { "finish-crashed", "finish", FAILED, STASIS_DOMAIN_SHUTOFF, "crashed", 0, FALSE, UNDO,
    "finish at " DEST ": finish has failed" },
  { "finish-transient", "finish", FAILED, STASIS_DOMAIN_NOSTATE, NULL, 0, FALSE, UNDO,
    "finish at " DEST ": finish has failed; confirm: the source has it no more*" },
  { "confirm", "confirm", STASIS_ERROR_INVALID_STATE, RUNNING, NULL, 0, FALSE, ALL,
    "the guest is at " DEST "; confirm: confirm has failed" },
};

static void
test_case (gconstpointer data)
{
  const Case *c = data;
  steps = g_string_new (NULL);
  failing = c->failing;
  failing_code = c->code;
  state = c->state;
  reason = c->reason;
  has_no_uri = c->has_no_uri;
  g_autoptr (StasisDriver) source = stasis_driver_open (SOURCE, NULL, NULL);
  g_autoptr (StasisDriver) dest = stasis_driver_open (DEST, NULL, NULL);
  g_autoptr (StasisDomain) domain = stasis_domain_new (source, "web", UUID);
  g_autoptr (StasisMigrateRequest) request = stasis_migrate_request_new ();
  g_autoptr (GError) error = NULL;
  request->dname = g_strdup ("new-web");
  request->uri = has_no_uri ? g_strdup ("tcp:chosen") : NULL;
  const gboolean ok
      = stasis_migrate_out_run (domain, dest, c->flags, request, NULL, NULL, NULL, &error);
  g_assert_cmpstr (steps->str, ==, c->steps);
  g_assert_true (ok == (c->message == NULL));
  if (c->message == NULL)
    g_assert_no_error (error);
  else
    {
      g_assert_error (error, STASIS_ERROR, c->code);
      if (!g_pattern_match_simple (c->message, error->message))
        g_error ("'%s' is not '%s'", error->message, c->message);
    }
  g_string_free (steps, TRUE);
}

/* What is not carried out yet begins nothing. */

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  stasis_driver_set_opener (open_fake);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strconcat ("/driver/migrate-run/", cases[i].name, NULL);
      g_test_add_data_func (path, &cases[i], test_case);
    }
  return g_test_run ();
}
