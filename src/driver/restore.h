/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore.h: bringing a domain back, for the driver's own use
 */

#pragma once

#include "driver/driver-private.h"

G_BEGIN_DECLS

/* stasis_driver_restore(); @is_managed: the image is used up by it, and removed in the same step
 * that lets the guest run. */
StasisDomain *stasis_restore_image (StasisDriver *driver, const char *path, const char *xml,
                                    StasisRestoreFlags flags, gboolean is_managed,
                                    StasisProgressFunc progress, gpointer user_data,
                                    GCancellable *cancellable, GError **error);

G_END_DECLS
