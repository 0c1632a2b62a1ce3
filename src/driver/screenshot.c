/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * screenshot.c: what a running domain's display shows
 */

#include "config.h"

#include "driver/screenshot.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/domain-private.h"
#include "driver/hold.h"
#include "monitor/commands-fd.h"
#include "util/fd.h"
#include "util/json.h"

#define SCREEN_MS 60000

/* QEMU opens its descriptors by their mode: it gets one for writing only. */
static int
open_for_writing (int fd, GError **error)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);
  return stasis_fd_open (path, O_WRONLY, 0, error);
}

static gboolean
dump (StasisMonitor *monitor, int fd, GError **error)
{
  gint64 set = 0;
  stasis_autofd int writer = open_for_writing (fd, error);
  if (writer < 0
      || !stasis_monitor_add_fd (monitor, STASIS_FDSET_NEW, writer, "screenshot", &set, NULL, NULL,
                                 error))
    return FALSE;
  g_autofree char *name = g_strdup_printf ("/dev/fdset/%" G_GINT64_FORMAT, set);
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_string (arguments, "filename", name);
  const gboolean ok = stasis_monitor_command (monitor, "screendump", arguments, NULL, 0, SCREEN_MS,
                                              NULL, NULL, error);
  g_autoptr (GError) local = NULL;
  if (!stasis_monitor_remove_fd (monitor, set, STASIS_FDSET_ALL, NULL, &local))
    g_debug ("%s", local->message);
  return ok;
}

/* Of the first display. */
int
stasis_domain_screenshot (StasisDomain *self, GError **error)
{
  g_autoptr (StasisHold) hold = stasis_hold_take_running (stasis_domain_get_driver (self),
                                                          stasis_domain_get_name (self), error);
  g_autoptr (StasisMonitor) monitor
      = hold != NULL ? stasis_hold_open_monitor (hold, NULL, error) : NULL;
  if (monitor == NULL)
    return -1;
  stasis_autofd int fd = memfd_create ("screenshot", MFD_CLOEXEC);
  if (fd < 0)
    {
      stasis_throw_errno (error, _ ("cannot make a file for the screenshot"));
      return -1;
    }
  return dump (monitor, fd, error) ? stasis_fd_steal (&fd) : -1;
}
