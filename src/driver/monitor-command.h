/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * monitor-command.h: a word with a domain's QEMU, and a descriptor for it
 */

#pragma once

#include <stasis/stasis.h>

G_BEGIN_DECLS

/* As stasis_domain_monitor_command(); @fd (borrowed) goes with a QMP command: -1: none. */
char *stasis_domain_monitor_command_fd (StasisDomain *self, const char *command,
                                        StasisMonitorCommandFlags flags, int fd,
                                        GCancellable *cancellable, GError **error);

G_END_DECLS
