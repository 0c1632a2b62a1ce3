/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scope.h: a systemd scope of its own for a process that outlives its starter
 */

#pragma once

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* Move @pid into a new scope "stasis-@name-PID.scope", so that the end of a login session or of a
 * service does not touch it.  Does nothing where the host was not booted with systemd; a failure
 * is only logged, for the process then lives on in its starter's. */
void stasis_scope_enter (const char *name, pid_t pid, gboolean is_system);

G_END_DECLS
