/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * error.h: setting an error of drivers and domains
 */

#pragma once

#include <stasis/error.h>

G_BEGIN_DECLS

/* Set STASIS_ERROR_REFUSED.  Always FALSE, so that failing is one line. */
gboolean stasis_throw_refused (GError **error, const char *format, ...) G_GNUC_PRINTF (2, 3);

G_END_DECLS
