/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * start-beside.c: a second QEMU for a guest that runs in another one
 *
 * It has the same memory, waits for the state of the devices, and is the guest's only once somebody
 * says so (handover-settle.c).  The journal knows of it before it does anything.
 */

#include "config.h"

#include <glib/gi18n-lib.h>

#include "driver/domain-private.h"
#include "driver/handover-fds.h"
#include "driver/late-options.h"
#include "driver/live-def.h"
#include "driver/device-settle.h"
#include "driver/scope.h"
#include "driver/shared-ram.h"
#include "driver/start-private.h"
#include "driver/vcpus.h"
#include "util/fault.h"
#include "util/fd.h"

#define MONITOR_TIMEOUT_MS 30000

static gboolean
open_all (StasisStart *start, GError **error)
{
  const StasisStatus *status = start->hold->status;
  const StasisResourceUser user = { status->uid, /* is_incoming= */ TRUE };
  start->resources = stasis_resources_list (start->def);
  if (!stasis_handover_open (start->resources, &user, &status->qemu, start->spawn, error))
    return FALSE;
  const int ram = stasis_shared_ram_open (&status->qemu,
                                          (guint64) stasis_command_ram_size (start->def), error);
  if (ram >= 0)
    start->shared.fd = stasis_spawn_take_fd (start->spawn, ram);
  return ram >= 0;
}

static gboolean
launch (StasisStart *start, GError **error)
{
  StasisStatus *status = start->hold->status;
  start->spawn = stasis_spawn_new (status->log);
  if (!open_all (start, error) || !stasis_start_add_args (start, error))
    return FALSE;
  if (status->uid != geteuid ())
    stasis_spawn_set_user (start->spawn, status->uid, status->uid,
                           stasis_start_kvm_group (start->def));
  if (!stasis_spawn_begin (start->spawn, &status->journal.beside, error)
      || !stasis_hold_write (start->hold, error) || !stasis_fault ("handover-spawned", error))
    return FALSE;
  stasis_scope_enter (status->name, status->journal.beside.pid);
  return stasis_spawn_go (start->spawn, error);
}

static StasisMonitor *
open_monitor (const StasisStart *start, GError **error)
{
  const StasisStatus *status = start->hold->status;
  g_autofree char *path
      = g_build_filename (start->hold->folder, "monitor.sock" STASIS_BESIDE, NULL);
  const int fd = stasis_unix_connect (path, error);
  return fd >= 0 ? stasis_monitor_open (fd, status->log, status->log_start, MONITOR_TIMEOUT_MS,
                                        start->cancellable, error)
                 : NULL;
}

/* Its own terminals and the like go into the definition that will be the live one. */
static StasisMonitor *
meet (const StasisStart *start, GError **error)
{
  g_autoptr (StasisMonitor) monitor = open_monitor (start, error);
  if (monitor == NULL
      || !stasis_vcpus_plug_at_start (start->def, monitor, start->cancellable, error)
      || !stasis_late_options_apply (start->def, monitor, start->cancellable, error)
      || !stasis_live_def_complete (start->def, start->resources, monitor, start->cancellable,
                                    error)
      || !stasis_live_def_write (start->def, start->hold->status, start->hold->folder,
                                 STASIS_NEXT_XML, error))
    return NULL;
  return g_steal_pointer (&monitor);
}

StasisMonitor *
stasis_start_beside (StasisDriver *driver, StasisHold *hold, StasisDomainDef *def,
                     GCancellable *cancellable, GError **error)
{
  const StasisStartRequest request = { .is_incoming = TRUE };
  g_auto (StasisStart) start = {
    .driver = driver,
    .hold = hold,
    .def = def,
    .request = &request,
    .cancellable = cancellable,
    .ram = { .fd = -1 },
    .shared = { .fd = -1 },
    .is_beside = TRUE,
  };
  start.caps = stasis_driver_get_caps (driver, def->emulator, error);
  return start.caps != NULL && launch (&start, error) ? meet (&start, error) : NULL;
}
