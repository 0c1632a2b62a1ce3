/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * flat-store.h: the flat files of images, for emulators that cannot map memory from within one
 */

#pragma once

#include "driver/paths.h"
#include "image/flat.h"
#include "image/input.h"

G_BEGIN_DECLS

/* One that is there.  Nobody sweeps it away as long as this one, or a QEMU that has it open, is. */
typedef struct
{
  int fd;           /* (owned) with a shared lock */
  char *path;       /* (owned) */
  char *image;      /* (owned) the path of the image that its memory comes from */
  StasisFlat *flat; /* (owned) */
} StasisFlatFile;

/* Of which memory of which image.  All borrowed. */
typedef struct
{
  const StasisPaths *paths;
  const StasisImageInput *input; /* ours, a file, with a plain stream */
  const char *block;             /* the RAMBlock ... */
  guint64 length;                /* ... and its length */
  StasisImageProgress progress;  /* (nullable) */
  gpointer progress_data;
} StasisFlatRequest;

/* The flat file of the image as it is now; NULL where there is none.  Its pages are not looked at.
 */
StasisFlatFile *stasis_flat_store_find (const StasisFlatRequest *request);

/* Make it, unless it is there already or somebody else makes it at this moment: then that is waited
 * for.  The image is verified on the way, as a whole; the file is stamped as good (marks.h).
 * Nothing is left where this fails: STASIS_ERROR_REFUSED where there is no room. */
StasisFlatFile *stasis_flat_store_make (const StasisFlatRequest *request, GCancellable *cancellable,
                                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* It is damaged: nobody shall find it again. */
void stasis_flat_file_remove (const StasisFlatFile *file);

/* Remove those whose image has gone or is another by now, unless a guest uses them, and what a
 * dead process has left half made. */
void stasis_flat_store_sweep (const StasisPaths *paths);

/* NULL is fine. */
void stasis_flat_file_free (StasisFlatFile *file);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisFlatFile, stasis_flat_file_free)

G_END_DECLS
