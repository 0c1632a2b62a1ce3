/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hook-marks.h: which hooks have been called for a run of a domain
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* RUN/domains/NAME/hooks: what stasis-hook notes there, OPERATION-SUB.KEY, and the definition that
 * the hooks get. */
#define STASIS_HOOK_MARKS "hooks"
#define STASIS_HOOK_XML   STASIS_HOOK_MARKS "/domain.xml"

/* (transfer full): the mark of one hook, of the domain whose run folder this is. */
char *stasis_hook_mark_path (const char *folder, const char *operation, const char *sub,
                             const char *key);

/* TRUE where any hook has been called for it. */
gboolean stasis_hook_marks_have (const char *folder, const char *operation, const char *sub);

/* Forget that. */
void stasis_hook_marks_clear (const char *folder, const char *operation, const char *sub);

/* Whoever has called it knows that it has ended; what it left running is nobody's business any
 * more. */
void stasis_hook_mark_done (const char *path);

/* End what of it was called by somebody who has died meanwhile, and still runs. */
void stasis_hook_marks_end (const char *folder, const char *operation, const char *sub);

/* TRUE where the mark is there; its process is waited for then, and ended after @timeout_s. */
gboolean stasis_hook_mark_await (const char *path, guint timeout_s);

G_END_DECLS
