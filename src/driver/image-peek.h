/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-peek.h: the little that must be known of any definition in a save image
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* Of a definition that may have been written for another program: everything may be NULL. */
typedef struct
{
  char *type;     /* (owned) "kvm", "qemu" */
  char *name;     /* (owned) */
  char *uuid;     /* (owned) */
  char *emulator; /* (owned) */
} StasisImagePeek;

/* Look at it.  What is in it and not known to us is passed over; what is no XML fails. */
gboolean stasis_image_peek (GBytes *xml, const char *image_name, StasisImagePeek *out_peek,
                            GError **error);

void stasis_image_peek_clear (StasisImagePeek *peek);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (StasisImagePeek, stasis_image_peek_clear)

G_END_DECLS
