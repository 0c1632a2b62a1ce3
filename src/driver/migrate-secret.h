/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-secret.h: by what the two hosts of a migration know each other again
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define STASIS_MIGRATE_SECRET_SIZE 64u /* lower-case hexadecimal digits, of 256 random bits */
#define STASIS_MIGRATE_PROOF_SIZE  64u /* lower-case hexadecimal digits */

/* (transfer full): a new one, which nobody can guess. */
char *stasis_migrate_secret_new (GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* TRUE where @text (nullable) is of that form. */
gboolean stasis_migrate_secret_is_valid (const char *text);

/* (transfer full): what only those can say of @words who have the secret.
 * @words: (array zero-terminated=1): none with a blank in it */
char *stasis_migrate_secret_prove (const char *secret, const char *const *words);

/* Is it that?  In a time that does not tell how far it is right.
 * @proof: STASIS_MIGRATE_PROOF_SIZE octets */
gboolean stasis_migrate_secret_check (const char *secret, const char *const *words,
                                      const char *proof);

G_END_DECLS
