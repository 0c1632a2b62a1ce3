/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-own.h: what the procedures of our own program have in common, and some of libvirt's
 *
 * Their flags are those of the public API: both ends are of this project.
 */

#pragma once

#include "remote/call.h"

G_BEGIN_DECLS

#define STASIS_OWN_SAVE_FLAGS \
  (STASIS_SAVE_BYPASS_CACHE | STASIS_SAVE_RUNNING | STASIS_SAVE_PAUSED | STASIS_SAVE_LIVE \
   | STASIS_SAVE_KEEP_RUNNING | STASIS_SAVE_INCREMENTAL | STASIS_SAVE_NO_DISKS \
   | STASIS_SAVE_QUIESCE | STASIS_SAVE_TRACK | STASIS_SAVE_STILL)
#define STASIS_OWN_RESTORE_FLAGS \
  (STASIS_RESTORE_BYPASS_CACHE | STASIS_RESTORE_RUNNING | STASIS_RESTORE_PAUSED \
   | STASIS_RESTORE_FORCE | STASIS_RESTORE_TRUST | STASIS_RESTORE_PARALLEL \
   | STASIS_RESTORE_VERIFY_FULL | STASIS_RESTORE_VERIFY_BACKGROUND | STASIS_RESTORE_VERIFY_NONE \
   | STASIS_RESTORE_FLAT)

/* A call that takes long: its client hears of it, and may cancel it. */
typedef struct
{
  StasisCall *call;          /* (borrowed) */
  GCancellable *cancellable; /* (owned) */
} StasisOwnJob;

void stasis_own_job_begin (StasisOwnJob *self, StasisCall *call);
/* (transfer full): of the domain that the first argument names; it begins where there is one. */
StasisDomain *stasis_own_job_begin_of_domain (StasisOwnJob *self, StasisCall *call,
                                              GError **error) G_GNUC_WARN_UNUSED_RESULT;
void stasis_own_job_end (StasisOwnJob *self);
/* A StasisProgressFunc, with a StasisOwnJob. */
void stasis_own_job_tell (const StasisJobStats *stats, gpointer job);

/* An error where there are others than these. */
gboolean stasis_own_check_flags (guint32 flags, guint32 known, GError **error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (StasisOwnJob, stasis_own_job_end)

G_END_DECLS
