/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save.h: saving a running domain to an image, and ending it
 */

#pragma once

#include <stasis/save.h>

#include "driver/save-sink.h"

G_BEGIN_DECLS

/* @is_managed: to the managed image, which only a persistent domain may have.  @reader (nullable):
 * behind who reads the request's descriptor. */
gboolean stasis_save_run (StasisDomain *domain, gboolean is_managed,
                          const StasisSaveRequest *request, const StasisSaveReader *reader,
                          StasisProgressFunc progress, gpointer user_data,
                          GCancellable *cancellable, GError **error);

G_END_DECLS
