/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * once.h: one verification for all guests that use an image
 */

#pragma once

#include <gio/gio.h>

#include "util/lock.h"

G_BEGIN_DECLS

/* Wait for whoever verifies the image that has this record.  TRUE where nothing is left to be done,
 * since it was found good by a verification that began at @since_us (monotonic) or later; else
 * *@out_lock is ours, and whoever else wants it verified waits.  Where there can be no lock
 * everybody verifies for himself. */
gboolean stasis_verify_once_begin (const char *record, gint64 since_us, StasisLock **out_lock);

/* It was found good; @began_us: by a verification that began then. */
void stasis_verify_once_note (const char *record, gint64 began_us);

G_END_DECLS
