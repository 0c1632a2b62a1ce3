/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * screenshot.h: what a running domain's display shows
 */

#pragma once

#include <stasis/stasis.h>

G_BEGIN_DECLS

#define STASIS_SCREENSHOT_MIME "image/x-portable-pixmap"

/* Of the first display: a descriptor (yours) of a file without a name, at its beginning; -1 on
 * failure. */
int stasis_domain_screenshot (StasisDomain *self, GError **error);

G_END_DECLS
