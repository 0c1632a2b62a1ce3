/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * life.h: the thread that watches QEMU and applies the life-cycle policy
 */

#pragma once

#include "driver/status.h"
#include "monitor/monitor.h"
#include "supervisor/guest-state.h"

G_BEGIN_DECLS

typedef struct _StasisLife StasisLife;

/* Called in the default main context.  @error: (nullable) why it could not be done. */
typedef void (*StasisLifeDone) (const GError *error, gpointer data);
/* The same: the guest has ended and is to be reset, which needs the domain's lock. */
typedef void (*StasisLifeRestart) (gpointer data);

/* The same: its state, or why it is in it, is another one; @reason is interned. */
typedef void (*StasisLifeChanged) (StasisDomainState state, const char *reason, gpointer data);

/* Begin to watch.  @folder and @qemu_pidfd outlive it. */
StasisLife *stasis_life_new (const char *folder, const StasisStatus *status, int qemu_pidfd,
                             StasisLifeRestart restart, gpointer data);

/* Tell of what changes from now on, and first of how it is, where that is known. */
void stasis_life_set_changed (StasisLife *life, StasisLifeChanged changed, gpointer data);

/* QEMU has said this: {"qemu": NAME, "at": µs, "data": {...}} (borrowed). */
typedef void (*StasisLifeHeard) (StasisJson *event, gpointer data);

/* Tell of each event of QEMU from now on, before what it means. */
void stasis_life_set_heard (StasisLife *life, StasisLifeHeard heard, gpointer data);

/* How the guest was when last heard of.  Never blocks. */
StasisGuestState stasis_life_get (StasisLife *life);

/* Which operation goes on: (nullable).  It may be why the guest stands still, which is told: at
 * once where that is certain (@is_settled), else with the next look. */
void stasis_life_set_job (StasisLife *life, const char *operation, gboolean is_settled);

/* TRUE where a signal from outside ended QEMU, or is about to. */
gboolean stasis_life_was_ended (StasisLife *life);

/* Use the connection to QEMU from another thread, for commands: NULL where there is none.  It is
 * not closed until it is returned.  Whoever takes events from it asks for a sync afterwards. */
StasisMonitor *stasis_life_borrow (StasisLife *life);
void stasis_life_return (StasisLife *life, StasisMonitor *monitor);

/* Look at all that QEMU has said so far, and at its run state; then call @done. */
void stasis_life_sync (StasisLife *life, StasisLifeDone done, gpointer data);

/* Pause a guest that runs, for its memory is damaged. */
void stasis_life_pause (StasisLife *life, StasisLifeDone done, gpointer data);

/* Press the power button; at the next shutdown the guest is reset. */
void stasis_life_reboot (StasisLife *life, StasisLifeDone done, gpointer data);

/* Change the limits of the migration that QEMU is at: "max-bandwidth" (octets/s), "downtime-limit"
 * (ms), as far as they are in @limits (borrowed until @done), which is then those of now.  With
 * "start-postcopy" (any number) it switches. */
void stasis_life_steer (StasisLife *life, StasisJson *limits, StasisLifeDone done, gpointer data);

/* For who holds the domain's lock, on a thread other than the main loop's: these wait.  Look now:
 * *@out_is_due: the guest has ended and is to be reset.  Then, before that is done: take note of
 * it, so that it is not done twice. */
gboolean stasis_life_is_restart_due (StasisLife *life, gboolean *out_is_due, GError **error);
gboolean stasis_life_note_restart (StasisLife *life, GError **error);

G_END_DECLS
