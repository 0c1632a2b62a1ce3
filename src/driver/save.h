/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save.h: saving a running domain to an image, and ending it
 */

#pragma once

#include <stasis/save.h>

G_BEGIN_DECLS

/* @is_managed: to the managed image, which only a persistent domain may have. */
gboolean stasis_save_run (StasisDomain *domain, gboolean is_managed,
                          const StasisSaveRequest *request, StasisProgressFunc progress,
                          gpointer user_data, GCancellable *cancellable, GError **error);

G_END_DECLS
