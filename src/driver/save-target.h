/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save-target.h: whether a save image may go to a path
 */

#pragma once

#include "util/atomic-file.h"

G_BEGIN_DECLS

/* The name of a new image, and what there is under it. */
typedef struct
{
  char *path;        /* (owned) absolute, without symbolic links */
  int folder;        /* (owned) that it lies in, wherever that goes; for *at(2) only */
  StasisFileId seen; /* the image that is to be replaced */
} StasisSaveTarget;

/* Links are followed as in util/safe-open.h.  Refuses what is no regular file, and a file that is
 * no save image; the existing image stays until the new one is complete. */
StasisSaveTarget *stasis_save_target_new (const char *path,
                                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
void stasis_save_target_free (StasisSaveTarget *target);

/* Begin the new image.  When it is to get its name, that must be as it was seen. */
StasisAtomicFile *stasis_save_target_begin (const StasisSaveTarget *target,
                                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisSaveTarget, stasis_save_target_free)

G_END_DECLS
