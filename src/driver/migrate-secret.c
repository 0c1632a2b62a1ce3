/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-secret.c: by what the two hosts of a migration know each other again
 *
 * The token of a migration is said on its connections, which anybody may listen to.  The secret is
 * not: it goes from the destination to the source in Prepare's cookie, by way of the client whom
 * both trust, and each of them proves that it has it by an HMAC over what it says.
 */

#include "config.h"

#include "driver/migrate-secret.h"

#include <string.h>

#include "driver/migrate-token.h"

char *
stasis_migrate_secret_new (GError **error)
{
  return stasis_migrate_random (STASIS_MIGRATE_SECRET_SIZE / 2, error);
}

gboolean
stasis_migrate_secret_is_valid (const char *text)
{
  return text != NULL && strlen (text) == STASIS_MIGRATE_SECRET_SIZE
         && strspn (text, "0123456789abcdef") == STASIS_MIGRATE_SECRET_SIZE;
}

char *
stasis_migrate_secret_prove (const char *secret, const char *const *words)
{
  g_autofree char *text = g_strjoinv (" ", (char **) words);
  return g_compute_hmac_for_string (G_CHECKSUM_SHA256, (const guchar *) secret, strlen (secret),
                                    text, -1);
}

gboolean
stasis_migrate_secret_check (const char *secret, const char *const *words, const char *proof)
{
  g_autofree char *right = stasis_migrate_secret_prove (secret, words);
  return stasis_migrate_token_equal (right, proof, STASIS_MIGRATE_PROOF_SIZE);
}
