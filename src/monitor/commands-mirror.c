/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-mirror.c: copy a disk while the guest writes to it
 */

#include "config.h"

#include "monitor/commands-mirror.h"

#include <glib/gi18n-lib.h>

#include "monitor/commands-private.h"

static const char *const syncs[] = {
  [STASIS_MIRROR_FULL] = "full",
  [STASIS_MIRROR_TOP] = "top",
  [STASIS_MIRROR_NONE] = "none",
};
static const char *const copy_modes[] = {
  [STASIS_MIRROR_BACKGROUND] = "background",
  [STASIS_MIRROR_WRITE_BLOCKING] = "write-blocking",
};
static const char *const on_errors[] = {
  [STASIS_MIRROR_REPORT] = "report",
  [STASIS_MIRROR_IGNORE] = "ignore",
  [STASIS_MIRROR_ENOSPC] = "enospc",
  [STASIS_MIRROR_STOP] = "stop",
};

/* Start one. */
gboolean
stasis_monitor_mirror_start (StasisMonitor *monitor, const StasisMirror *mirror,
                             GCancellable *cancellable, GError **error)
{
  const StasisCommand start
      = { "blockdev-mirror", _ ("cannot mirror a disk"), STASIS_COMMAND_DISK_MS, -1 };
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_string (arguments, "job-id", mirror->job);
  stasis_json_set_string (arguments, "device", mirror->device);
  stasis_json_set_string (arguments, "target", mirror->target);
  stasis_json_set_string (arguments, "sync", syncs[mirror->sync]);
  stasis_json_set_string (arguments, "copy-mode", copy_modes[mirror->copy_mode]);
  stasis_json_set_string (arguments, "on-source-error", on_errors[mirror->on_source_error]);
  stasis_json_set_string (arguments, "on-target-error", on_errors[mirror->on_target_error]);
  if (mirror->speed > 0)
    stasis_json_set_uint (arguments, "speed", mirror->speed);
  stasis_json_set_boolean (arguments, "auto-finalize", FALSE);
  stasis_json_set_boolean (arguments, "auto-dismiss", FALSE);
  return stasis_command_run (monitor, &start, arguments, NULL, cancellable, error);
}

/* Another mode. */
gboolean
stasis_monitor_mirror_change (StasisMonitor *monitor, const char *job,
                              StasisMirrorCopyMode copy_mode, GCancellable *cancellable,
                              GError **error)
{
  const StasisCommand change = { "block-job-change", _ ("cannot change the mirror of a disk"),
                                 STASIS_COMMAND_DISK_MS, -1 };
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_string (arguments, "id", job);
  stasis_json_set_string (arguments, "type", "mirror");
  stasis_json_set_string (arguments, "copy-mode", copy_modes[copy_mode]);
  return stasis_command_run (monitor, &change, arguments, NULL, cancellable, error);
}
