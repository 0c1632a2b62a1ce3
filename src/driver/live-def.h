/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * live-def.h: the definition of a running instance
 */

#pragma once

#include "conf/domain-def.h"
#include "driver/status.h"
#include "monitor/monitor.h"

G_BEGIN_DECLS

/* Before QEMU starts: a place for each listening socket that names none, in @folder. */
void stasis_live_def_prepare (StasisDomainDef *def, const char *folder);

/* A live definition that was read again: tell those places from the ones that the user named. */
void stasis_live_def_mark_automatic (StasisDomainDef *def, const char *folder);

/* Fill in what only the running QEMU, or the host, knows: ptys, VNC ports, tap names.
 * @resources: of StasisResource, opened */
gboolean stasis_live_def_complete (StasisDomainDef *def, const GPtrArray *resources,
                                   StasisMonitor *monitor, GCancellable *cancellable,
                                   GError **error);

/* As `dumpxml` shows it to everybody. */
char *stasis_live_def_format_public (StasisDomainDef *def, int id);

/* Write it into the run folder as @name, and for the hooks of a domain that has any. */
gboolean stasis_live_def_write (StasisDomainDef *def, const StasisStatus *status,
                                const char *folder, const char *name, GError **error);

G_END_DECLS
