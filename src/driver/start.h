/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * start.h: starting QEMU for a domain
 */

#pragma once

#include "driver/hold.h"
#include "driver/memory-image.h"
#include "driver/overlays.h"

G_BEGIN_DECLS

/* A clone is started.  All borrowed. */
typedef struct
{
  const char *of;                 /* the domain that the image is of */
  const char *image;              /* the image's path */
  const StasisOverlays *overlays; /* what it writes instead of its disks */
  const char *folder;             /* (nullable) and where, if anything: made when the status
                                     names it, gone with the clone */
} StasisStartClone;

typedef struct
{
  const char *operation; /* for the journal: "start", "restore" */
  const char *job_id;    /* (nullable) likewise: of one that can be aborted */
  const char *reason;    /* why it runs then: "booted", "restored" */
  gboolean is_transient;
  gboolean is_incoming;          /* QEMU waits for a state to load */
  const StasisStartClone *clone; /* (nullable) */
  const GPtrArray *kept_disks;   /* (nullable) of StasisDiskDef of the definition: the guest goes on
                                    in overlays over them */
  const GPtrArray *volumes;  /* (nullable) of StasisMigrateVolume: files for copies of disks, which
                                are made where they are missing */
  StasisMemoryImage *memory; /* (nullable): map the memory from it, if QEMU's user may; else QEMU is
                                started with memory of its own, and it says why */
} StasisStartRequest;

/* Start QEMU with its CPUs stopped, and the domain's supervisor.  @hold: taken, not running; gets
 * a status, whose journal says START until stasis_start_finish().  On failure nothing is left and
 * the hold says again that the domain does not run. */
StasisMonitor *stasis_start_qemu (StasisDriver *driver, StasisHold *hold, StasisDomainDef *def,
                                  const StasisStartRequest *request, GCancellable *cancellable,
                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A second QEMU, beside the one that has the guest, whose state it waits for: the journal says
 * HANDOVER, and knows of it.  @def is completed, and lies beside the live definition.  On failure
 * it may be there. */
StasisMonitor *stasis_start_beside (StasisDriver *driver, StasisHold *hold, StasisDomainDef *def,
                                    GCancellable *cancellable,
                                    GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* It is started: let the CPUs run if @run, and clear the journal.  FALSE: the guest did not run,
 * and stasis_start_abandon() is safe; from the moment that it may run nothing fails any more. */
gboolean stasis_start_finish (StasisHold *hold, StasisMonitor *monitor, gboolean run,
                              GError **error);

/* Only `cont`: the guest runs, also where the answer was lost, or QEMU has refused it. */
gboolean stasis_start_let_run (StasisHold *hold, StasisMonitor *monitor, GError **error);

/* It is not: end QEMU, clear everything away. */
void stasis_start_abandon (StasisHold *hold);

G_END_DECLS
