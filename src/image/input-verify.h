/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * input-verify.h: checking every octet of a save image of any kind
 */

#pragma once

#include "image/input.h"
#include "image/verify.h"

G_BEGIN_DECLS

/* Check the whole image as far as its kind allows, and QEMU's stream inside.  The array is as that
 * of stasis_image_verify_report(); NULL where it could not look.  Reads @input to its end. */
GPtrArray *stasis_image_input_verify (StasisImageInput *input, StasisImageProgress progress,
                                      gpointer progress_data, GCancellable *cancellable,
                                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
