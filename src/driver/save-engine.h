/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save-engine.h: having QEMU write the state of a paused guest into our file
 */

#pragma once

#include "driver/capture.h"
#include "driver/job.h"
#include "driver/status.h"
#include "monitor/commands-migrate.h"
#include "monitor/monitor.h"
#include "util/stream.h"

G_BEGIN_DECLS

/* How QEMU is to write. */
typedef enum
{
  STASIS_SAVE_WAY_BEST,    /* in place where it can, else its plain stream, into our file */
  STASIS_SAVE_WAY_MAPPED,  /* in place (mapped-ram) */
  STASIS_SAVE_WAY_PLAIN,   /* its plain stream, into our file */
  STASIS_SAVE_WAY_THROUGH, /* its plain stream, through this process */
} StasisSaveWay;

/* Where it writes. */
typedef struct
{
  int fd;                /* (borrowed) our file; not for THROUGH */
  guint64 offset;        /* of the body in it */
  StasisStreamOut *sink; /* (borrowed) (nullable) for THROUGH */
  StasisJobPoll poll;    /* what a job shows while it goes through */
  gpointer poll_data;
} StasisSaveBody;

/* What this QEMU and this file system allow; chosen once, before the guest is paused. */
typedef struct
{
  StasisSaveWay way;  /* never BEST */
  gboolean multifd;   /* several threads of QEMU write */
  gboolean direct_io; /* past the page cache */
  guint n_channels;
  gboolean is_live;       /* the guest runs meanwhile */
  gboolean is_one_pass;   /* and QEMU goes over its memory once meanwhile */
  gboolean waits_for_us;  /* QEMU does when it has stopped the guest */
  StasisCapture *capture; /* (owned) (nullable) we write, not QEMU: in place */
  gboolean is_snapshot;   /* QEMU writes what the memory of a live one was, see background.h */
  char *why_not_capture;  /* (owned) (nullable) of a live one */
  char *description;      /* (owned) for people */
} StasisSaveEngine;

/* Whose state it is; borrowed. */
typedef struct
{
  const StasisStatus *status;
  const GPtrArray *ram_blocks; /* of StasisRamBlock */
  gboolean was_running;
  gboolean is_live;              /* its memory is copied while it runs */
  gboolean is_patient;           /* again and again, until its pause is short */
  gboolean release_disks;        /* it will not go on */
  const StasisImageChain *chain; /* (nullable) only what differs from it is saved */
  gboolean is_chain_mapped;      /* the memory is mapped from that image */
  gboolean is_chain_tracked;     /* the guest's writes are tracked since */
  gboolean keep_track;           /* they are to be tracked on */
} StasisSaveGuest;

/* @fd: our file, -1 for THROUGH.  STASIS_ERROR_UNSUPPORTED where this QEMU has no such way. */
StasisSaveEngine *stasis_save_engine_choose (StasisMonitor *monitor, StasisSaveWay way, int fd,
                                             const StasisSaveGuest *guest,
                                             GCancellable *cancellable, GError **error);
void stasis_save_engine_free (StasisSaveEngine *engine);

/* (transfer full): the engine's capabilities by QEMU's names, for the image's facts */
GStrv stasis_save_engine_capabilities (const StasisSaveEngine *engine);

/* Give QEMU the descriptors it will write to.  Notes the fd set in the journal (in memory: the
 * caller writes the status before going on). */
gboolean stasis_save_engine_pass (const StasisSaveEngine *engine, StasisMonitor *monitor,
                                  const StasisSaveBody *body, StasisJournal *journal,
                                  GCancellable *cancellable, GError **error);

/* The same for an engine that waits for us: begin, and wait until it does; go on, and wait until it
 * is done. */
gboolean stasis_save_engine_run_to_pause (const StasisSaveEngine *engine, StasisMonitor *monitor,
                                          const StasisSaveBody *body, const StasisJournal *journal,
                                          StasisJob *job, GError **error);
gboolean stasis_save_engine_run_on (StasisMonitor *monitor, StasisJob *job, GError **error);

/* Write the state and wait until it is done.  The first two steps of it are for a background
 * snapshot, whose guest is paused between them: QEMU is told how it is to write, and begins. */
gboolean stasis_save_engine_configure (const StasisSaveEngine *engine, StasisMonitor *monitor,
                                       GCancellable *cancellable, GError **error);
gboolean stasis_save_engine_begin (const StasisSaveEngine *engine, StasisMonitor *monitor,
                                   const StasisSaveBody *body, const StasisJournal *journal,
                                   GCancellable *cancellable, GError **error);
gboolean stasis_save_engine_run (const StasisSaveEngine *engine, StasisMonitor *monitor,
                                 const StasisSaveBody *body, const StasisJournal *journal,
                                 StasisJob *job, GError **error);

/* QEMU has come to the end of a live one: it may have gone over the memory more often than it was
 * told to. */
gboolean stasis_save_engine_check_passes (const StasisSaveEngine *engine,
                                          const StasisMigrationInfo *info, GError **error);

/* QEMU could not begin the background snapshot, which was the plan: it is to copy the memory while
 * the guest runs. */
void stasis_save_engine_give_up_snapshot (StasisSaveEngine *engine, const GError *why);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisSaveEngine, stasis_save_engine_free)

G_END_DECLS
