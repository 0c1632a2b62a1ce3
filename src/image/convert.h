/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * convert.h: an image of one kind into one of another
 */

#pragma once

#include "image/input.h"

G_BEGIN_DECLS

/* What is to be written.  All borrowed for the call. */
typedef struct
{
  StasisImageKind kind;
  int fd;          /* a regular file: empty, open for reading and writing; or a pipe */
  gboolean mapped; /* STASIS: the memory in place, so that it can be mapped; else a plain stream */
  int level;       /* of compression; 0: none, or the compressor's own choice */
  GBytes *xml;     /* nullable for a trailer */
  GBytes *cookie;  /* (nullable) for libvirt's kinds */
  guint8 domain_uuid[STASIS_IMAGE_UUID_SIZE]; /* for ours; of a trailer also where has_uuid */
  gboolean has_uuid;
  const StasisJson *facts;  /* for ours; capabilities as they fit the new body */
  const StasisJson *origin; /* (nullable) for ours */
  gboolean was_running;     /* for libvirt's */
} StasisImageOutput;

/* TRUE where the memory of the image that is to be written lies in place. */
gboolean stasis_image_output_is_mapped (const StasisImageOutput *output);

/* Read @input to its end, check all of it, and write it as @output, once and from front to back
 * where that is a pipe.  A file is synced and only lacks its name; a pipe got all of it.  An image
 * of ours keeps its UUID and its time.  @was_verified: the hashes of @input are known to be right.
 * After FALSE what was written is good for nothing. */
gboolean stasis_image_convert_input (StasisImageInput *input, const StasisImageOutput *output,
                                     gboolean was_verified, StasisImageProgress progress,
                                     gpointer progress_data, GCancellable *cancellable,
                                     GError **error);

G_END_DECLS
