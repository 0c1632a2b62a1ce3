/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * autodestroy.h: guests that end with the connection that started them
 */

#pragma once

#include <stasis/stasis.h>

#include "remote/migrating.h"
#include "util/uuid.h"

G_BEGIN_DECLS

/* One run of a domain: another one of the same domain is not meant. */
typedef struct
{
  guint8 uuid[STASIS_UUID_SIZE];
  gint32 id;
} StasisMortal;

/* Ends guests, and migrations, beside everything else. */
typedef struct _StasisReaper StasisReaper;

StasisReaper *stasis_reaper_new (void);
/* Waits until all that is to be ended has ended.  NULL is fine. */
void stasis_reaper_free (StasisReaper *self);

/* (element-type StasisMortal): copied; @driver is referenced. */
void stasis_reaper_end (StasisReaper *self, StasisDriver *driver, const GArray *mortals);
/* (element-type StasisMigrating) */
void stasis_reaper_abandon (StasisReaper *self, GPtrArray *migratings_take);

G_END_DECLS
