/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-check-api.c: the public functions that ask whether a domain could migrate
 *
 * Begin, which looks at the source, the list of the destination, and the end of it all: the domain
 * is busy meanwhile, and as it was when this returns.
 */

#include "config.h"

#include <glib/gi18n-lib.h>

#include "driver/domain-private.h"
#include "driver/migrate-in-check.h"
#include "driver/migrate-reasons.h"
#include "driver/ops.h"

/* What only the source needs to know (migrate-run.c). */
#define SOURCE_ONLY \
  (STASIS_MIGRATE_ABORT_ON_ERROR | STASIS_MIGRATE_AUTO_CONVERGE | STASIS_MIGRATE_CHANGE_PROTECTION)

/**
 * stasis_driver_check_migrate:
 * @self: a driver
 * @flags: how
 * @request: (nullable): what else is chosen
 * @xml: the definition, from Begin
 * @cookie: from Begin
 * @cancellable: (nullable): cancels it
 * @error: return location
 *
 * All that the destination looks at before it prepares a migration, and all that stands against it,
 * not only the first of it.  Nothing is started for the guest, and nothing is kept.
 *
 * Returns: (transfer full) (nullable) (element-type StasisMigrateReason): what was looked at
 */
GPtrArray *
stasis_driver_check_migrate (StasisDriver *self, StasisMigrateFlags flags,
                             const StasisMigrateRequest *request, const char *xml, GBytes *cookie,
                             GCancellable *cancellable, GError **error)
{
  const StasisDriverOps *ops = stasis_driver_get_ops (self);
  if (ops != NULL)
    return ops->check_migrate (self, flags, request, xml, cookie, cancellable, error);

  g_autoptr (StasisMigrateRequest) copy
      = request != NULL ? stasis_migrate_request_copy (request) : stasis_migrate_request_new ();
  copy->auto_converge_initial = copy->auto_converge_increment = STASIS_MIGRATE_UNSET;
  return stasis_migrate_in_check (self, flags, copy, xml, cookie, cancellable, error);
}

/* What has begun at the source is over. */
static void
end (StasisDomain *domain, guint flags, GPtrArray *reasons)
{
  GError *error = NULL;
  if (!stasis_domain_migrate_confirm (domain, flags, NULL, TRUE, &error))
    stasis_migrate_reasons_add (reasons, _ ("source"), error);
}

/* One that is paused stays so. */
static guint
dest_flags (StasisDomain *domain, guint flags)
{
  StasisDomainState state;
  const gboolean is_paused = (flags & STASIS_MIGRATE_OFFLINE) == 0
                             && stasis_domain_get_state (domain, &state, NULL, NULL)
                             && state == STASIS_DOMAIN_PAUSED;
  return (flags & ~(guint) SOURCE_ONLY) | (is_paused ? STASIS_MIGRATE_PAUSED : 0);
}

/**
 * stasis_domain_check_migrate:
 * @self: a domain
 * @destination: a driver
 * @flags: how
 * @request: (nullable): what else is chosen
 * @cancellable: (nullable): cancels it
 * @error: return location
 *
 * Whether stasis_domain_migrate_to() would do it, as far as that can be known before.  Nothing is
 * moved; the guest goes on.  Where the source itself refuses, the destination is not asked.
 *
 * Returns: (transfer full) (nullable) (element-type StasisMigrateReason): what was looked at
 */
GPtrArray *
stasis_domain_check_migrate (StasisDomain *self, StasisDriver *destination,
                             StasisMigrateFlags flags, const StasisMigrateRequest *request,
                             GCancellable *cancellable, GError **error)
{
  g_autofree char *xml = NULL;
  g_autoptr (GBytes) cookie = NULL;
  g_autoptr (GPtrArray) ours = stasis_migrate_reasons_new ();
  GError *local = NULL;
  const guint source_flags = (guint) flags | STASIS_MIGRATE_CHANGE_PROTECTION;
  if (!stasis_domain_migrate_begin (self, source_flags, request, &xml, &cookie, cancellable,
                                    &local))
    {
      stasis_migrate_reasons_add (ours, _ ("source"), local);
      return g_steal_pointer (&ours);
    }
  stasis_migrate_reasons_add (ours, _ ("source"), NULL);
  GPtrArray *theirs = stasis_driver_check_migrate (destination, dest_flags (self, source_flags),
                                                   request, xml, cookie, cancellable, &local);
  end (self, source_flags, ours);
  if (theirs == NULL)
    {
      g_propagate_prefixed_error (error, local, _ ("asking %s: "),
                                  stasis_driver_get_uri (destination));
      return NULL;
    }
  g_ptr_array_extend_and_steal (ours, theirs);
  return g_steal_pointer (&ours);
}
