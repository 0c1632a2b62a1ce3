/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client-convert.h: images of another kind, of which at least one is on the server's host
 */

#pragma once

#include "remote/client-ops.h"

G_BEGIN_DECLS

/* The operation; the other end may be a descriptor here. */
gboolean stasis_client_convert_image (StasisDriver *self, const StasisImageConversion *request,
                                      char ***out_lost, StasisProgressFunc progress,
                                      gpointer user_data, GCancellable *cancellable,
                                      GError **error);

G_END_DECLS
