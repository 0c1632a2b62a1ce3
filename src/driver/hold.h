/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hold.h: the exclusive right to change one domain
 */

#pragma once

#include "driver/driver-private.h"
#include "driver/status.h"
#include "monitor/monitor.h"

G_BEGIN_DECLS

#define STASIS_HOLD_DEADLINE_MS 30000

typedef struct _StasisLock StasisLock;

/* While it is held no other process changes the domain. */
typedef struct
{
  StasisLock *lock;     /* (owned) */
  char *folder;         /* (owned) the running domain's, there or not */
  StasisStatus *status; /* (owned) (nullable) NULL: it does not run */
} StasisHold;

/* Take hold of a domain.  A job of a dead driver is recovered first, a run folder whose QEMU has
 * gone is cleared away.  While a job of a living process goes on: STASIS_ERROR_BUSY, naming it;
 * a short operation of another process is waited for, at most STASIS_HOLD_DEADLINE_MS (then
 * STASIS_ERROR_BUSY as well). */
StasisHold *stasis_hold_take (StasisDriver *driver, const char *name,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;
StasisHold *stasis_hold_take_cancellable (StasisDriver *driver, const char *name,
                                          GCancellable *cancellable,
                                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same, with another end to waiting. */
StasisHold *stasis_hold_take_within (StasisDriver *driver, const char *name, int timeout_ms,
                                     GCancellable *cancellable,
                                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same, and STASIS_ERROR_INVALID_STATE where the domain does not run. */
StasisHold *stasis_hold_take_running (StasisDriver *driver, const char *name,
                                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Only the lock, and nothing put in order.  @through_jobs: a job that goes on is waited for as
 * well (by who has just ended it). */
StasisLock *stasis_hold_lock (StasisDriver *driver, const char *name, gboolean through_jobs,
                              int timeout_ms, GCancellable *cancellable,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Let go.  NULL is fine. */
void stasis_hold_release (StasisHold *hold);

/* A QMP connection to the domain's QEMU. */
StasisMonitor *stasis_hold_open_monitor (const StasisHold *hold, GCancellable *cancellable,
                                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Write the status with its journal. */
gboolean stasis_hold_write (const StasisHold *hold, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisHold, stasis_hold_release)

G_END_DECLS
