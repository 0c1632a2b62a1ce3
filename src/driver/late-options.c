/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * late-options.c: what a definition asks for and QEMU has no option for
 */

#include "config.h"

#include "driver/late-options.h"

#include "monitor/commands-query.h"

#define TIMEOUT_MS 10000

static gboolean
take_link_down (const StasisInterfaceDef *interface, StasisMonitor *monitor,
                GCancellable *cancellable, GError **error)
{
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_string (arguments, "name", interface->info.alias);
  stasis_json_set_boolean (arguments, "up", FALSE);
  return stasis_monitor_command (monitor, "set_link", arguments, NULL, 0, TIMEOUT_MS, NULL,
                                 cancellable, error);
}

static gboolean
poll_balloon (const StasisBalloonDef *balloon, StasisMonitor *monitor, GCancellable *cancellable,
              GError **error)
{
  g_autofree char *path = g_strconcat ("/machine/peripheral/", balloon->info.alias, NULL);
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_string (arguments, "path", path);
  stasis_json_set_string (arguments, "property", "guest-stats-polling-interval");
  stasis_json_set_int (arguments, "value", balloon->stats_period);
  return stasis_monitor_command (monitor, "qom-set", arguments, NULL, 0, TIMEOUT_MS, NULL,
                                 cancellable, error);
}

/* Until then a display with a password lets nobody in. */
static gboolean
set_password (const StasisGraphicsDef *graphics, StasisMonitor *monitor, GCancellable *cancellable,
              GError **error)
{
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_string (arguments, "protocol", "vnc");
  stasis_json_set_string (arguments, "password", graphics->passwd);
  return stasis_monitor_command (monitor, "set_password", arguments, NULL, 0, TIMEOUT_MS, NULL,
                                 cancellable, error);
}

/* Take down those that are to be. */
gboolean
stasis_late_options_links (const StasisDomainDef *def, StasisMonitor *monitor,
                           GCancellable *cancellable, GError **error)
{
  for (guint i = 0; i < def->interfaces->len; i++)
    {
      const StasisInterfaceDef *interface = g_ptr_array_index (def->interfaces, i);
      if (interface->link == STASIS_LINK_DOWN
          && !take_link_down (interface, monitor, cancellable, error))
        return FALSE;
    }
  return TRUE;
}

/* A guest that boots takes no more from the beginning. */
gboolean
stasis_late_options_balloon (const StasisDomainDef *def, StasisMonitor *monitor,
                             GCancellable *cancellable, GError **error)
{
  const StasisBalloonDef *balloon
      = def->balloons->len > 0 ? g_ptr_array_index (def->balloons, 0) : NULL;
  return balloon == NULL || balloon->model == STASIS_BALLOON_NONE
         || def->current_memory >= def->memory
         || stasis_monitor_balloon (monitor, (guint64) def->current_memory * 1024, cancellable,
                                    error);
}

/* Tell a QEMU whose CPUs have not run yet. */
gboolean
stasis_late_options_apply (const StasisDomainDef *def, StasisMonitor *monitor,
                           GCancellable *cancellable, GError **error)
{
  if (!stasis_late_options_links (def, monitor, cancellable, error))
    return FALSE;
  for (guint i = 0; i < def->balloons->len; i++)
    {
      const StasisBalloonDef *balloon = g_ptr_array_index (def->balloons, i);
      if (balloon->model != STASIS_BALLOON_NONE && balloon->stats_period > 0
          && !poll_balloon (balloon, monitor, cancellable, error))
        return FALSE;
    }
  for (guint i = 0; i < def->graphics->len; i++)
    {
      const StasisGraphicsDef *graphics = g_ptr_array_index (def->graphics, i);
      if (graphics->passwd != NULL && !set_password (graphics, monitor, cancellable, error))
        return FALSE;
    }
  return TRUE;
}
