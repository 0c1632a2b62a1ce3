/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-in-offline.c: the definition of a domain that does not run comes here
 */

#include "config.h"

#include "driver/migrate-in-private.h"

#include <glib/gi18n-lib.h>

#include "driver/registry.h"
#include "util/fault.h"

static gboolean
store (const StasisMigrateIn *in, GError **error)
{
  g_autoptr (StasisHold) hold
      = stasis_hold_take_cancellable (in->driver, in->name, in->cancellable, error);
  StasisVerdict holds = STASIS_VERDICT_OPEN;
  if (hold == NULL || !stasis_registry_check_unique (in->driver, in->name, in->uuid, error)
      || !stasis_fault ("migrate-in-define", error)
      || !stasis_migrate_verdict_decide (in->verdicts, in->token, STASIS_VERDICT_BEGUN, in->name,
                                         in->uuid, &holds, error))
    return FALSE;
  if (holds == STASIS_VERDICT_BEGUN)
    return stasis_registry_store (in->driver, in->persistent, error);
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED,
               _ ("the source of the migration of domain '%s' has kept it"), in->name);
  return FALSE;
}

/* It is here from now on. */
StasisDomain *
stasis_migrate_in_define (StasisMigrateIn *in, GBytes **out_cookie, GError **error)
{
  if (!store (in, error))
    return NULL;
  in->is_over = TRUE;
  g_autoptr (StasisMigrateCookie) cookie = stasis_migrate_cookie_new (in->token);
  stasis_migrate_cookie_add_final (cookie)->has_begun = TRUE;
  *out_cookie = stasis_migrate_cookie_format (cookie, NULL, NULL);
  return stasis_domain_new (in->driver, in->name, in->uuid);
}
