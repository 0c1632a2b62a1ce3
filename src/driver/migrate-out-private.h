/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-out-private.h: a migration at its source while it goes on, for the rooms of it
 *
 * migrate-out.c keeps them and knows who is at one; migrate-out-begin.c asks and describes,
 * migrate-out-perform.c sends, migrate-out-wait.c waits, migrate-out-confirm.c ends.
 */

#pragma once

#include "driver/hold.h"
#include "driver/job.h"
#include "driver/migrate-cookie.h"
#include "driver/migrate-disk.h"
#include "driver/migrate-journal.h"
#include "driver/migrate-mirror.h"
#include "driver/migrate-out.h"
#include "driver/migrate-params.h"
#include "monitor/commands-migrate-info.h"

G_BEGIN_DECLS

/* QEMU's state of the guest, where begun was a migration of one that runs. */
typedef enum
{
  STASIS_OUT_BEGUN, /* nothing was sent */
  STASIS_OUT_SENT,  /* all was: the destination says whose the guest is */
} StasisMigrateOutPhase;

typedef struct
{
  StasisDriver *driver; /* (borrowed) */
  char *name;           /* (owned) */

  /* (guarded by the table's lock) */
  char *token;           /* (owned) only this entry's thread changes it */
  gboolean is_busy;      /* a thread is at it: all that follows is that thread's */
  gboolean is_abandoned; /* who began it has gone: that thread gives it up when it is done */
  GCancellable *stop;    /* (owned) cancelled then, and with what the caller of a step has */

  StasisMigrateOutPhase phase;
  StasisMigrateFlags flags;
  char *peer;                    /* (owned) (nullable) the destination's URI */
  char **copied;                 /* (owned) (nullable) the targets of the disks that go along */
  StasisMigrateMirrors *mirrors; /* (owned) (nullable) while they are copied */
  StasisHold *hold;              /* (owned) */
  StasisMonitor *monitor;        /* (owned) (nullable) offline, or given up */
  StasisDomainDef *def;          /* (owned): of the running instance; offline, the persistent one */
  StasisJob *job;                /* (owned) (nullable) from Perform on */
  StasisProgressFunc progress;   /* (nullable) as long as Perform goes on */
  gpointer progress_data;
  gboolean was_running;
  gboolean
      is_postmigrate;   /* it has sent its state away in a migration, or save, that failed late */
  gboolean is_one_pass; /* only the first pass over its memory can be relied on */
  gboolean is_postcopy; /* memory is on both sides */
  guint64 postcopy_passes;     /* after which it switches to that by itself; 0: it does not */
  gint64 postcopy_at_us;       /* likewise, monotonic */
  gint64 stopped_us;           /* real time; 0: it did not run */
  guint64 downtime_ms;         /* as QEMU says */
  StasisMigrateJournal *asked; /* (owned) (nullable) where the destination can be, once known */
  gboolean is_settled;         /* whose the guest is has been done, for good */
} StasisMigrateOut;

static inline gboolean
stasis_migrate_out_is_offline (const StasisMigrateOut *out)
{
  return (out->flags & STASIS_MIGRATE_OFFLINE) != 0;
}

/* migrate-out-begin.c */
gboolean stasis_migrate_out_describe (StasisMigrateOut *out, StasisDomain *domain,
                                      const StasisMigrateRequest *request, char **out_xml,
                                      GBytes **out_cookie, GCancellable *cancellable,
                                      GError **error);

/* migrate-out.c: others compare it meanwhile. */
void stasis_migrate_out_set_token (StasisMigrateOut *out, const char *token);

/* migrate-out-again.c: a postcopy that broke, and its journal as if it had not. */
gboolean stasis_migrate_out_take_again (StasisMigrateOut *out, StasisDomain *domain,
                                        GCancellable *cancellable, GError **error);
gboolean stasis_migrate_out_open_again (const StasisMigrateOut *out, GError **error);
/* In Perform: limits that are asked for now, or were since. */
gboolean stasis_migrate_out_tell_speed_again (const StasisMigrateOut *out,
                                              const StasisMigrateRequest *request, GError **error);

/* migrate-out-begin.c: how QEMU is told. */
StasisMigratePlan *stasis_migrate_out_plan (StasisMigrateOut *out,
                                            const StasisMigrateRequest *request,
                                            GCancellable *cancellable,
                                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* migrate-out-disks.c: in Begin. */
gboolean stasis_migrate_out_choose_disks (StasisMigrateOut *out,
                                          const StasisMigrateRequest *request, GError **error);
gboolean stasis_migrate_out_describe_copy (const StasisMigrateOut *out, StasisMigrateDisk *disk,
                                           GError **error);

/* migrate-out-disks.c: in Perform.  Until all copies are ready. */
gboolean stasis_migrate_out_copy_disks (StasisMigrateOut *out, const StasisMigratePrepare *prepare,
                                        const StasisMigrateRequest *request, GError **error);
/* Now and then: an error where one of them has come to nothing. */
gboolean stasis_migrate_out_look_at_disks (StasisMigrateOut *out, GError **error);
/* The guest stands still: until all are complete. */
gboolean stasis_migrate_out_finish_disks (StasisMigrateOut *out, GError **error);

/* migrate-out-perform.c.  Where it fails it is undone. */
gboolean stasis_migrate_out_send (StasisMigrateOut *out, const StasisMigrateRequest *request,
                                  GBytes *cookie, GBytes **out_cookie, GError **error);

/* migrate-out-wait.c: until QEMU's migration has come to @status, or has completed.
 * @cancellable: (nullable) */
gboolean stasis_migrate_out_wait (StasisMigrateOut *out, StasisMigrationStatus status,
                                  GCancellable *cancellable, GError **error);

/* migrate-out-wait.c: for a moment, while nothing is sent.  An error where the guest stopped by
 * itself, or the job is to end. */
gboolean stasis_migrate_out_doze (StasisMigrateOut *out, GError **error);

/* migrate-out-wait.c: an error where the guest stopped by itself, or has released a device. */
gboolean stasis_migrate_out_check_guest (StasisMigrateOut *out, GError **error);

/* migrate-out-confirm.c.  QEMU has ended here: over the guest's end elsewhere, or by itself? */
gboolean stasis_migrate_out_has_begun_there (const StasisMigrateOut *out);

/* migrate-out-confirm.c.  The guest is the destination's: what is here is ended. */
gboolean stasis_migrate_out_end_copy (StasisMigrateOut *out, const StasisMigrateFinal *final,
                                      GError **error);

/* migrate-out-confirm.c: what recovery does.  FALSE where nobody can tell whose the guest is, or it
 * could not be done; else *@out_is_here: it is not the destination's.
 * @why: (nullable): what has failed; NULL: it was given up */
gboolean stasis_migrate_out_undo (StasisMigrateOut *out, const GError *why, gboolean *out_is_here,
                                  GError **error);

G_END_DECLS
