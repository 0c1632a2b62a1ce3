/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * autostart.h: the marks of domains that are to start with the host
 */

#pragma once

#include "driver/driver-private.h"

G_BEGIN_DECLS

/* Whether the mark is there. */
gboolean stasis_autostart_has (const StasisPaths *paths, StasisAutostart which, const char *name);

/* (transfer full) (element-type StasisDomain): those that have a mark of any kind and do not run.
 */
GPtrArray *stasis_autostart_list (StasisDriver *driver, GError **error);

/* Before a start that is made because the host has started: a mark for one time is gone after
 * that, even if the host dies of the start.  No such mark is fine. */
gboolean stasis_autostart_use_up (StasisDomain *domain, GError **error);

G_END_DECLS
