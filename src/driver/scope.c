/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scope.c: a systemd scope of its own for a process that outlives its starter
 *
 * Theory of operation
 *
 * systemd ends the processes of a unit together: those of a service when it is stopped, those of
 * a login's scope at logout where logind.conf says KillUserProcesses=yes.  A scope of its own
 * takes a process out of that.  For root it is one of the system's manager.  A user may only ask
 * his own manager for one, which logind ends with everything in it at his last logout, unless he
 * lingers: so without lingering the scope of the login is the safer place, since by default
 * logind leaves it alone.  A process that the user's manager has started is in it anyway, and
 * loses nothing by a scope there.
 *
 * The manager is asked on a connection of our own: GLib's shared one may end the process with the
 * bus, or start a bus where there is none.  A scope is there once its job has been removed.
 */

#include "config.h"

#include "driver/scope.h"

#include <string.h>
#include <unistd.h>

#include <gio/gio.h>

#define TIMEOUT_MS 5000

#define SYSTEMD_NAME    "org.freedesktop.systemd1"
#define SYSTEMD_PATH    "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"
#define GUESTS_UNIT     "stasis-guests.service" /* of data/systemd */

#define LOGIND_NAME "org.freedesktop.login1"
#define LOGIND_PATH "/org/freedesktop/login1"

static void
close_connection (GDBusConnection *connection)
{
  g_dbus_connection_close_sync (connection, NULL, NULL);
  g_object_unref (connection);
}

typedef GDBusConnection OwnConnection;
G_DEFINE_AUTOPTR_CLEANUP_FUNC (OwnConnection, close_connection)

/* A unit's name takes letters, digits and ":-_.\"; the rest is written \xNN (systemd.unit(5)). */
static char *
escape (const char *name)
{
  GString *escaped = g_string_new (NULL);
  for (const guchar *p = (const guchar *) name; *p != '\0'; p++)
    if (g_ascii_isalnum (*p) || *p == '_' || *p == '.')
      g_string_append_c (escaped, (char) *p);
    else
      g_string_append_printf (escaped, "\\x%02x", *p);
  return g_string_free (escaped, FALSE);
}

static GVariant *
make_arguments (const char *name, pid_t pid)
{
  g_autofree char *escaped = escape (name);
  g_autofree char *unit = g_strdup_printf ("stasis-%.180s-%d.scope", escaped, (int) pid);
  g_autofree char *description = g_strdup_printf ("Stasis domain %s", name);
  const guint32 pids[] = { (guint32) pid };

  GVariantBuilder properties;
  g_variant_builder_init (&properties, G_VARIANT_TYPE ("a(sv)"));
  g_variant_builder_add (&properties, "(sv)", "Description", g_variant_new_string (description));
  g_variant_builder_add (
      &properties, "(sv)", "PIDs",
      g_variant_new_fixed_array (G_VARIANT_TYPE_UINT32, pids, G_N_ELEMENTS (pids), sizeof pids[0]));
  /* Guests are not stopped with everything else: saving them first is the task of stasis-guests,
   * whose stop comes before that of what is to be started before it. */
  static const char *const before[] = { GUESTS_UNIT };
  g_variant_builder_add (&properties, "(sv)", "DefaultDependencies", g_variant_new_boolean (FALSE));
  g_variant_builder_add (&properties, "(sv)", "Before",
                         g_variant_new_strv (before, G_N_ELEMENTS (before)));
  return g_variant_new ("(ssa(sv)a(sa(sv)))", unit, "fail", &properties, NULL);
}

/* The system's bus, or a user's: by its path, since not every environment names it. */
static GDBusConnection *
open_bus (gboolean is_system, guint32 uid, GError **error)
{
  g_autofree char *address = is_system
                                 ? g_dbus_address_get_for_bus_sync (G_BUS_TYPE_SYSTEM, NULL, error)
                                 : g_strdup_printf ("unix:path=/run/user/%u/bus", uid);
  if (address == NULL)
    return NULL;
  return g_dbus_connection_new_for_address_sync (
      address,
      G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT
          | G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
      NULL, NULL, error);
}

/* logind's word for a user whose manager stays when he is logged out. */
static gboolean
lingers (guint32 uid)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (OwnConnection) bus = open_bus (TRUE, 0, &error);
  g_autoptr (GVariant) user = NULL;
  g_autoptr (GVariant) reply = NULL;
  if (bus != NULL)
    user = g_dbus_connection_call_sync (bus, LOGIND_NAME, LOGIND_PATH,
                                        "org.freedesktop.login1.Manager", "GetUser",
                                        g_variant_new ("(u)", uid), G_VARIANT_TYPE ("(o)"),
                                        G_DBUS_CALL_FLAGS_NONE, TIMEOUT_MS, NULL, &error);
  if (user != NULL)
    {
      const char *path = NULL;
      g_variant_get (user, "(&o)", &path);
      reply = g_dbus_connection_call_sync (
          bus, LOGIND_NAME, path, "org.freedesktop.DBus.Properties", "Get",
          g_variant_new ("(ss)", "org.freedesktop.login1.User", "Linger"), G_VARIANT_TYPE ("(v)"),
          G_DBUS_CALL_FLAGS_NONE, TIMEOUT_MS, NULL, &error);
    }
  if (reply == NULL)
    {
      g_debug ("user %u does not linger as far as we know: %s", uid, error->message);
      return FALSE;
    }
  g_autoptr (GVariant) value = NULL;
  g_variant_get (reply, "(v)", &value);
  return g_variant_is_of_type (value, G_VARIANT_TYPE_BOOLEAN) && g_variant_get_boolean (value);
}

/* Which manager's scope outlives most for a process of this user in these cgroups. */
StasisScopeKind
stasis_scope_choose (guint32 uid, const char *cgroups, gboolean (*lingers_func) (guint32 uid))
{
  if (uid == 0)
    return STASIS_SCOPE_SYSTEM;
  g_autofree char *manager = g_strdup_printf ("/user@%u.service/", uid);
  if (strstr (cgroups, manager) != NULL || lingers_func (uid))
    return STASIS_SCOPE_USER;
  return STASIS_SCOPE_NONE;
}

/* What becomes of the jobs that end while one is waited for. */
typedef struct
{
  GHashTable *results; /* (owned) "done" or why not, by the job's path */
  gboolean is_late;
} Jobs;

static void
jobs_clear (Jobs *jobs)
{
  g_clear_pointer (&jobs->results, g_hash_table_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Jobs, jobs_clear)

static void
on_job_removed (GDBusConnection *bus, const char *sender, const char *path, const char *interface,
                const char *signal, GVariant *arguments, gpointer data)
{
  Jobs *jobs = data;
  char *job = NULL;
  char *result = NULL;
  if (!g_variant_is_of_type (arguments, G_VARIANT_TYPE ("(uoss)")))
    return;
  g_variant_get (arguments, "(uoss)", NULL, &job, NULL, &result);
  g_hash_table_insert (jobs->results, job, result);
}

static gboolean
on_late (gpointer data)
{
  Jobs *jobs = data;
  jobs->is_late = TRUE;
  return G_SOURCE_REMOVE;
}

static gboolean
wait_for_job (GMainContext *context, Jobs *jobs, const char *job, GError **error)
{
  GSource *timeout = g_timeout_source_new (TIMEOUT_MS);
  g_source_set_callback (timeout, on_late, jobs, NULL);
  g_source_attach (timeout, context);
  const char *result = NULL;
  while ((result = g_hash_table_lookup (jobs->results, job)) == NULL && !jobs->is_late)
    g_main_context_iteration (context, /* may_block= */ TRUE);
  g_source_destroy (timeout);
  g_source_unref (timeout);

  if (g_strcmp0 (result, "done") == 0)
    return TRUE;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "the scope's job: %s",
               result != NULL ? result : "no end in time");
  return FALSE;
}

/* The job's signal comes by way of @context, which is this thread's default one. */
static gboolean
make_scope (const char *name, pid_t pid, gboolean is_system, GMainContext *context, GError **error)
{
  g_auto (Jobs) jobs
      = { .results = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free) };
  g_autoptr (OwnConnection) bus = open_bus (is_system, geteuid (), error);
  if (bus == NULL)
    return FALSE;
  const guint subscription = g_dbus_connection_signal_subscribe (
      bus, SYSTEMD_NAME, SYSTEMD_MANAGER, "JobRemoved", SYSTEMD_PATH, NULL,
      G_DBUS_SIGNAL_FLAGS_NONE, on_job_removed, &jobs, NULL);
  g_autoptr (GVariant) reply = g_dbus_connection_call_sync (
      bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "StartTransientUnit",
      make_arguments (name, pid), G_VARIANT_TYPE ("(o)"), G_DBUS_CALL_FLAGS_NONE, TIMEOUT_MS, NULL,
      error);
  gboolean ok = FALSE;
  if (reply != NULL)
    {
      const char *job = NULL;
      g_variant_get (reply, "(&o)", &job);
      ok = wait_for_job (context, &jobs, job, error);
    }
  g_dbus_connection_signal_unsubscribe (bus, subscription);
  return ok;
}

/* Move @pid into a scope of its own, if that outlives more than where it is. */
void
stasis_scope_enter (const char *name, pid_t pid)
{
  if (!g_file_test ("/run/systemd/system", G_FILE_TEST_IS_DIR))
    return;

  g_autofree char *path = g_strdup_printf ("/proc/%d/cgroup", (int) pid);
  g_autofree char *cgroups = NULL;
  if (!g_file_get_contents (path, &cgroups, NULL, NULL))
    return;
  const StasisScopeKind kind = stasis_scope_choose (geteuid (), cgroups, lingers);
  if (kind == STASIS_SCOPE_NONE)
    {
      g_debug ("process %d stays where it was started, for user %u does not linger: %s", (int) pid,
               (guint) geteuid (), cgroups);
      return;
    }

  g_autoptr (GError) error = NULL;
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_main_context_push_thread_default (context);
  if (make_scope (name, pid, kind == STASIS_SCOPE_SYSTEM, context, &error))
    g_debug ("process %d has a scope of the %s manager", (int) pid,
             kind == STASIS_SCOPE_SYSTEM ? "system's" : "user's");
  else
    g_debug ("process %d stays where it was started: %s", (int) pid, error->message);
  g_main_context_pop_thread_default (context);
}
