/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verify.h: checking every octet of a save image
 */

#pragma once

#include <gio/gio.h>

#include "image/reader.h"
#include "image/types.h"

G_BEGIN_DECLS

typedef enum
{
  STASIS_IMAGE_VERIFY_NONE = 0,
  STASIS_IMAGE_VERIFY_DEEP = 1 << 0,   /* also look into the body: MAPPED_RAM: headers, bitmaps,
                                        * pages; CHUNKS: that all of it can be decompressed */
  STASIS_IMAGE_VERIFY_AROUND = 1 << 1, /* all but the body, which somebody else reads and checks */
} StasisImageVerifyFlags;

/* One damaged place. */
typedef struct
{
  guint64 offset; /* in the file */
  guint64 length; /* octets that are in doubt */
  char *what;     /* (owned) for people: record or RAMBlock and guest offset */
} StasisImageFault;

void stasis_image_fault_free (StasisImageFault *damage);

/* Check the whole image.  TRUE: every octet is as it was written.  At the first damage FALSE with
 * STASIS_IMAGE_ERROR_CORRUPT.  @n_threads 0: one for each core, at most 8. */
gboolean stasis_image_verify (const StasisImage *image, StasisImageVerifyFlags flags,
                              guint n_threads, StasisImageProgress progress, gpointer progress_data,
                              GCancellable *cancellable, GError **error);

/* The same for all of it: an array of StasisImageFault (owned by the array), in the order of the
 * file, empty where the image is good, at most 1000 (the last then says that there are more).  NULL
 * where it could not look (I/O error, cancelled). */
GPtrArray *stasis_image_verify_report (const StasisImage *image, StasisImageVerifyFlags flags,
                                       guint n_threads, StasisImageProgress progress,
                                       gpointer progress_data, GCancellable *cancellable,
                                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
