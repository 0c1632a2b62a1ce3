/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-token.h: what a migration is called by both hosts
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define STASIS_MIGRATE_TOKEN_SIZE 32u /* lower-case hexadecimal digits, of 128 random bits */

/* (transfer full): a new one, which nobody can guess. */
char *stasis_migrate_token_new (GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* (transfer full): twice as many lower-case hexadecimal digits, which nobody can guess. */
char *stasis_migrate_random (gsize n_octets, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* TRUE where @text is of that form; it can be the name of a file then. */
gboolean stasis_migrate_token_is_valid (const char *text);

/* The same, with STASIS_ERROR_INVALID_ARGUMENT. */
gboolean stasis_migrate_token_check (const char *text, GError **error);

/* Whether both are the same, in a time that does not tell how far they are. */
gboolean stasis_migrate_token_equal (const void *a, const void *b, gsize size);

G_END_DECLS
