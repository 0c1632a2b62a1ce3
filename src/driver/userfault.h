/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * userfault.h: the userfaultfd that a QEMU was started with, by which its guest's writes are
 * tracked
 */

#pragma once

#include <gio/gio.h>

#include "util/process.h"

G_BEGIN_DECLS

/* A descriptor of our own of what was left in @qemu (src/preload), or -1. STASIS_ERROR_UNSUPPORTED,
 * in words, where there is none or we may not have it. */
int stasis_userfault_fetch (const StasisProcess *qemu, GError **error);

/* Nothing of @qemu's memory is tracked any more, whoever began that; nothing to do is success.  A
 * part of the memory has one userfaultfd at a time, so QEMU's own uses of it (background-snapshot,
 * postcopy) want this before. */
gboolean stasis_userfault_release (const StasisProcess *qemu, GError **error);

G_END_DECLS
