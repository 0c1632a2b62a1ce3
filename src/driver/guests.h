/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guests.h: what stopping and starting all guests share
 */

#pragma once

#include "driver/driver-private.h"
#include "util/lock.h"

G_BEGIN_DECLS

/* One run over the guests. */
typedef struct
{
  StasisDriver *driver;      /* (borrowed) */
  StasisGuestFunc report;    /* (nullable) */
  gpointer user_data;        /* for report */
  GCancellable *cancellable; /* (borrowed) (nullable) */
  GMutex telling;            /* one report at a time */
  guint n_failed;            /* (guarded by telling) guests of which report has bad news */
  gint64 not_before_us;      /* (guarded by the loop) the next guest's turn */
  GPtrArray *cramped;        /* (owned) (nullable) (guarded by telling) a stop's own */
  StasisLock *lock;          /* (owned) there is no other run */
} StasisGuestsRun;

/* Begin: whoever is at it already is waited for.  FALSE also where that was cancelled. */
gboolean stasis_guests_begin (StasisGuestsRun *run, StasisDriver *driver, StasisGuestFunc report,
                              gpointer user_data, GCancellable *cancellable, GError **error);
void stasis_guests_clear (StasisGuestsRun *run);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (StasisGuestsRun, stasis_guests_clear)

/* What became of a guest; callable on any thread. */
void stasis_guests_tell (StasisGuestsRun *run, const char *domain, StasisGuestNews news,
                         const GError *error);

/* On a thread of several. */
typedef void (*StasisGuestsFunc) (StasisGuestsRun *run, gpointer item);

/* Call @func for each of @items, for as many at once as the host's configuration says, and the next
 * one @delay_s seconds after the one before.  Those whose turn has not come when the run is
 * cancelled are left out. */
void stasis_guests_each (StasisGuestsRun *run, GPtrArray *items, guint delay_s,
                         StasisGuestsFunc func);

/* Wait for @fd (-1: none) to be readable.  FALSE where that did not happen before @deadline_us
 * (monotonic; 0: none), or before the run was cancelled. */
gboolean stasis_guests_wait (StasisGuestsRun *run, int fd, gint64 deadline_us);

G_END_DECLS
