/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-facts.h: what is known of the QEMU behind an image that is converted
 */

#pragma once

#include "driver/image-peek.h"
#include "image/input.h"

G_BEGIN_DECLS

/* The QEMU_FACTS for an image of ours that is made of @input: its own, or what its definition and
 * QEMU's stream tell.  @is_mapped: how the new body will be. */
StasisJson *stasis_image_make_facts (StasisImageInput *input, const StasisImagePeek *peek,
                                     gboolean is_mapped, GCancellable *cancellable,
                                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* (transfer full) (element-type utf8): what @input says that an image of @kind cannot say; for
 * people. */
char **stasis_image_list_lost (const StasisImageInput *input, StasisImageKind kind);

/* libvirt's cookie in @input, wherever it is; or NULL. */
GBytes *stasis_image_find_cookie (const StasisImageInput *input) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
