/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * shared-ram.h: guest memory that another process can have as well
 */

#pragma once

#include "conf/domain-def.h"
#include "util/process.h"

G_BEGIN_DECLS

/* TRUE where the definition wants such memory, of ordinary pages. */
gboolean stasis_shared_ram_is_wanted (const StasisDomainDef *def);

/* A file in memory for all of it; -1: there is none. */
int stasis_shared_ram_make (const StasisDomainDef *def, GError **error);

/* The file that this QEMU has its guest's memory from, shared: a new descriptor; -1: there is none
 * of that kind. */
int stasis_shared_ram_open (const StasisProcess *qemu, guint64 size, GError **error);

G_END_DECLS
