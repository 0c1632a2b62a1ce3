/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save-base.h: the image that an incremental save is made on top of
 */

#pragma once

#include "driver/status.h"
#include "image/chain.h"

G_BEGIN_DECLS

typedef struct
{
  StasisImage *image;      /* (owned) */
  StasisImageChain *chain; /* (owned) it, and what it stands on itself */
  StasisJson *parent;      /* (owned) for the new image */
  gboolean is_mapped;      /* the guest's memory is mapped from it */
  gboolean is_tracked;     /* the guest's writes are tracked since it */
  char *note;              /* (owned) (nullable) why it is this one, or not used better */
} StasisSaveBase;

/* @path: (nullable): NULL: the image that the guest's writes are tracked since; where there is
 * none, or it is not there any more, the one that its memory is mapped from; else the one that they
 * were tracked since.  @target: (nullable) where the new image goes, which must be none of them. */
StasisSaveBase *stasis_save_base_open (const StasisStatus *status, const char *path,
                                       const char *target, GCancellable *cancellable,
                                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* NULL is fine. */
void stasis_save_base_free (StasisSaveBase *base);

G_END_DECLS
