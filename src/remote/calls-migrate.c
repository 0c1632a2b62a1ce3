/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-migrate.c: the five steps of a migration, on either side
 *
 * libvirt's protocol in its third form, with parameters; the older ones are not served, and clients
 * that know no other are told so by what we say we can do (calls-connect.c).  Who goes away between
 * two steps leaves nothing behind (migrating.h).  Perform takes as long as the guest's memory takes
 * to be sent; what else is asked meanwhile is answered by other threads.
 */

#include "config.h"

#include <glib/gi18n-lib.h>

#include "driver/migrate-cookie.h"
#include "remote/calls-own.h"
#include "remote/calls.h"
#include "remote/migrate-fields.h"
#include "remote/migrating.h"
#include "remote/server-private.h"
#include "remote/session.h"

/* (nullable): none where it has no octets. */
static GBytes *
find_cookie (GBytes *octets)
{
  return octets != NULL && g_bytes_get_size (octets) > 0 ? octets : NULL;
}

/* (transfer full): what is chosen, where it can be read. */
static StasisMigrateRequest *
parse (const StasisWireValue *params, const StasisWireValue *flags, GError **error)
{
  return stasis_own_check_flags (flags->u, STASIS_MIGRATE_FLAGS, error)
             ? stasis_migrate_fields_parse (params->items, error)
             : NULL;
}

/* What a step has ended with: the next one is waited for. */
static gboolean
rest (StasisMigrating *migrating, gboolean ok, GError **error)
{
  if (!ok)
    {
      stasis_migrating_end (migrating);
      return FALSE;
    }
  if (stasis_migrating_rest (migrating))
    return TRUE;
  g_set_error_literal (error, STASIS_REMOTE_ERROR, STASIS_REMOTE_ERROR_CLOSED,
                       _ ("the client has gone"));
  return FALSE;
}

/* Source. */
gboolean
stasis_call_domain_migrate_begin3_params (StasisCall *call, GError **error)
{
  const guint32 flags = call->args[2].u;
  g_auto (StasisOwnJob) job = { 0 };
  g_autoptr (StasisMigrateRequest) request = parse (&call->args[1], &call->args[2], error);
  g_autoptr (StasisDomain) domain
      = request != NULL ? stasis_own_job_begin_of_domain (&job, call, error) : NULL;
  StasisMigrating *migrating
      = domain != NULL ? stasis_migrating_begin (call, domain, NULL, NULL, job.cancellable, error)
                       : NULL;
  if (migrating == NULL)
    return FALSE;
  const gboolean ok = stasis_domain_migrate_begin (domain, flags, request, &call->rets[1].s,
                                                   &call->rets[0].bytes, job.cancellable, error);
  if (ok)
    stasis_migrating_set_cookie (migrating, call->rets[0].bytes);
  return rest (migrating, ok, error);
}

/* (transfer full): what the domain is called here. */
static char *
find_name (const StasisMigrateRequest *request, GBytes *octets, GError **error)
{
  if (request->dname != NULL)
    return g_strdup (request->dname);
  gsize size;
  const void *data = g_bytes_get_data (octets, &size);
  g_autoptr (StasisMigrateCookie) cookie = stasis_migrate_cookie_parse (data, size, error);
  if (cookie != NULL && cookie->begin != NULL)
    return g_strdup (cookie->begin->name);
  if (cookie != NULL)
    g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                         _ ("the source's cookie does not say what the domain is called"));
  return NULL;
}

/* Destination. */
gboolean
stasis_call_domain_migrate_prepare3_params (StasisCall *call, GError **error)
{
  const guint32 flags = call->args[2].u;
  g_auto (StasisOwnJob) job = { 0 };
  g_autoptr (StasisMigrateRequest) request = parse (&call->args[0], &call->args[2], error);
  if (request == NULL)
    return FALSE;
  if (request->xml == NULL || find_cookie (call->args[1].bytes) == NULL)
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                           _ ("the source's definition and cookie are missing: it is no stasisd"));
      return FALSE;
    }
  g_autofree char *name = find_name (request, call->args[1].bytes, error);
  stasis_own_job_begin (&job, call);
  StasisMigrating *migrating
      = name != NULL
            ? stasis_migrating_begin (call, NULL, name, call->args[1].bytes, job.cancellable, error)
            : NULL;
  if (migrating == NULL)
    return FALSE;
  g_autofree char *xml = g_steal_pointer (&request->xml);
  const gboolean ok = stasis_driver_migrate_prepare (call->driver, flags, request, xml,
                                                     call->args[1].bytes, &call->rets[0].bytes,
                                                     &call->rets[1].s, job.cancellable, error);
  return rest (migrating, ok, error);
}

/* (nullable): libvirt's clients close a connection on which one of our own packets comes. */
static StasisProgressFunc
choose_progress (const StasisCall *call)
{
  return g_atomic_int_get (&call->session->is_own) != 0 ? stasis_own_job_tell : NULL;
}

/* The source talks to the destination itself.  Its client has no use for a cookie, and libvirt's
 * would take one for a failure. */
static gboolean
perform_all (StasisCall *call, StasisDomain *domain, const StasisMigrateRequest *request,
             StasisOwnJob *job, GError **error)
{
  const guint32 flags = call->args[4].u;
  const char *dest_uri = call->args[1].s;
  if ((flags & STASIS_MIGRATE_P2P) != 0)
    return stasis_domain_migrate (domain, dest_uri, flags, request, choose_progress (call), job,
                                  job->cancellable, error);
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                       _ ("a destination is given, and the flag for peer-to-peer is not"));
  return FALSE;
}

static gboolean
perform_step (StasisCall *call, StasisDomain *domain, const StasisMigrateRequest *request,
              StasisOwnJob *job, GError **error)
{
  GBytes *cookie = find_cookie (call->args[3].bytes);
  if (cookie == NULL || (call->args[4].u & STASIS_MIGRATE_P2P) != 0)
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                           cookie == NULL ? _ ("the destination's cookie is missing")
                                          : _ ("peer-to-peer, and no destination is given"));
      return FALSE;
    }
  return stasis_domain_migrate_perform (domain, call->args[4].u, request, cookie,
                                        &call->rets[0].bytes, choose_progress (call), job,
                                        job->cancellable, error);
}

static gboolean
perform (StasisCall *call, StasisDomain *domain, StasisOwnJob *job, GError **error)
{
  g_autoptr (StasisMigrateRequest) request = parse (&call->args[2], &call->args[4], error);
  if (request == NULL || !stasis_session_begin_perform (call->session, error))
    return FALSE;
  const gboolean ok = call->args[1].s != NULL ? perform_all (call, domain, request, job, error)
                                              : perform_step (call, domain, request, job, error);
  stasis_session_end_perform (call->session);
  return ok;
}

/* Source.  Of a step that fails libvirt's clients confirm nothing. */
gboolean
stasis_call_domain_migrate_perform3_params (StasisCall *call, GError **error)
{
  g_auto (StasisOwnJob) job = { 0 };
  g_autoptr (StasisDomain) domain = stasis_own_job_begin_of_domain (&job, call, error);
  if (domain == NULL)
    return FALSE;
  StasisMigrating *migrating
      = call->args[1].s == NULL
            ? stasis_migrating_go_on (call, domain, NULL, call->args[3].bytes, job.cancellable)
            : NULL;
  if (perform (call, stasis_migrating_domain (migrating, domain), &job, error))
    return rest (migrating, TRUE, error);
  stasis_migrating_fail (migrating);
  return FALSE;
}

/* libvirt's clients show what the destination says of a migration that was cancelled instead of
 * what the source has said, unless it has nothing to say. */
static gboolean
throw_finished (gboolean is_cancelled, GError *error_take, GError **error)
{
  g_autoptr (GError) local = error_take;
  if (is_cancelled && g_error_matches (local, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    g_set_error_literal (error, STASIS_REMOTE_ERROR, STASIS_REMOTE_ERROR_FINISHED, local->message);
  else
    g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/* Destination. */
gboolean
stasis_call_domain_migrate_finish3_params (StasisCall *call, GError **error)
{
  const gboolean is_cancelled = call->args[3].i != 0;
  g_auto (StasisOwnJob) job = { 0 };
  g_autoptr (StasisMigrateRequest) request = parse (&call->args[0], &call->args[2], error);
  if (request == NULL)
    return FALSE;
  if (request->dname == NULL)
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                           _ ("parameter 'destination_name' is missing"));
      return FALSE;
    }
  stasis_own_job_begin (&job, call);
  StasisMigrating *migrating
      = stasis_migrating_go_on (call, NULL, request->dname, call->args[1].bytes, job.cancellable);
  GError *local = NULL;
  g_autoptr (StasisDomain) domain = stasis_driver_migrate_finish (
      stasis_migrating_driver (migrating, call->driver), call->args[2].u, request->dname,
      find_cookie (call->args[1].bytes), is_cancelled, &call->rets[1].bytes, &local);
  stasis_migrating_end (migrating);
  return domain != NULL ? stasis_call_give (call, g_steal_pointer (&domain))
                        : throw_finished (is_cancelled, local, error);
}

/* Source. */
gboolean
stasis_call_domain_migrate_confirm3_params (StasisCall *call, GError **error)
{
  g_auto (StasisOwnJob) job = { 0 };
  g_autoptr (StasisMigrateRequest) request = parse (&call->args[1], &call->args[3], error);
  g_autoptr (StasisDomain) domain
      = request != NULL ? stasis_own_job_begin_of_domain (&job, call, error) : NULL;
  if (domain == NULL)
    return FALSE;
  StasisMigrating *migrating
      = stasis_migrating_go_on (call, domain, NULL, call->args[2].bytes, job.cancellable);
  const gboolean ok = stasis_domain_migrate_confirm (
      stasis_migrating_domain (migrating, domain), call->args[3].u,
      find_cookie (call->args[2].bytes), call->args[4].i != 0, error);
  stasis_migrating_end (migrating);
  return ok;
}

/* Source, while Perform goes on: of another connection, or thread. */
gboolean
stasis_call_domain_migrate_start_post_copy (StasisCall *call, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_own_check_flags (call->args[1].u, 0, error)
                                        ? stasis_call_domain (call, 0, error)
                                        : NULL;
  return domain != NULL && stasis_domain_migrate_start_postcopy (domain, error);
}
