/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * source.h: a saved state to restore from, of whatever kind
 *
 * What the accessors return is borrowed and lives as long as the source.
 */

#pragma once

#include "driver/job.h"
#include "image/kind.h"
#include "image/reader.h"
#include "monitor/monitor.h"
#include "util/process.h"
#include "util/stream.h"

G_BEGIN_DECLS

typedef struct _StasisSource StasisSource;

/* Find out what it is and read what stands before the body.  Consumes @fd_take, also on failure: a
 * regular file, or a pipe or socket, from which nothing is read twice.  @name stands for it in
 * messages. */
StasisSource *stasis_source_open_fd (int fd_take, const char *name, GCancellable *cancellable,
                                     GError **error);

const char *stasis_source_name (const StasisSource *source);
StasisImageKind stasis_source_kind (const StasisSource *source);

/* -1: it comes through a pipe. */
int stasis_source_fd (const StasisSource *source);

/* Our own: what it says of itself.  NULL for any other. */
const StasisImage *stasis_source_image (const StasisSource *source);

/* (transfer full): the domain XML, with libvirt's cookie applied; NULL without an error where the
 * image has none, but the UUID (16 octets) of a domain whose definition is to be used. */
char *stasis_source_xml (const StasisSource *source, const guint8 **out_uuid, GError **error);

gboolean stasis_source_was_running (const StasisSource *source);

/* TRUE where QEMU reads the body by mapped-ram. */
gboolean stasis_source_is_mapped (const StasisSource *source);

/* What is known of its disks; NULL where nothing is, or not yet: that of a pipe comes last. */
const StasisJson *stasis_source_disks (const StasisSource *source);

/* Let a QEMU that was started with `-incoming defer` load the body, and check all of it
 * (source-load.c).  TRUE: the guest may run.  @qemu: its process, for the progress. */
gboolean stasis_source_load (StasisSource *source, StasisMonitor *monitor,
                             const StasisProcess *qemu, StasisJob *job, GError **error);

/* NULL is fine. */
void stasis_source_free (StasisSource *source);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisSource, stasis_source_free)

G_END_DECLS
