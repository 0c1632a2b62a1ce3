/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restorable.h: an opened image that guests are to be started from
 */

#pragma once

#include "driver/driver-private.h"
#include "driver/instant.h"
#include "image/input.h"

G_BEGIN_DECLS

typedef struct
{
  StasisDriver *driver; /* (borrowed) */
  StasisRestoreFlags flags;
  StasisImageInput *input; /* (owned) */
  StasisDomainDef *def;    /* (owned) */
} StasisRestorable;

/* Refuse flags of which one contradicts another. */
gboolean stasis_restorable_check_flags (StasisRestoreFlags flags, GError **error);

/* Open the image, and whatever may say no of it by itself: whose it is, whether it is complete,
 * whether @xml (nullable) describes the same guest, whether the emulator can read it.  @driver and
 * @flags of @self are set.  @fd_take -1: open @path. */
gboolean stasis_restorable_open (StasisRestorable *self, int fd_take, const char *path,
                                 const char *xml, GCancellable *cancellable, GError **error);

/* Look whether the memory can be mapped from it: instant.h.  Flat files that nobody wants any more
 * are swept away first. */
gboolean stasis_restorable_prepare_instant (const StasisRestorable *self,
                                            StasisInstant *out_instant, StasisJob *job,
                                            GError **error);

/* Refuse an image of a clone where something has been done to the disks that its own rest on. */
gboolean stasis_restorable_check_bases (const StasisRestorable *self, GError **error);

/* Whether a guest from it is let run. */
gboolean stasis_restorable_should_run (const StasisRestorable *self);

void stasis_restorable_clear (StasisRestorable *self);

G_END_DECLS
