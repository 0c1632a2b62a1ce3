/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save-private.h: a save while it goes on, for the rooms it is written in
 *
 * save.c asks and keeps the order of things, save-state.c writes the state, save-end.c ends it.
 */

#pragma once

#include "driver/disk-snapshot.h"
#include "driver/hold.h"
#include "driver/job.h"
#include "driver/save-base.h"
#include "driver/save-engine.h"
#include "driver/save-form.h"
#include "driver/save-output.h"
#include "driver/save-place.h"
#include "driver/still.h"

#include <stasis/save.h>

G_BEGIN_DECLS

typedef struct
{
  StasisDriver *driver; /* (borrowed) */
  StasisDomain *domain; /* (borrowed) */
  gboolean is_managed;
  StasisSaveFlags flags;
  const StasisSaveRequest *request; /* (borrowed) */
  StasisSaveForm form;
  StasisSavePlace *place;      /* (owned) */
  StasisJob *job;              /* (borrowed) */
  StasisHold *hold;            /* (owned) */
  StasisMonitor *monitor;      /* (owned) */
  StasisDomainDef *def;        /* (owned): of the running instance */
  StasisDomainDef *def_before; /* (owned) (nullable): @def before the guest released a device */
  char *xml;                   /* (owned): that goes into the image */
  StasisJson *facts;           /* (owned) (nullable): the same, once the head is written */
  gboolean is_head_stale;      /* it has another @xml */
  gboolean was_running;
  gboolean is_live;             /* its memory is copied while it runs */
  gboolean is_postmigrate;      /* it has sent its state away in a save that failed late */
  StasisStill still;            /* once it is paused */
  StasisSaveEngine *engine;     /* (owned) */
  StasisSaveOutput *output;     /* (owned) */
  GPtrArray *ram_blocks;        /* (owned) of StasisRamBlock */
  StasisSaveBase *base;         /* (owned) (nullable) of an incremental one */
  GPtrArray *disks;             /* (owned) (nullable) as they are in the image's moment */
  StasisDiskSnapshot *snapshot; /* (owned) (nullable) that keeps them so */
  gint64 paused_us;             /* when it was paused */
  gint64 pause_us;              /* for how long it was, -1: it is */
} StasisSave;

/* TRUE where the guest goes on beside its image. */
static inline gboolean
stasis_save_keeps_running (const StasisSave *save)
{
  return (save->flags & STASIS_SAVE_KEEP_RUNNING) != 0;
}

/* TRUE where that was asked for. */
static inline gboolean
stasis_save_wants_live (const StasisSave *save)
{
  return (save->flags & (STASIS_SAVE_LIVE | STASIS_SAVE_KEEP_RUNNING)) != 0;
}

/* save-head.c: what the image is to say of the guest. */
gboolean stasis_save_head_choose (StasisSave *save, GError **error);

/* save-head.c: TRUE where the guest's file systems are frozen in the image. */
gboolean stasis_save_head_is_frozen (const StasisSave *save);

/* save-head.c: write it. */
gboolean stasis_save_head_write (StasisSave *save, GError **error);

/* save-head.c: the guest is as it is in the image's moment, and its devices are yet to be saved:
 * the head is about those that it has. */
gboolean stasis_save_head_settle (StasisSave *save, GError **error);

/* save-head.c: the same where QEMU has saved them by now; an error where it did so otherwise. */
gboolean stasis_save_head_settle_late (StasisSave *save, GError **error);

/* save-head.c: an error where it is not what stasis_save_head_settle() found any more. */
gboolean stasis_save_head_check (StasisSave *save, GError **error);

/* save-head.c: write it anew, where it was written before that. */
gboolean stasis_save_head_renew (StasisSave *save, GError **error);

/* save-state.c: from a guest to a file that lacks nothing but its name. */
gboolean stasis_save_write_state (StasisSave *save, GError **error);

/* save-end.c: the image is complete; the guest ends, or goes on. */
gboolean stasis_save_finish (StasisSave *save, GError **error);

/* save-end.c: there is no image; the guest goes on as it was.  @error tells why; what goes wrong
 * here is added to it, unless QEMU has ended: then there is nobody to go on. */
void stasis_save_roll_back (StasisSave *save, GError **error);

/* save-end.c: the reader of a pipe may have a complete image. */
void stasis_save_leave_paused (StasisSave *save, GError **error);

G_END_DECLS
