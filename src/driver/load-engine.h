/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * load-engine.h: having QEMU read a guest's state from the places of a file
 */

#pragma once

#include "driver/job.h"
#include "monitor/monitor.h"
#include "util/process.h"

G_BEGIN_DECLS

/* A body written by mapped-ram, in a file.  All borrowed. */
typedef struct
{
  const char *name; /* the file's, for messages */
  int fd;
  guint64 offset;
  guint64 octets;     /* about how many are to be read, for the progress */
  gboolean multifd;   /* written with that, too */
  const char *engine; /* (nullable) which way this is, for people, where QEMU's is not all of it */
} StasisMappedBody;

/* Let a QEMU that was started with `-incoming defer` load @body, and wait until it has.  Its CPUs
 * stay stopped.  @qemu: its process, for the progress. */
gboolean stasis_load_engine_run (const StasisMappedBody *body, StasisMonitor *monitor,
                                 const StasisProcess *qemu, StasisJob *job, GError **error);

G_END_DECLS
