/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * status.h: the status file of a running domain, which is also its journal
 */

#pragma once

#include <gio/gio.h>

#include "driver/device-change.h"
#include "driver/journal-overlay.h"
#include "driver/migrate-journal.h"
#include "driver/tracked.h"
#include "util/atomic-file.h"
#include "util/process.h"

G_BEGIN_DECLS

/* What a job may have left behind if its driver dies.  The steps only go forward. */
typedef enum
{
  STASIS_STEP_NONE,      /* no job */
  STASIS_STEP_START,     /* QEMU may exist, the guest never ran: end QEMU */
  STASIS_STEP_RESUME,    /* the guest is started or loaded, and may run already: let it run */
  STASIS_STEP_SAVE,      /* before the rename: the guest is to go on as it was */
  STASIS_STEP_COMMIT,    /* the rename may have happened: the target's inode tells;
                            no target: a pipe's reader may have all of the image */
  STASIS_STEP_COMMITTED, /* the image is complete: end QEMU */
  STASIS_STEP_RESTART,   /* no job: the guest has ended, and is to be reset and let run */
  STASIS_STEP_DEVICE,    /* no job: its devices are changed (device-settle.c) */
  /* migrate-settle.c: */
  STASIS_STEP_MIGRATE_SENDING,  /* the destination cannot have all of the guest: it goes on here */
  STASIS_STEP_MIGRATE_HANDED,   /* it may have: it is asked */
  STASIS_STEP_MIGRATE_INCOMING, /* the guest comes here, and is the source's: revoke, end QEMU */
  STASIS_STEP_MIGRATE_BEGUN,    /* it is ours: let it run */
  /* handover-settle.c: */
  STASIS_STEP_HANDOVER,    /* a second QEMU is to have the guest: it goes on in the first */
  STASIS_STEP_HANDED_OVER, /* it is the second one's: let it run there, end the first */
} StasisStep;

typedef struct
{
  StasisStep step;
  char *operation;         /* (owned) "start", "save", "managedsave", "restore", "restart" */
  char *id;                /* (owned) (nullable) of the job (job-fate.h), if it can be aborted */
  StasisProcess owner;     /* the process that does it */
  gboolean was_running;    /* save: the guest ran before */
  gboolean are_disks_fine; /* save by QEMU: the guest had never stopped over a disk before */
  gboolean is_released;    /* save: it went on beside its image since: whoever stops it means it */
  char *target;            /* (owned) (nullable) save: the image's final path; resume: the managed
                              image that is used up by it */
  char *temp;              /* (owned) (nullable) save: its hidden name, if it has one */
  StasisFileId image;      /* that image */
  StasisFileId replaced;   /* save: what it is to replace, if that is there */
  char *mark;              /* (owned) (nullable) start: the mark "resumed once", to be taken back */
  gint64 fdset;            /* save: the fd set in QEMU, or -1 */
  gboolean is_turning;     /* save: QEMU is about to have the disks below the overlays again */
  GPtrArray *overlays;     /* (owned) (nullable) of StasisJournalOverlay: laid over disks */
  StasisJson *parameters;  /* (owned) (nullable) save: QEMU's of migration, to be set back */
  StasisDeviceChange *change; /* (owned) (nullable) device: what is changed */
  StasisProcess beside;       /* handover: the other QEMU, which is not the guest's (pid 0: none
                                 yet) */
  StasisMigrateJournal *migration; /* (owned) (nullable) the steps of a migration: never NULL */
} StasisJournal;

/* When the image that a guest's memory is mapped from is verified. */
typedef enum
{
  STASIS_MEMORY_CHECK_BEFORE,     /* it was, before the guest ran */
  STASIS_MEMORY_CHECK_BACKGROUND, /* while it runs, by its supervisor */
  STASIS_MEMORY_CHECK_NONE,       /* not at all: somebody wanted that */
} StasisMemoryCheck;

/* All that another process needs in order to drive this domain. */
typedef struct
{
  char *name; /* (owned) */
  char *uuid; /* (owned) */
  int id;
  gboolean is_transient; /* no persistent definition when it was started */
  StasisProcess qemu;    /* pid 0 until there is one */
  char *emulator;        /* (owned) */
  char *reason;          /* (owned) why it runs: "booted", "restored" */
  char *log;             /* (owned) QEMU's log */
  guint64 log_start;     /* the size that it had before this run */
  char *last;            /* (owned) where to write how it ended */
  char *last_job;        /* (owned) (nullable) where it is kept how the last job ended */
  char *lock;            /* (owned) the domain's lock file */
  char *definition;      /* (owned) the persistent definition's path, there or not */
  char *on_poweroff;     /* (owned) "destroy", "restart", "preserve", "rename-restart" */
  char *on_reboot;       /* (owned) */
  char *on_crash;        /* (owned) and "coredump-..." */
  gint64 started_us;     /* real time */
  guint32 uid;           /* QEMU's user */
  gboolean is_undecided; /* paused: the reader of a save's pipe may have a complete image */
  gboolean is_fd_left;   /* by monitor.sock alone can a dead driver's descriptor be closed */
  char *frozen; /* (owned) (nullable) a save has frozen the guest's file systems, or is about
                   to: the agent's socket by which who lets it run thaws them */
  StasisMigrateJournal *undecided_migration; /* (owned) (nullable) paused: its destination may have
                                                the guest, and could not be asked */
  StasisMigrateJournal *postcopy; /* (owned) (nullable) it has come here, and lacks some of its
                                     memory; nobody waits for that but the supervisor */
  GPtrArray *sockets;             /* (owned) of StasisBoundSocket: go with the domain */
  char *memory_image; /* (owned) (nullable) what its memory is mapped from: a save image, or ... */
  char *memory_flat_of; /* (owned) (nullable) ... the flat file of this one */
  StasisFileId memory_image_id;
  StasisMemoryCheck memory_check; /* when that image is verified */
  gboolean is_damage_accepted;    /* somebody let the guest run although it is damaged */
  char *memory_stamp; /* (owned) (nullable) the image's stamp, void where it turns out damaged */
  gint64 memory_since_us; /* monotonic: a check of it that began no earlier than that will do */
  char *clone_of;         /* (owned) (nullable) a clone: the domain that the image is of */
  char *clone_image;      /* (owned) (nullable) and the image that it was started from */
  char *overlays;         /* (owned) (nullable) the folder of its disks, which goes with it */
  char *hooks;            /* (owned) (nullable) the folder of the hooks that are called for it */
  guint32 hook_timeout;   /* seconds for each */
  StasisTracked
      *tracked;       /* (owned) (nullable) the image that its writes are, or were, tracked since */
  GPtrArray *unplugs; /* (owned) of StasisDeviceChange: what the guest has been asked to release */
  StasisJournal journal;
} StasisStatus;

StasisStatus *stasis_status_new (void);
void stasis_status_free (StasisStatus *status);

/* Atomic: a reader sees the old or the new one.  @folder is the running domain's. */
gboolean stasis_status_write (const StasisStatus *status, const char *folder, GError **error);
/* G_IO_ERROR_NOT_FOUND where there is none. */
StasisStatus *stasis_status_read (const char *folder, GError **error);

/* TRUE where the guest's memory is mapped from a save image itself. */
gboolean stasis_status_is_on_image (const StasisStatus *status);
/* (nullable) interned: why somebody has to decide before the guest goes on. */
const char *stasis_status_undecided_reason (const StasisStatus *status);
/* TRUE where the journal tells of a job, which others do not wait for. */
gboolean stasis_journal_has_job (const StasisJournal *journal);
/* TRUE where it tells of a migration, which goes in or out. */
gboolean stasis_journal_is_migration (const StasisJournal *journal);
/* A new journal entry in memory, in place of the old one; write the status afterwards. */
void stasis_journal_begin (StasisJournal *journal, StasisStep step, const char *operation);
void stasis_journal_clear (StasisJournal *journal);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisStatus, stasis_status_free)

G_END_DECLS
