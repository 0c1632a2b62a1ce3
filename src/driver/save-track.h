/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save-track.h: what a save does about the tracking of its guest's writes
 */

#pragma once

#include "driver/save-private.h"

G_BEGIN_DECLS

/* TRUE where the guest's writes are to be tracked on, relative to the new image. */
gboolean stasis_save_wants_track (const StasisSave *save);

/* QEMU's blocks are known: whether what is tracked is theirs.  Otherwise the base is compared with,
 * and the save's base says why. */
void stasis_save_track_check (StasisSave *save);

/* (transfer full) (nullable): what is to be said of it beside the engine. */
char *stasis_save_track_describe (const StasisSave *save);

/* In memory: what is known of the guest's writes is going to be taken.  The caller writes the
 * status before that. */
void stasis_save_track_begin (StasisSave *save);

/* The image has its name: in memory again, and the caller writes it. */
void stasis_save_track_end (StasisSave *save);

G_END_DECLS
