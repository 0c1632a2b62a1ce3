/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-migrate-params.c: what a migration of QEMU may use, and how much of it
 */

#include "config.h"

#include "monitor/commands-migrate-params.h"

#include <glib/gi18n-lib.h>

#include "monitor/commands-private.h"

/* Switch capabilities on and off. */
gboolean
stasis_monitor_migrate_set_capabilities (StasisMonitor *monitor,
                                         const StasisMigrationCapability *capabilities,
                                         guint n_capabilities, GCancellable *cancellable,
                                         GError **error)
{
  const StasisCommand set = { "migrate-set-capabilities", _ ("cannot set migration capabilities"),
                              STASIS_COMMAND_MS, -1 };
  StasisJson *list = stasis_json_new_array ();
  for (guint i = 0; i < n_capabilities; i++)
    {
      StasisJson *capability = stasis_json_new_object ();
      stasis_json_set_string (capability, "capability", capabilities[i].name);
      stasis_json_set_boolean (capability, "state", capabilities[i].is_on);
      stasis_json_array_append (list, capability);
    }
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set (arguments, "capabilities", list);
  return stasis_command_run (monitor, &set, arguments, NULL, cancellable, error);
}

/* What this QEMU can do, and what of it is on. */
GHashTable *
stasis_monitor_query_migrate_capabilities (StasisMonitor *monitor, GCancellable *cancellable,
                                           GError **error)
{
  const char *command = "query-migrate-capabilities";
  const char *context = _ ("cannot ask for migration capabilities");
  g_autoptr (StasisJson) list
      = stasis_command_run_list (monitor, command, context, cancellable, error);
  if (list == NULL)
    return NULL;

  g_autoptr (GHashTable) capabilities
      = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (guint i = 0; i < stasis_json_array_length (list); i++)
    {
      const StasisJson *item = stasis_json_array_get (list, i);
      const char *name = NULL;
      gboolean is_on = FALSE;
      g_autoptr (GError) fault = NULL;
      if (!stasis_json_need_string (item, "capability", &name, &fault)
          || !stasis_json_need_boolean (item, "state", &is_on, &fault))
        {
          stasis_command_throw_reply (command, context, fault, error);
          return NULL;
        }
      g_hash_table_replace (capabilities, g_strdup (name), GINT_TO_POINTER (is_on));
    }
  return g_steal_pointer (&capabilities);
}

/* Set parameters by QMP's names. */
gboolean
stasis_monitor_migrate_set_parameters (StasisMonitor *monitor, StasisJson *parameters_take,
                                       GCancellable *cancellable, GError **error)
{
  const StasisCommand set
      = { "migrate-set-parameters", _ ("cannot set migration parameters"), STASIS_COMMAND_MS, -1 };
  return stasis_command_run (monitor, &set, parameters_take, NULL, cancellable, error);
}

/* The parameters by QMP's names. */
StasisJson *
stasis_monitor_query_migrate_parameters (StasisMonitor *monitor, GCancellable *cancellable,
                                         GError **error)
{
  const StasisCommand query = { "query-migrate-parameters",
                                _ ("cannot ask for migration parameters"), STASIS_COMMAND_MS, -1 };
  StasisJson *parameters = NULL;
  if (!stasis_command_run (monitor, &query, NULL, &parameters, cancellable, error))
    return NULL;
  return parameters;
}
