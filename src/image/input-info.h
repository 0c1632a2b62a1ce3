/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * input-info.h: what `stasis image info` shows of an image of any kind
 */

#pragma once

#include "image/input.h"

G_BEGIN_DECLS

/* All about an image as one JSON object.  Of images of ours: image/info.h, with "kind"; of others
 * what the wrapping and QEMU's stream say, for which that is read to its end.  Where the stream is
 * damaged "stream" says so. */
StasisJson *stasis_image_input_info (StasisImageInput *input, GCancellable *cancellable,
                                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
