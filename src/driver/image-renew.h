/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-renew.h: a copy takes the name of an image, which goes on without one
 */

#pragma once

#include "driver/paths.h"
#include "image/types.h"
#include "util/atomic-file.h"

G_BEGIN_DECLS

typedef struct _StasisImageRenewal StasisImageRenewal;

/* Of the image that is @id, behind @fd (borrowed: outlives it), and had the name @path.  One that
 * was renamed is renewed under its new name; one that has no name any more needs no copy: all that
 * follows does nothing then.  STASIS_ERROR_REFUSED where it has several names, or one that nobody
 * can find. */
StasisImageRenewal *stasis_image_renewal_new (const char *path, int fd, const StasisFileId *id,
                                              GCancellable *cancellable,
                                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Octets that the copy will read, 0 where none is needed. */
guint64 stasis_image_renewal_size (const StasisImageRenewal *renewal);

/* The copy, complete and on disk, but without a name. */
gboolean stasis_image_renewal_copy (StasisImageRenewal *renewal, StasisImageProgress progress,
                                    gpointer data, GCancellable *cancellable, GError **error);

/* It gets the name.  TRUE: the image itself has none any more, and nobody can open it. */
gboolean stasis_image_renewal_commit (StasisImageRenewal *renewal, const StasisPaths *paths,
                                      GError **error);

/* What was not committed is gone.  NULL is fine. */
void stasis_image_renewal_free (StasisImageRenewal *renewal);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisImageRenewal, stasis_image_renewal_free)

G_END_DECLS
