/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-api.c: the public functions that migrate a domain
 */

#include "config.h"

#include <glib/gi18n-lib.h>

#include "driver/migrate-in.h"
#include "driver/migrate-out.h"
#include "driver/migrate-params.h"

/* Before anything begins. */
static gboolean
check (StasisMigrateFlags flags, const StasisMigrateRequest *request, GError **error)
{
  return stasis_migrate_params_check (flags, request, error);
}

/* (transfer full): never NULL. */
static StasisMigrateRequest *
copy_request (const StasisMigrateRequest *request)
{
  return request != NULL ? stasis_migrate_request_copy (request) : stasis_migrate_request_new ();
}

/* Opens the destination. */
static gboolean
migrate_peer_to_peer (StasisDomain *self, const char *dest_uri, StasisMigrateFlags flags,
                      const StasisMigrateRequest *request, StasisProgressFunc progress,
                      gpointer user_data, GCancellable *cancellable, GError **error)
{
  g_autoptr (StasisMigrateRequest) copy = copy_request (request);
  flags |= STASIS_MIGRATE_P2P;
  if (!check (flags, copy, error))
    return FALSE;
  g_autoptr (StasisDriver) destination = stasis_driver_open (dest_uri, cancellable, error);
  if (destination == NULL)
    {
      g_prefix_error (error, _ ("connecting to %s: "), dest_uri);
      return FALSE;
    }
  return stasis_migrate_out_run (self, destination, flags, copy, progress, user_data, cancellable,
                                 error);
}

/**
 * stasis_domain_migrate:
 * @self: a domain
 * @dest_uri: the destination's URI, as the domain's own driver reaches it
 * @flags: how
 * @request: (nullable): what else is chosen
 * @progress: (nullable) (scope call): told how it goes
 * @user_data: for @progress
 * @cancellable: (nullable): cancels it; the domain then runs on here
 * @error: return location
 *
 * Migrates the domain to another host, peer-to-peer: its own driver opens @dest_uri and tells the
 * destination what to do.  Blocks; may be called on any thread.  On failure the domain goes on
 * here, unless the error says that nobody knows which of both hosts has it: then it stays paused
 * until that is found out.
 *
 * Returns: %TRUE if it is the destination's
 */
gboolean
stasis_domain_migrate (StasisDomain *self, const char *dest_uri, StasisMigrateFlags flags,
                       const StasisMigrateRequest *request, StasisProgressFunc progress,
                       gpointer user_data, GCancellable *cancellable, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->migrate (self, dest_uri, flags, request, progress, user_data, cancellable, error);

  return migrate_peer_to_peer (self, dest_uri, flags, request, progress, user_data, cancellable,
                               error);
}

/**
 * stasis_domain_migrate_to:
 * @self: a domain
 * @destination: a driver
 * @flags: how
 * @request: (nullable): what else is chosen
 * @progress: (nullable) (scope call): told how it goes
 * @user_data: for @progress
 * @cancellable: (nullable): cancels it; the domain then runs on here
 * @error: return location
 *
 * The same with a destination that the caller has opened: client-managed.  Both drivers may be
 * embedded or elsewhere.
 *
 * Returns: %TRUE if it is the destination's
 */
gboolean
stasis_domain_migrate_to (StasisDomain *self, StasisDriver *destination, StasisMigrateFlags flags,
                          const StasisMigrateRequest *request, StasisProgressFunc progress,
                          gpointer user_data, GCancellable *cancellable, GError **error)
{
  g_autoptr (StasisMigrateRequest) copy = copy_request (request);
  return check (flags, copy, error)
         && stasis_migrate_out_run (self, destination, flags, copy, progress, user_data,
                                    cancellable, error);
}

/**
 * stasis_domain_migrate_begin:
 * @self: a domain
 * @flags: how
 * @request: (nullable): what else is chosen
 * @out_xml: (out): the definition for the destination
 * @out_cookie: (out): for Prepare
 * @cancellable: (nullable): cancels it
 * @error: return location
 *
 * The first step of a migration, at the source: nobody else changes the domain from now on.
 *
 * Returns: %TRUE if it has begun
 */
gboolean
stasis_domain_migrate_begin (StasisDomain *self, StasisMigrateFlags flags,
                             const StasisMigrateRequest *request, char **out_xml,
                             GBytes **out_cookie, GCancellable *cancellable, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->migrate_begin (self, flags, request, out_xml, out_cookie, cancellable, error);

  g_autoptr (StasisMigrateRequest) copy = copy_request (request);
  return check (flags, copy, error)
         && stasis_migrate_out_begin (self, flags, copy, out_xml, out_cookie, cancellable, error);
}

/**
 * stasis_driver_migrate_prepare:
 * @self: a driver
 * @flags: how
 * @request: (nullable): what else is chosen
 * @xml: the definition, from Begin
 * @cookie: from Begin
 * @out_cookie: (out): for Perform
 * @out_uri: (out) (nullable): where the source sends to
 * @cancellable: (nullable): cancels it
 * @error: return location
 *
 * The second step, at the destination: from now on it waits for the guest.
 *
 * Returns: %TRUE if it waits
 */
gboolean
stasis_driver_migrate_prepare (StasisDriver *self, StasisMigrateFlags flags,
                               const StasisMigrateRequest *request, const char *xml, GBytes *cookie,
                               GBytes **out_cookie, char **out_uri, GCancellable *cancellable,
                               GError **error)
{
  const StasisDriverOps *ops = stasis_driver_get_ops (self);
  if (ops != NULL)
    return ops->migrate_prepare (self, flags, request, xml, cookie, out_cookie, out_uri,
                                 cancellable, error);

  g_autoptr (StasisMigrateRequest) copy = copy_request (request);
  /* The source alone slows the guest down, and the flag for it comes to nobody else. */
  copy->auto_converge_initial = copy->auto_converge_increment = STASIS_MIGRATE_UNSET;
  return check (flags, copy, error)
         && stasis_migrate_in_prepare (self, flags, copy, xml, cookie, out_cookie, out_uri,
                                       cancellable, error);
}

/**
 * stasis_domain_migrate_perform:
 * @self: a domain
 * @flags: how
 * @request: (nullable): what else is chosen; its uri is that from Prepare where nobody chose one
 * @cookie: from Prepare
 * @out_cookie: (out): for Finish
 * @progress: (nullable) (scope call): told how it goes
 * @user_data: for @progress
 * @cancellable: (nullable): cancels it
 * @error: return location
 *
 * The third step, at the source: everything is sent, and the guest stands still.  Where it fails
 * the migration is over here: nothing is left to confirm.
 *
 * Returns: %TRUE if everything was sent
 */
gboolean
stasis_domain_migrate_perform (StasisDomain *self, StasisMigrateFlags flags,
                               const StasisMigrateRequest *request, GBytes *cookie,
                               GBytes **out_cookie, StasisProgressFunc progress, gpointer user_data,
                               GCancellable *cancellable, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->migrate_perform (self, flags, request, cookie, out_cookie, progress, user_data,
                                 cancellable, error);

  g_autoptr (StasisMigrateRequest) copy = copy_request (request);
  return check (flags, copy, error)
         && stasis_migrate_out_perform (self, flags, copy, cookie, out_cookie, progress, user_data,
                                        cancellable, error);
}

/**
 * stasis_driver_migrate_finish:
 * @self: a driver
 * @flags: how
 * @name: the domain's name here
 * @cookie: (nullable): from Perform
 * @is_cancelled: the source has given up
 * @out_cookie: (out) (nullable): for Confirm
 * @error: return location
 *
 * The fourth step, at the destination: the guest becomes its own, or nothing is left of it.  With
 * @is_cancelled it always fails: with %G_IO_ERROR_CANCELLED where that is all that there is to say.
 *
 * Returns: (transfer full) (nullable): the domain
 */
StasisDomain *
stasis_driver_migrate_finish (StasisDriver *self, StasisMigrateFlags flags, const char *name,
                              GBytes *cookie, gboolean is_cancelled, GBytes **out_cookie,
                              GError **error)
{
  const StasisDriverOps *ops = stasis_driver_get_ops (self);
  if (ops != NULL)
    return ops->migrate_finish (self, flags, name, cookie, is_cancelled, out_cookie, error);

  return stasis_migrate_in_finish (self, flags, name, cookie, is_cancelled, out_cookie, error);
}

/**
 * stasis_domain_migrate_confirm:
 * @self: a domain
 * @flags: how
 * @cookie: (nullable): from Finish
 * @is_cancelled: Finish, or what comes before it, has failed
 * @error: return location
 *
 * The last step, at the source: its copy ends, or goes on.  What decides is what the destination
 * says, which is asked where @cookie does not tell.
 *
 * Returns: %TRUE if one of both has happened; where nobody could tell the guest stays paused
 */
gboolean
stasis_domain_migrate_confirm (StasisDomain *self, StasisMigrateFlags flags, GBytes *cookie,
                               gboolean is_cancelled, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->migrate_confirm (self, flags, cookie, is_cancelled, error);

  return stasis_migrate_out_confirm (self, flags, cookie, is_cancelled, error);
}

/**
 * stasis_domain_migrate_start_postcopy:
 * @self: a domain that is being migrated with %STASIS_MIGRATE_POSTCOPY
 * @error: return location
 *
 * Switches its migration to postcopy: as soon as QEMU comes to it, the guest goes on at its
 * destination, and fetches what it lacks of its memory from here.  From then on the migration
 * cannot be cancelled any more.  Whoever has begun it, on whatever thread, or in whatever process,
 * goes on with it.
 *
 * Returns: %TRUE if QEMU was told so
 */
gboolean
stasis_domain_migrate_start_postcopy (StasisDomain *self, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->migrate_start_postcopy (self, error);

  return stasis_migrate_out_start_postcopy (self, error);
}

/**
 * stasis_domain_migrate_pause_postcopy:
 * @self: a domain whose migration has switched to postcopy
 * @error: return location
 *
 * Breaks off the connection of a postcopy at its source, as a network that fails does: what sends
 * it fails, here is the memory that the guest lacks at its destination, and
 * %STASIS_MIGRATE_POSTCOPY_RESUME goes on.
 *
 * Returns: %TRUE if QEMU has done so; %FALSE with STASIS_ERROR_INVALID_STATE where there is none
 */
gboolean
stasis_domain_migrate_pause_postcopy (StasisDomain *self, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->migrate_pause_postcopy (self, error);

  return stasis_migrate_out_pause_postcopy (self, error);
}
