/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scope.c: a systemd scope of its own for a process that outlives its starter
 */

#include "config.h"

#include "driver/scope.h"

#include <gio/gio.h>

#define TIMEOUT_MS 5000

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
  /* Guests are not stopped with everything else: saving them first is stasis-guests' task. */
  g_variant_builder_add (&properties, "(sv)", "DefaultDependencies", g_variant_new_boolean (FALSE));
  return g_variant_new ("(ssa(sv)a(sa(sv)))", unit, "fail", &properties, NULL);
}

/* Move @pid into a scope of its own. */
void
stasis_scope_enter (const char *name, pid_t pid, gboolean is_system)
{
  if (!g_file_test ("/run/systemd/system", G_FILE_TEST_IS_DIR))
    return;

  g_autoptr (GError) error = NULL;
  g_autoptr (GDBusConnection) bus
      = g_bus_get_sync (is_system ? G_BUS_TYPE_SYSTEM : G_BUS_TYPE_SESSION, NULL, &error);
  g_autoptr (GVariant) reply = NULL;
  if (bus != NULL)
    reply = g_dbus_connection_call_sync (
        bus, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
        "org.freedesktop.systemd1.Manager", "StartTransientUnit", make_arguments (name, pid),
        G_VARIANT_TYPE ("(o)"), G_DBUS_CALL_FLAGS_NONE, TIMEOUT_MS, NULL, &error);
  if (reply == NULL)
    g_debug ("process %d stays in its starter's scope: %s", (int) pid, error->message);
}
