/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scope.h: a systemd scope of its own for a process that outlives its starter
 */

#pragma once

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

typedef enum
{
  STASIS_SCOPE_NONE, /* stay in the starter's cgroup */
  STASIS_SCOPE_USER, /* of the user's own manager */
  STASIS_SCOPE_SYSTEM,
} StasisScopeKind;

/* Which manager's scope outlives most for a process of this user.
 * @cgroups: its /proc/PID/cgroup
 * @lingers_func: whether the user lingers; called only where that matters */
StasisScopeKind stasis_scope_choose (guint32 uid, const char *cgroups,
                                     gboolean (*lingers_func) (guint32 uid));

/* Move @pid, a process of ours, into a new scope "stasis-@name-PID.scope" of the manager that is
 * chosen so; it is there on return.  Does nothing where the host was not booted with systemd; a
 * failure is only logged, for the process then lives on in its starter's. */
void stasis_scope_enter (const char *name, pid_t pid);

G_END_DECLS
