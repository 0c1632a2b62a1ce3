/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reconnect.h: the hooks of the domains that were there before the daemon was
 */

#pragma once

#include <stasis/stasis.h>

G_BEGIN_DECLS

typedef struct _StasisReconnect StasisReconnect;

/* Tell the hooks of each of these (element-type StasisDomain) that a daemon has come to it, beside
 * everything else.  One that fails is a warning. */
StasisReconnect *stasis_reconnect_begin (GPtrArray *domains);

/* End that; the hook that runs is ended.  NULL is fine. */
void stasis_reconnect_end (StasisReconnect *self);

G_END_DECLS
