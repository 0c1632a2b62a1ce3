/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-relay.h: an image that needs a file, on its way through a pipe
 */

#pragma once

#include <stasis/image.h>

G_BEGIN_DECLS

typedef struct _StasisImageRelay StasisImageRelay;

/* For the end of @request (borrowed, as is what it names, until the relay has ended) that is a
 * descriptor.  *@out_relay: (transfer full) (nullable) none where that goes through a pipe as it
 * is.
 */
gboolean stasis_image_relay_begin (StasisDriver *driver, const StasisImageConversion *request,
                                   GCancellable *cancellable, StasisImageRelay **out_relay,
                                   GError **error);
/* The pipe that stands for that descriptor, and what kind of image goes through it. */
int stasis_image_relay_fd (const StasisImageRelay *self);
const char *stasis_image_relay_kind (const StasisImageRelay *self);
/* The other side is done, with @failure_take (nullable): TRUE where both went well.  *@out_lost:
 * (transfer full) what was lost on this side. */
gboolean stasis_image_relay_end (StasisImageRelay *self_take, GError *failure_take,
                                 char ***out_lost, GError **error);

G_END_DECLS
