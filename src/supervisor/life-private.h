/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * life-private.h: what the files of the life-cycle thread share
 */

#pragma once

#include "monitor/monitor.h"
#include "supervisor/life.h"

G_BEGIN_DECLS

#define STASIS_LIFE_QUERY_MS 3000 /* for an answer that QEMU has at hand */

/* What to do when the guest has ended. */
typedef enum
{
  STASIS_POLICY_DESTROY,
  STASIS_POLICY_RESTART,
  STASIS_POLICY_PRESERVE,
} StasisPolicy;

struct _StasisLife
{
  const char *folder; /* (borrowed: outlives us) */
  char *log;          /* (owned) (nullable) QEMU's */
  guint64 log_start;  /* where this run's part of it begins */
  int qemu_pidfd;     /* (borrowed: outlives us) */
  StasisPolicy on_poweroff;
  StasisPolicy on_reboot;
  StasisPolicy on_crash;
  StasisLifeRestart restart;
  gpointer restart_data; /* (borrowed) */
  GAsyncQueue *requests; /* (owned) of Request; wake says that there is one */
  int wake;              /* (owned) eventfd */

  GMutex lock;
  StasisGuestState guest;    /* guarded by lock; written by the thread only */
  const char *job;           /* guarded by lock; interned, nullable */
  gboolean was_ended;        /* guarded by lock */
  StasisLifeChanged changed; /* (nullable) guarded by lock, and the next three */
  gpointer changed_data;     /* (borrowed) */
  StasisLifeHeard heard;     /* (nullable) guarded by lock, and the next one */
  gpointer heard_data;       /* (borrowed) */
  StasisDomainState told_state;
  const char *told_reason; /* (nullable) interned */
  StasisMonitor *monitor;  /* (owned) (nullable) guarded by lock where another thread reads it or
                            * ours writes it */
  guint n_lent;            /* guarded by lock: who uses monitor besides the thread */
  GCond returned;          /* a monitor that was lent, or the answer to a request */

  /* The thread's own. */
  const char *shutdown_cause; /* (nullable) interned: QEMU's word in the last SHUTDOWN */
  StasisRunState stop_state;  /* what the next STOP means, or UNKNOWN: somebody paused it */
  guint own_powerdowns;       /* POWERDOWN events that are ours */
  gboolean is_restart_due;    /* the guest has ended and is to be reset */
  gboolean is_restarting;     /* that is being done: its end is not to be judged again */
  gint64 kill_at_us;          /* when a QEMU that does not end is killed, or 0 */
  gint64 look_at_us;          /* when to look again, since a look told nothing certain, or 0 */
  guint look_wait_ms;         /* before that look; each one that fails doubles it */
};

/* life-events.c, with the lock held: tell where there is anything new. */
void stasis_life_tell (StasisLife *life);
/* Take all queued events.  TRUE where the run state is to be asked anew. */
gboolean stasis_life_drain (StasisLife *life);
/* Ask for the run state, and apply the policy where the guest has ended.  Where QEMU does not
 * answer look_at_us says when to try again: its events have been taken, nothing else would bring us
 * here. */
gboolean stasis_life_look (StasisLife *life, GError **error);

/* Take one event.  TRUE where the run state is to be asked anew. */
gboolean stasis_life_take_event (StasisLife *life, const StasisMonitorEvent *event);

/* life-policy.c.  TRUE where the guest is to be reset: that needs the domain's lock. */
StasisPolicy stasis_policy_parse (const char *text, StasisPolicy fallback);
gboolean stasis_life_apply_policy (StasisLife *life, StasisRunState state);
/* The guest is about to be reset, and the journal says so. */
gboolean stasis_life_begin_restart (StasisLife *life, GError **error);

G_END_DECLS
