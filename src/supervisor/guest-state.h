/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest-state.h: what state a guest is in, and why, in libvirt's words
 */

#pragma once

#include <stasis/domain.h>

#include "monitor/commands-run.h"
#include "monitor/commands-migrate-info.h"

G_BEGIN_DECLS

/* All strings are interned: never freed, and the structure may be copied. */
typedef struct
{
  StasisRunState run_state;
  gboolean is_known;          /* QEMU has been asked */
  gboolean has_run;           /* its CPUs ran at least once */
  gboolean is_reboot_pending; /* reset instead of ending at the next shutdown */
  const char *running_reason; /* why it runs, or will */
  const char *stopped_by;     /* (nullable) it ran, and stands still since: the job, "user",
                                 or what made it stop by itself */
  const char *postcopy;       /* (nullable) its memory is on two hosts: how that goes */
  gboolean is_given_up;       /* QEMU does not send it any more */
} StasisGuestState;

/* A guest that is about to run for @reason: "booted", "restored". */
void stasis_guest_state_init (StasisGuestState *self, const char *reason);

/* QEMU says how its migration goes. */
void stasis_guest_state_migrates (StasisGuestState *self, StasisMigrationStatus status);

/* A guest that had ended is reset: it boots, and no reboot is wanted any more. */
void stasis_guest_state_boot (StasisGuestState *self);

/* It was stopped because its memory is damaged: says so of one that stands still. */
void stasis_guest_state_blame_memory (StasisGuestState *self);

/* TRUE where the run state @now may hide that the guest stopped by itself: its disks tell.  It is
 * said of one whose disks do. */
gboolean stasis_guest_state_may_hide (const StasisGuestState *self, StasisRunState now);
void stasis_guest_state_blame_disk (StasisGuestState *self);

/* QEMU says that the run state is @now; @job: (nullable) the operation that goes on.
 * TRUE where what stasis_guest_state_store() keeps has changed. */
gboolean stasis_guest_state_change (StasisGuestState *self, StasisRunState now, const char *job);

/* @job: (nullable) the operation that goes on; the reason is never NULL. */
StasisDomainState stasis_guest_state_describe (const StasisGuestState *self, const char *job,
                                               const char **out_reason);

/* What QEMU cannot tell a later supervisor is kept in the run folder. */
gboolean stasis_guest_state_store (const StasisGuestState *self, const char *folder,
                                   GError **error);
void stasis_guest_state_load (StasisGuestState *self, const char *folder);

G_END_DECLS
