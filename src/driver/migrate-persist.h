/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-persist.h: the persistent definition that a guest brings along
 */

#pragma once

#include "driver/status.h"

G_BEGIN_DECLS

/* Keep it in the run folder of a guest that comes here, where the one who lets the guest run finds
 * it, whoever that is. */
gboolean stasis_migrate_persist_keep (const char *folder, const char *xml, GError **error);

/* The guest is ours: it becomes the domain's.  Nothing to do where none is kept.  The caller holds
 * the domain's lock, and writes @status, which says that the domain has a definition now. */
gboolean stasis_migrate_persist_apply (const char *folder, StasisStatus *status, GError **error);

/* The same of a guest whose QEMU has ended, and whom nobody recovers any more: only if it had begun
 * here. */
gboolean stasis_migrate_persist_end (const char *folder, StasisStatus *status, GError **error);

G_END_DECLS
