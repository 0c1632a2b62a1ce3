/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-migrate-params.c: what a migration of QEMU may use, and how much of it
 *
 * QEMU's versions differ in what they know, and refuse a set of which they lack a part as a whole,
 * in words that do not always tell which.  It is asked for what it knows only then: setting what it
 * has costs one command.
 */

#include "config.h"

#include "monitor/commands-migrate-params.h"

#include <glib/gi18n-lib.h>

#include "monitor/commands-private.h"

typedef enum
{
  KIND_NUMBER,
  KIND_BOOLEAN,
  KIND_TEXT,
} Kind;

static const struct
{
  const char *name;
  Kind kind;
} descriptions[] = {
  [STASIS_MIGRATION_ANNOUNCE_INITIAL] = { "announce-initial", KIND_NUMBER },
  [STASIS_MIGRATION_ANNOUNCE_MAX] = { "announce-max", KIND_NUMBER },
  [STASIS_MIGRATION_ANNOUNCE_STEP] = { "announce-step", KIND_NUMBER },
  [STASIS_MIGRATION_ANNOUNCE_ROUNDS] = { "announce-rounds", KIND_NUMBER },
  [STASIS_MIGRATION_AVAIL_SWITCHOVER_BANDWIDTH] = { "avail-switchover-bandwidth", KIND_NUMBER },
  [STASIS_MIGRATION_CPU_THROTTLE_INCREMENT] = { "cpu-throttle-increment", KIND_NUMBER },
  [STASIS_MIGRATION_CPU_THROTTLE_INITIAL] = { "cpu-throttle-initial", KIND_NUMBER },
  [STASIS_MIGRATION_CPU_THROTTLE_TAILSLOW] = { "cpu-throttle-tailslow", KIND_BOOLEAN },
  [STASIS_MIGRATION_DIRECT_IO] = { "direct-io", KIND_BOOLEAN },
  [STASIS_MIGRATION_DOWNTIME_LIMIT] = { "downtime-limit", KIND_NUMBER },
  [STASIS_MIGRATION_MAX_BANDWIDTH] = { "max-bandwidth", KIND_NUMBER },
  [STASIS_MIGRATION_MAX_CPU_THROTTLE] = { "max-cpu-throttle", KIND_NUMBER },
  [STASIS_MIGRATION_MAX_POSTCOPY_BANDWIDTH] = { "max-postcopy-bandwidth", KIND_NUMBER },
  [STASIS_MIGRATION_MODE] = { "mode", KIND_TEXT },
  [STASIS_MIGRATION_MULTIFD_CHANNELS] = { "multifd-channels", KIND_NUMBER },
  [STASIS_MIGRATION_MULTIFD_COMPRESSION] = { "multifd-compression", KIND_TEXT },
  [STASIS_MIGRATION_MULTIFD_ZLIB_LEVEL] = { "multifd-zlib-level", KIND_NUMBER },
  [STASIS_MIGRATION_MULTIFD_ZSTD_LEVEL] = { "multifd-zstd-level", KIND_NUMBER },
  [STASIS_MIGRATION_THROTTLE_TRIGGER_THRESHOLD] = { "throttle-trigger-threshold", KIND_NUMBER },
  [STASIS_MIGRATION_TLS_AUTHZ] = { "tls-authz", KIND_TEXT },
  [STASIS_MIGRATION_TLS_CREDS] = { "tls-creds", KIND_TEXT },
  [STASIS_MIGRATION_TLS_HOSTNAME] = { "tls-hostname", KIND_TEXT },
  [STASIS_MIGRATION_XBZRLE_CACHE_SIZE] = { "xbzrle-cache-size", KIND_NUMBER },
};

/* Say which one it is, instead of QEMU's words in *@error.  Always FALSE. */
static gboolean
throw_unknown (const char *context, const char *what, const char *name, GError **error)
{
  g_clear_error (error);
  g_set_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_UNSUPPORTED,
               _ ("%1$s: this QEMU has no %2$s '%3$s'"), context, what, name);
  return FALSE;
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

static gboolean
set_capabilities (StasisMonitor *monitor, const char *context,
                  const StasisMigrationCapability *capabilities, guint n_capabilities,
                  GCancellable *cancellable, GError **error)
{
  const StasisCommand set = { "migrate-set-capabilities", context, STASIS_COMMAND_MS, -1 };
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

/* Switch capabilities on and off. */
gboolean
stasis_monitor_migrate_set_capabilities (StasisMonitor *monitor,
                                         const StasisMigrationCapability *capabilities,
                                         guint n_capabilities, GCancellable *cancellable,
                                         GError **error)
{
  const char *context = _ ("cannot set migration capabilities");
  g_autoptr (GError) local = NULL;
  if (set_capabilities (monitor, context, capabilities, n_capabilities, cancellable, &local))
    return TRUE;
  g_autoptr (GHashTable) known
      = g_error_matches (local, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND)
            ? stasis_monitor_query_migrate_capabilities (monitor, cancellable, NULL)
            : NULL;
  for (guint i = 0; known != NULL && i < n_capabilities; i++)
    if (!g_hash_table_contains (known, capabilities[i].name))
      return throw_unknown (context, _ ("migration capability"), capabilities[i].name, error);
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/* Texts that may be unset: QEMU may leave out one that it knows. */
static gboolean
may_be_left_out (const char *name)
{
  return g_str_has_prefix (name, "tls-") || g_str_equal (name, "block-bitmap-mapping");
}

/* (transfer full) (nullable): the first of @wanted that this QEMU does not know */
static char *
find_unknown (StasisMonitor *monitor, const StasisJson *wanted, GCancellable *cancellable)
{
  g_autoptr (StasisJson) known
      = stasis_monitor_query_migrate_parameters (monitor, cancellable, NULL);
  for (guint i = 0; known != NULL && i < stasis_json_object_size (wanted); i++)
    {
      const char *name = stasis_json_object_key (wanted, i);
      if (stasis_json_get (known, name) == NULL && !may_be_left_out (name))
        return g_strdup (name);
    }
  return NULL;
}

/* Set parameters by QMP's names. */
gboolean
stasis_monitor_migrate_set_parameters (StasisMonitor *monitor, StasisJson *parameters_take,
                                       GCancellable *cancellable, GError **error)
{
  const StasisCommand set
      = { "migrate-set-parameters", _ ("cannot set migration parameters"), STASIS_COMMAND_MS, -1 };
  g_autoptr (StasisJson) wanted = stasis_json_ref (parameters_take);
  g_autoptr (GError) local = NULL;
  if (stasis_command_run (monitor, &set, parameters_take, NULL, cancellable, &local))
    return TRUE;
  g_autofree char *unknown
      = g_error_matches (local, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND)
            ? find_unknown (monitor, wanted, cancellable)
            : NULL;
  if (unknown != NULL)
    return throw_unknown (set.context, _ ("migration parameter"), unknown, error);
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/* QMP's name of a parameter. */
const char *
stasis_migration_parameter_to_string (StasisMigrationParameter parameter)
{
  return (guint) parameter < G_N_ELEMENTS (descriptions) ? descriptions[parameter].name : "unknown";
}

static StasisJson *
value_of (const StasisMigrationSetting *setting)
{
  switch (descriptions[setting->parameter].kind)
    {
    case KIND_BOOLEAN:
      return stasis_json_new_boolean (setting->number != 0);
    case KIND_TEXT:
      return stasis_json_new_string (setting->text != NULL ? setting->text : "");
    case KIND_NUMBER:
    default:
      return stasis_json_new_uint (setting->number);
    }
}

/* Set parameters by our names. */
gboolean
stasis_monitor_migrate_set (StasisMonitor *monitor, const StasisMigrationSetting *settings,
                            guint n_settings, GCancellable *cancellable, GError **error)
{
  StasisJson *arguments = stasis_json_new_object ();
  for (guint i = 0; i < n_settings; i++)
    stasis_json_set (arguments, descriptions[settings[i].parameter].name, value_of (&settings[i]));
  return stasis_monitor_migrate_set_parameters (monitor, arguments, cancellable, error);
}

/* One of QEMU's answer. */
gboolean
stasis_migration_setting_from_json (const StasisJson *values, StasisMigrationParameter parameter,
                                    StasisMigrationSetting *out_setting)
{
  const StasisJson *value = stasis_json_get (values, descriptions[parameter].name);
  StasisMigrationSetting setting = { parameter, 0, NULL };
  if (value == NULL)
    return FALSE;
  switch (descriptions[parameter].kind)
    {
    case KIND_BOOLEAN:
      setting.number = stasis_json_boolean (value, FALSE) ? 1 : 0;
      break;
    case KIND_TEXT:
      setting.text = stasis_json_string (value, NULL);
      if (setting.text == NULL)
        return FALSE;
      break;
    case KIND_NUMBER:
    default:
      setting.number = stasis_json_uint (value, 0);
      break;
    }
  *out_setting = setting;
  return TRUE;
}
