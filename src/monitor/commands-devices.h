/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-devices.h: the state of QEMU's devices, without the memory
 */

#pragma once

#include "monitor/monitor.h"

G_BEGIN_DECLS

/* TRUE where stasis_monitor_save_devices() works for this guest: QEMU has the command, one that
 * takes disks back where it is to @release_disks, and nothing forbids a migration, which that
 * command does not ask.  *@out_why_not: (transfer full) (nullable) for people.  FALSE without a
 * reason is an error. */
gboolean stasis_monitor_can_save_devices (StasisMonitor *monitor, gboolean release_disks,
                                          char **out_why_not, GCancellable *cancellable,
                                          GError **error);

/* Write the devices' state to @path (an fd set: /dev/fdset/N), as a stream of its own.  The guest
 * is paused and stays so.  @release_disks: QEMU lets go of its disks; `cont` takes them back, or
 * stasis_monitor_activate_disks(). */
gboolean stasis_monitor_save_devices (StasisMonitor *monitor, const char *path,
                                      gboolean release_disks, GCancellable *cancellable,
                                      GError **error);

/* Whether QEMU can (10.0); an older one takes its disks with `cont` only, or, of a guest that
 * comes, as soon as it has all of it, unless it was told late-block-activate. */
gboolean stasis_monitor_can_activate_disks (const StasisMonitor *monitor);

/* Have QEMU take its disks back although the guest stays paused. */
gboolean stasis_monitor_activate_disks (StasisMonitor *monitor, GCancellable *cancellable,
                                        GError **error);

G_END_DECLS
