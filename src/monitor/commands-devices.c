/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-devices.c: the state of QEMU's devices, without the memory
 */

#include "config.h"

#include "monitor/commands-devices.h"

#include <glib/gi18n-lib.h>

#include "monitor/commands-private.h"

#define SAVE_DEVICES   "xen-save-devices-state" /* Xen's toolstack is who it was made for */
#define ACTIVATE_DISKS "blockdev-set-active"
#define ACTIVATE_MAJOR 10 /* since when */

static gboolean
has_command (const StasisJson *commands, const char *name)
{
  for (guint i = 0; i < stasis_json_array_length (commands); i++)
    {
      const StasisJson *one = stasis_json_get (stasis_json_array_get (commands, i), "name");
      if (g_str_equal (stasis_json_string (one, ""), name))
        return TRUE;
    }
  return FALSE;
}

/* Whether that works here. */
gboolean
stasis_monitor_can_save_devices (StasisMonitor *monitor, gboolean release_disks, char **out_why_not,
                                 GCancellable *cancellable, GError **error)
{
  *out_why_not = NULL;
  g_autoptr (StasisJson) commands = stasis_command_run_list (
      monitor, "query-commands", _ ("cannot ask what QEMU can do"), cancellable, error);
  if (commands == NULL)
    return FALSE;
  static const char *const needed[] = { SAVE_DEVICES, ACTIVATE_DISKS };
  for (gsize i = 0; i < (release_disks ? 2 : 1); i++)
    if (!has_command (commands, needed[i]))
      {
        *out_why_not = g_strdup_printf (_ ("this QEMU has no command '%s'"), needed[i]);
        return FALSE;
      }

  const StasisCommand query
      = { "query-migrate", _ ("cannot ask whether QEMU can migrate"), STASIS_COMMAND_MS, -1 };
  g_autoptr (StasisJson) reply = NULL;
  if (!stasis_command_run (monitor, &query, NULL, &reply, cancellable, error))
    return FALSE;
  const StasisJson *reasons = stasis_json_get (reply, "blocked-reasons");
  if (stasis_json_array_length (reasons) == 0)
    return TRUE;
  *out_why_not = g_strdup (stasis_json_string (stasis_json_array_get (reasons, 0), "?"));
  return FALSE;
}

/* Write it. */
gboolean
stasis_monitor_save_devices (StasisMonitor *monitor, const char *path, gboolean release_disks,
                             GCancellable *cancellable, GError **error)
{
  const StasisCommand save
      = { SAVE_DEVICES, _ ("cannot save the devices' state"), STASIS_COMMAND_DISK_MS, -1 };
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_string (arguments, "filename", path);
  /* Of a paused guest that means: let go of the disks. */
  stasis_json_set_boolean (arguments, "live", release_disks);
  return stasis_command_run (monitor, &save, arguments, NULL, cancellable, error);
}

gboolean
stasis_monitor_can_activate_disks (const StasisMonitor *monitor)
{
  return stasis_monitor_version (monitor)->major >= ACTIVATE_MAJOR;
}

/* Take the disks back. */
gboolean
stasis_monitor_activate_disks (StasisMonitor *monitor, GCancellable *cancellable, GError **error)
{
  const StasisCommand activate
      = { ACTIVATE_DISKS, _ ("cannot take the disks back"), STASIS_COMMAND_DISK_MS, -1 };
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_boolean (arguments, "active", TRUE);
  return stasis_command_run (monitor, &activate, arguments, NULL, cancellable, error);
}
