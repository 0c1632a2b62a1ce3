/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-reasons.h: what stands against a migration, as JSON
 */

#pragma once

#include <stasis/migrate-check.h>

G_BEGIN_DECLS

#define STASIS_MIGRATE_REASONS_SIZE_MAX (1024u * 1024u) /* octets */
#define STASIS_MIGRATE_REASONS_MAX      4096u

/* (transfer full) (element-type StasisMigrateReason): an empty list. */
GPtrArray *stasis_migrate_reasons_new (void);

/* @error_take: (nullable): it is not ok. */
void stasis_migrate_reasons_add (GPtrArray *reasons, const char *what, GError *error_take);

/* (transfer full) */
char *stasis_migrate_reasons_format (const GPtrArray *reasons);

/* From the destination. */
GPtrArray *stasis_migrate_reasons_parse (const char *text,
                                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
