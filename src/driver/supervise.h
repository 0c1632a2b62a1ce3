/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * supervise.h: see to it that a running domain has its supervisor
 */

#pragma once

#include "driver/status.h"

G_BEGIN_DECLS

/* Start a supervisor for the domain whose run folder this is, unless one lives, and wait until it
 * answers (ten seconds at most).  Needs status.json there; with or without the domain's lock. */
gboolean stasis_supervise_ensure (const char *folder, GError **error);

/* (transfer full): the log of the supervisor of that domain. */
char *stasis_supervise_log_path (const char *folder, const StasisStatus *status);

/* TRUE while a supervisor lives. */
gboolean stasis_supervise_is_alive (const char *folder);

G_END_DECLS
