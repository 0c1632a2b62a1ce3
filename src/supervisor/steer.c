/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * steer.c: what of a migration is changed while it goes on
 *
 * Whoever migrates has QEMU's other monitor, and waits for the migration's end.
 */

#include "config.h"

#include "supervisor/steer.h"

#include "driver/migrate-switch.h"
#include "monitor/commands-migrate-params.h"
#include "monitor/commands-migrate.h"
#include "monitor/commands-run.h"

#define STAND  "stand"          /* the guest is to stand still */
#define SWITCH "start-postcopy" /* it is to go on there before all of it has come */
#define BREAK  "pause-postcopy" /* the connection of a postcopy is to break */

static const StasisMigrationParameter parameters[]
    = { STASIS_MIGRATION_MAX_BANDWIDTH, STASIS_MIGRATION_MAX_POSTCOPY_BANDWIDTH,
        STASIS_MIGRATION_DOWNTIME_LIMIT, STASIS_MIGRATION_XBZRLE_CACHE_SIZE };

/* What is no number is none. */
StasisJson *
stasis_steer_take (const StasisJson *request)
{
  StasisJson *limits = stasis_json_new_object ();
  for (guint i = 0; i < G_N_ELEMENTS (parameters); i++)
    {
      const char *name = stasis_migration_parameter_to_string (parameters[i]);
      const StasisJson *value = stasis_json_get (request, name);
      if (value != NULL && stasis_json_kind (value) == STASIS_JSON_INTEGER)
        stasis_json_set (limits, name, stasis_json_ref ((StasisJson *) value));
    }
  if (stasis_json_boolean (stasis_json_get (request, STAND), FALSE))
    stasis_json_set_boolean (limits, STAND, TRUE);
  if (stasis_json_get (request, SWITCH) != NULL)
    stasis_json_set_boolean (limits, SWITCH, TRUE);
  if (stasis_json_get (request, BREAK) != NULL)
    stasis_json_set_boolean (limits, BREAK, TRUE);
  return limits;
}

static gboolean
set (StasisMonitor *monitor, const StasisJson *limits, GError **error)
{
  StasisMigrationSetting settings[G_N_ELEMENTS (parameters)];
  guint n = 0;
  for (guint i = 0; i < G_N_ELEMENTS (parameters); i++)
    n += stasis_migration_setting_from_json (limits, parameters[i], &settings[n]) ? 1 : 0;
  return n == 0 || stasis_monitor_migrate_set (monitor, settings, n, NULL, error);
}

/* Who migrates lets it go on where that fails, as if it had run. */
static gboolean
stand (StasisMonitor *monitor, GError **error)
{
  StasisRunState state;
  return stasis_monitor_query_status (monitor, &state, NULL, error)
         && (state != STASIS_RUN_STATE_RUNNING || stasis_monitor_stop (monitor, NULL, error));
}

/* Tell, and ask. */
gboolean
stasis_steer (StasisMonitor *monitor, StasisJson *limits, GError **error)
{
  const gboolean is_to_stand = stasis_json_get (limits, STAND) != NULL;
  if (!set (monitor, limits, error) || (is_to_stand && !stand (monitor, error))
      || (stasis_json_get (limits, SWITCH) != NULL && !stasis_migrate_switch (monitor, NULL, error))
      || (stasis_json_get (limits, BREAK) != NULL
          && !stasis_monitor_migrate_pause (monitor, NULL, error)))
    return FALSE;
  g_autoptr (StasisJson) now = stasis_monitor_query_migrate_parameters (monitor, NULL, error);
  if (now == NULL)
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (parameters); i++)
    {
      const char *name = stasis_migration_parameter_to_string (parameters[i]);
      stasis_json_set_uint (limits, name, stasis_json_uint (stasis_json_get (now, name), 0));
    }
  return TRUE;
}
