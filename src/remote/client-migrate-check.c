/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client-migrate-check.c: whether a guest could migrate to a server
 */

#include "config.h"

#include <glib/gi18n-lib.h>

#include "driver/migrate-reasons.h"
#include "remote/client-ops.h"
#include "remote/migrate-fields.h"

#define OWN   STASIS_PROGRAM_OWN
#define CHECK "check-migrate"

static GPtrArray *
check (StasisDriver *self, StasisMigrateFlags flags, const StasisMigrateRequest *request,
       const char *xml, GBytes *cookie, GCancellable *cancellable, GError **error)
{
  StasisClient *client = stasis_client_of_driver (self);
  const StasisClientJob job = { .cancellable = cancellable };
  if (!stasis_client_need_own (client, _ ("a check of a migration"), error))
    return NULL;
  g_autoptr (GPtrArray) params
      = stasis_migrate_fields_make (request, NULL, xml, /* is_own= */ TRUE);
  const StasisWireValue args[] = { { .items = params }, { .bytes = cookie }, { .u = flags } };
  StasisWireValue rets[1] = { { 0 } };
  if (!stasis_client_call_job (client, OWN, CHECK, args, rets, &job, error))
    return NULL;
  GPtrArray *reasons = stasis_migrate_reasons_parse (rets[0].s, error);
  stasis_client_clear (OWN, CHECK, rets);
  return reasons;
}

/* Whether it could. */
void
stasis_client_fill_migrate_check (StasisDriverOps *ops)
{
  ops->check_migrate = check;
}
