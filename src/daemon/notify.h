/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * notify.h: telling the service manager how we are
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Send @state ("READY=1", lines of sd_notify(3)) to the service manager that waits for it, if there
 * is one.  Nothing depends on it: a failure is only said to those who debug. */
void stasis_daemon_notify (const char *state);

G_END_DECLS
