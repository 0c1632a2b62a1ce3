/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device-settle.h: what has become of a change of a running guest's devices
 */

#pragma once

#include "driver/status.h"
#include "monitor/monitor.h"

G_BEGIN_DECLS

/* In the run folder: the definition as it will be when the change in the journal is done. */
#define STASIS_NEXT_XML "domain.xml.next"

/* Descriptors that are on their way to a device. */
#define STASIS_TAP_FD_NAME   "stasis-tap"
#define STASIS_VHOST_FD_NAME "stasis-vhost"

/* Finish or undo the change in the journal, whichever QEMU's state is nearer to, so that QEMU and
 * the live definition say the same.  The caller clears the journal then. */
gboolean stasis_device_settle (const char *folder, const StasisStatus *status,
                               StasisMonitor *monitor, GError **error);

/* The next definition is the definition from now on, or never. */
gboolean stasis_device_next_commit (const char *folder, GError **error);
void stasis_device_next_drop (const char *folder);

/* Have QEMU let go of what was behind a device; nothing there is fine.  @nodes, @netdev:
 * (nullable) */
void stasis_device_drop_backend (StasisMonitor *monitor, const char *nodes, const char *netdev);

/* A device has come to the domain of that run folder: whoever wants to hear of it does, as far as
 * its supervisor answers. */
void stasis_device_tell_added (const char *folder, const char *alias);

G_END_DECLS
