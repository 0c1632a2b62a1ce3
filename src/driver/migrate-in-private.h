/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-in-private.h: what the files of a migration's destination share
 */

#pragma once

#include "driver/hold.h"
#include "driver/job.h"
#include "driver/migrate-channel.h"
#include "driver/migrate-cookie.h"
#include "driver/migrate-in-postcopy.h"
#include "driver/migrate-in.h"
#include "driver/migrate-verdict.h"
#include "monitor/commands-migrate-params.h"

G_BEGIN_DECLS

typedef struct _StasisMigrateDoors StasisMigrateDoors;

/* One guest that is to come here.  What stands before @work never changes once others see it. */
typedef struct
{
  gatomicrefcount refs;
  StasisDriver *driver; /* (borrowed) it ends all of them before itself */
  char *name;           /* (owned) the domain's here */
  char *uuid;           /* (owned) */
  char *token;          /* (owned) */
  char *secret;         /* (owned) migrate-secret.h */
  char *verdicts;       /* (owned) the folder of this host's verdicts */
  StasisMigrateFlags flags;
  GCancellable *cancellable; /* (owned) who prepared it has gone */
  gint is_revoked;           /* (atomic) the source was told so: QEMU is to be ended */
  gint has_data;             /* (atomic) its connection has come, or QEMU waits for it by itself */
  gint is_broken;            /* (atomic) its postcopy is to go on by another connection */

  GMutex work;   /* whoever does something for it; guards all that follows */
  GCond stirred; /* by who wants the watching thread to look */
  gboolean is_finishing;
  gboolean is_over;            /* nothing is left of it here, or it has begun */
  GError *why;                 /* (owned) (nullable) over, and it has not begun: why */
  gboolean is_cut_off;         /* ... because its stream has ended */
  StasisDomainDef *def;        /* (owned) as it is here */
  StasisDomainDef *persistent; /* (owned) (nullable) what is to be defined once it has begun */
  StasisJson *cpu;             /* (owned) (nullable) what the guest has seen at the source */
  GStrv known;                 /* (owned) capabilities that the source's QEMU has on, or offers */
  gboolean is_same_host;       /* the source is this host */
  gboolean runs;               /* it ran at the source, and is to here */
  gboolean has_disks_early;    /* QEMU takes them once it has all of the guest */
  gboolean is_incoming;        /* its journal says so: it is revoked rather than forgotten */
  gboolean may_have_begun;     /* it was tried to decide so */
  gboolean is_again;           /* it is here already, and lacks memory (migrate-in-again.c) */
  StasisHold *hold;            /* (owned) (nullable) */
  StasisMonitor *monitor;      /* (owned) (nullable) */
  StasisJob *job;              /* (owned) (nullable) */
  StasisJson *parameters;      /* (owned) (nullable) QEMU's of migration, to be set back */
  GPtrArray *volumes;          /* (owned) (nullable) of StasisMigrateVolume: disks copied here */
  GHashTable *exports;         /* (owned) (nullable) target -> name: as long as QEMU serves them */
  char *nbd;                   /* (owned) (nullable) where, as the source is told */
  char *nbd_path;              /* (owned) (nullable) and that as a unix socket */
  GThread *watch;              /* (owned) (nullable) */
} StasisMigrateIn;

/* The table of a driver. */
struct _StasisMigrateIns
{
  GMutex lock;               /* nobody waits while it is held */
  GHashTable *by_name;       /* (owned) (guarded by lock) name -> StasisMigrateIn (owned) */
  StasisMigrateDoors *doors; /* (borrowed) joined */
  char *tunnel; /* (owned) the socket's name in RUN by which those that are tunnelled come in */
};

/* --- migrate-in.c */
StasisMigrateIn *stasis_migrate_in_ref (StasisMigrateIn *in);
void stasis_migrate_in_unref (StasisMigrateIn *in);
/* (transfer full) (nullable) */
StasisMigrateIn *stasis_migrate_ins_find (StasisMigrateIns *ins, const char *token);
/* An error where @in (new) has the name, or the token, of one that is coming in. */
gboolean stasis_migrate_ins_check_free (StasisMigrateIns *ins, const StasisMigrateIn *in,
                                        GError **error);

/* For who has @work: nothing is left of it here, because of @error (borrowed).  It is revoked first
 * where a source may know of it; where it has begun after all it is as its driver had died. */
void stasis_migrate_in_clear_away (StasisMigrateIn *in, const GError *error);

/* --- migrate-in-prepare.c */
/* Everything that may say no, then QEMU: the first half of Prepare.
 * @in: named, in nobody's hands but ours */
StasisMigrateIn *stasis_migrate_in_new (StasisDriver *driver, StasisMigrateFlags flags,
                                        const StasisMigrateRequest *request, const char *xml,
                                        GBytes *cookie, GCancellable *cancellable, GError **error);
gboolean stasis_migrate_in_start (StasisMigrateIn *in, GError **error);
/* Of the first half, what flags alone tell: does this host take what is not encrypted, and can it
 * be done? */
gboolean stasis_migrate_in_check_tls (const StasisDriver *driver, StasisMigrateFlags flags,
                                      GError **error);
gboolean stasis_migrate_in_check_built (StasisMigrateFlags flags, GError **error);

/* --- migrate-in-ready.c */
/* The second half: QEMU is told how, and both sides where.  @ins (borrowed) knows of @in. */
gboolean stasis_migrate_in_ready (StasisMigrateIn *in, StasisMigrateIns *ins,
                                  const StasisMigrateRequest *request, GBytes **out_cookie,
                                  char **out_uri, GError **error);

/* --- migrate-in-again.c */
/* The first half of Prepare for a postcopy that broke: where it fails nothing has changed. */
gboolean stasis_migrate_in_start_again (StasisMigrateIn *in, GError **error);
/* @fd (borrowed): QEMU goes on receiving by it. */
gboolean stasis_migrate_in_hand_over_again (StasisMigrateIn *in, int fd, GError **error);

/* --- migrate-in-userfault.c */
/* Switch these capabilities on; @is_postcopy: postcopy-ram is among them. */
gboolean stasis_migrate_in_switch_on (const StasisMigrateIn *in,
                                      const StasisMigrationCapability *on, guint n_on,
                                      gboolean is_postcopy, GError **error);

/* --- migrate-in-listen.c */
/* Where a migration comes in. */
typedef struct
{
  StasisMigrateAddress *bound; /* (owned) where this host listens; port 0: any of the range */
  char *host;                  /* (owned) (nullable) by which the source finds this host */
} StasisMigratePlace;

void stasis_migrate_place_clear (StasisMigratePlace *place);
gboolean stasis_migrate_place_find (const StasisMigrateIn *in, const StasisMigrateRequest *request,
                                    StasisMigratePlace *place, GError **error);
/* (transfer full): for the source, where @bound (nullable: the place's own) is listened at. */
char *stasis_migrate_place_tell (const StasisMigratePlace *place,
                                 const StasisMigrateAddress *bound);
/* TRUE where QEMU takes the connections itself, for there are several. */
gboolean stasis_migrate_in_is_by_qemu (const StasisMigrateIn *in);
/* Have it; @out_bound (transfer full): with the port. */
gboolean stasis_migrate_in_listen_by_qemu (StasisMigrateIn *in, const StasisMigrateAddress *address,
                                           StasisMigrateAddress **out_bound, GError **error);
/* TRUE once: the connection of the source's that has come is the one. */
gboolean stasis_migrate_in_claim_data (StasisMigrateIn *in);
/* Its stream is QEMU's.  On any thread. */
void stasis_migrate_in_take_data (StasisMigrateIn *in, int fd);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (StasisMigratePlace, stasis_migrate_place_clear)

/* --- migrate-in-disks.c */
/* Those that are copied here can be written to by the source.  Nothing where there are none. */
gboolean stasis_migrate_in_export (StasisMigrateIn *in, const StasisMigrateRequest *request,
                                   GError **error);
void stasis_migrate_in_tell_exports (const StasisMigrateIn *in, StasisMigratePrepare *prepare);
/* Not any more: the guest is to have them. */
gboolean stasis_migrate_in_unexport (StasisMigrateIn *in, GError **error);

/* --- migrate-in-door.c */
/* The process's doors, for a driver's table of migrations. */
StasisMigrateDoors *stasis_migrate_doors_join (StasisMigrateIns *ins);
/* Nobody finds these at a door any more when this returns.  With the last of them the doors close,
 * and nobody is in one. */
void stasis_migrate_doors_leave (StasisMigrateDoors *doors, StasisMigrateIns *ins);
/* A door at @address for that migration, which answers for @verdicts, as long as somebody may ask.
 * @out_bound: (transfer full): with its port */
gboolean stasis_migrate_doors_open (StasisMigrateDoors *doors, const StasisMigrateAddress *address,
                                    const char *verdicts, const char *token,
                                    StasisMigrateAddress **out_bound, GError **error);
/* Close those where nobody comes or asks any more: who waited there has left, say. */
void stasis_migrate_doors_look (StasisMigrateDoors *doors);
/* Those of processes that are gone, where somebody may still ask.  What cannot be is in the log. */
void stasis_migrate_doors_reopen (StasisMigrateDoors *doors, const char *verdicts);

/* --- migrate-in-stats.c */
/* What the source has counted, as it said with its last word. */
void stasis_migrate_in_take_stats (StasisMigrateIn *in, const StasisMigrateFinal *sent);

/* --- migrate-in-watch.c */
/* Begin to watch over a QEMU that waits, so that its end, an abort, or the source's wish ends it.
 */
void stasis_migrate_in_watch (StasisMigrateIn *in);
/* How does it stand?  For who has @work.  FALSE where it cannot come any more. */
gboolean stasis_migrate_in_look (StasisMigrateIn *in, gboolean *out_is_loaded,
                                 gboolean *out_is_postcopy, GError **error);

/* --- migrate-in-finish.c */
/* For who has @work.  TRUE: it has begun, and it is *@out_domain where nothing has failed since. */
StasisDomain *stasis_migrate_in_begin (StasisMigrateIn *in, StasisMigrateFlags flags,
                                       GBytes *cookie, GBytes **out_cookie, GError **error);

/* --- migrate-in-offline.c */
StasisDomain *stasis_migrate_in_define (StasisMigrateIn *in, GBytes **out_cookie, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisMigrateIn, stasis_migrate_in_unref)

G_END_DECLS
