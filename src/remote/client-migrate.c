/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client-migrate.c: the steps of a migration whose source, or destination, is a server
 *
 * libvirt's calls, of a stasisd and of a libvirtd.  What the two ends tell each other is for them
 * alone; but a libvirtd cannot read what a source of ours says, and would say so in its own words.
 */

#include "config.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "driver/migrate-cookie.h"
#include "remote/client-ops.h"
#include "remote/migrate-fields.h"

#define REMOTE STASIS_PROGRAM_REMOTE

#define BEGIN   "domain-migrate-begin3-params"
#define PREPARE "domain-migrate-prepare3-params"
#define PERFORM "domain-migrate-perform3-params"
#define FINISH  "domain-migrate-finish3-params"
#define CONFIRM "domain-migrate-confirm3-params"

#define VERDICT "migrate-verdict"
#define RESOLVE "domain-migrate-resolve"

#define START_POSTCOPY "domain-migrate-start-post-copy"
#define ABORT_POSTCOPY 0x1u /* VIR_DOMAIN_ABORT_JOB_POSTCOPY */

/* What is chosen, as arguments; one that only a stasisd knows is refused before anything is sent.
 */
static GPtrArray *
make_params (const StasisClient *client, const StasisMigrateRequest *request, const char *name,
             const char *xml, GError **error)
{
  if (request != NULL && request->max_downtime_ms != 0
      && !stasis_client_need_own (client, _ ("a limit of the downtime"), error))
    return NULL;
  if (request != NULL && (request->postcopy_passes != 0 || request->postcopy_after_ms != 0)
      && !stasis_client_need_own (client, _ ("a switch to post-copy by itself"), error))
    return NULL;
  return stasis_migrate_fields_make (request, name, xml, stasis_client_is_own (client));
}

/* (transfer full) (nullable): none where it has no octets. */
static GBytes *
take_cookie (StasisWireValue *value)
{
  GBytes *cookie = g_steal_pointer (&value->bytes);
  if (cookie != NULL && g_bytes_get_size (cookie) == 0)
    g_clear_pointer (&cookie, g_bytes_unref);
  return cookie;
}

static gboolean
begin (StasisDomain *self, StasisMigrateFlags flags, const StasisMigrateRequest *request,
       char **out_xml, GBytes **out_cookie, GCancellable *cancellable, GError **error)
{
  StasisClient *client = stasis_client_of (self);
  StasisWireDomain domain = stasis_client_describe (self);
  const StasisClientJob job = { .cancellable = cancellable, .domain = &domain };
  g_autoptr (GPtrArray) params = make_params (client, request, NULL, NULL, error);
  if (params == NULL)
    return FALSE;
  const StasisWireValue args[] = { { .domain = &domain }, { .items = params }, { .u = flags } };
  StasisWireValue rets[2] = { { 0 } };
  if (!stasis_client_call_job (client, REMOTE, BEGIN, args, rets, &job, error))
    return FALSE;
  *out_cookie = take_cookie (&rets[0]);
  *out_xml = g_steal_pointer (&rets[1].s);
  stasis_client_clear (REMOTE, BEGIN, rets);
  return TRUE;
}

/* By our cookie: everybody else would have to guess. */
static gboolean
check_dest (const StasisClient *client, GBytes *cookie, GError **error)
{
  if (stasis_client_is_own (client) || cookie == NULL)
    return TRUE;
  gsize size;
  const void *octets = g_bytes_get_data (cookie, &size);
  g_autoptr (StasisMigrateCookie) parsed = stasis_migrate_cookie_parse (octets, size, NULL);
  return parsed == NULL
         || stasis_client_need_own (client, _ ("a migration from stasis to there"), error);
}

static gboolean
prepare (StasisDriver *self, StasisMigrateFlags flags, const StasisMigrateRequest *request,
         const char *xml, GBytes *cookie, GBytes **out_cookie, char **out_uri,
         GCancellable *cancellable, GError **error)
{
  StasisClient *client = stasis_client_of_driver (self);
  const StasisClientJob job = { .cancellable = cancellable };
  g_autoptr (GPtrArray) params
      = check_dest (client, cookie, error) ? make_params (client, request, NULL, xml, error) : NULL;
  if (params == NULL)
    return FALSE;
  const StasisWireValue args[] = { { .items = params }, { .bytes = cookie }, { .u = flags } };
  StasisWireValue rets[2] = { { 0 } };
  if (!stasis_client_call_job (client, REMOTE, PREPARE, args, rets, &job, error))
    return FALSE;
  *out_cookie = take_cookie (&rets[0]);
  *out_uri = g_steal_pointer (&rets[1].s);
  stasis_client_clear (REMOTE, PREPARE, rets);
  return TRUE;
}

/* @dest_uri: (nullable): all steps, peer-to-peer */
static gboolean
perform_with (StasisDomain *self, const char *dest_uri, StasisMigrateFlags flags,
              const StasisMigrateRequest *request, GBytes *cookie, GBytes **out_cookie,
              StasisClientJob *job, GError **error)
{
  StasisClient *client = stasis_client_of (self);
  StasisWireDomain domain = stasis_client_describe (self);
  g_autoptr (GPtrArray) params = make_params (client, request, NULL, NULL, error);
  if (params == NULL)
    return FALSE;
  job->domain = &domain;
  const StasisWireValue args[] = {
    { .domain = &domain }, { .s = (char *) dest_uri }, { .items = params }, { .bytes = cookie },
    { .u = flags },
  };
  StasisWireValue rets[1] = { { 0 } };
  if (!stasis_client_call_job (client, REMOTE, PERFORM, args, rets, job, error))
    return FALSE;
  if (out_cookie != NULL)
    *out_cookie = take_cookie (&rets[0]);
  stasis_client_clear (REMOTE, PERFORM, rets);
  return TRUE;
}

static gboolean
perform (StasisDomain *self, StasisMigrateFlags flags, const StasisMigrateRequest *request,
         GBytes *cookie, GBytes **out_cookie, StasisProgressFunc progress, gpointer user_data,
         GCancellable *cancellable, GError **error)
{
  StasisClientJob job
      = { .progress = progress, .user_data = user_data, .cancellable = cancellable };
  return perform_with (self, NULL, flags, request, cookie, out_cookie, &job, error);
}

static gboolean
migrate (StasisDomain *self, const char *dest_uri, StasisMigrateFlags flags,
         const StasisMigrateRequest *request, StasisProgressFunc progress, gpointer user_data,
         GCancellable *cancellable, GError **error)
{
  StasisClientJob job
      = { .progress = progress, .user_data = user_data, .cancellable = cancellable };
  return perform_with (self, dest_uri, flags | STASIS_MIGRATE_P2P, request, NULL, NULL, &job,
                       error);
}

static StasisDomain *
finish (StasisDriver *self, StasisMigrateFlags flags, const char *name, GBytes *cookie,
        gboolean is_cancelled, GBytes **out_cookie, GError **error)
{
  StasisClient *client = stasis_client_of_driver (self);
  g_autoptr (GPtrArray) params = make_params (client, NULL, name, NULL, error);
  const StasisWireValue args[]
      = { { .items = params }, { .bytes = cookie }, { .u = flags }, { .i = is_cancelled ? 1 : 0 } };
  StasisWireValue rets[2] = { { 0 } };
  if (!stasis_client_call (client, REMOTE, FINISH, args, rets, error))
    return NULL;
  StasisDomain *domain = stasis_client_domain (self, rets[0].domain, error);
  if (domain != NULL)
    *out_cookie = take_cookie (&rets[1]);
  stasis_client_clear (REMOTE, FINISH, rets);
  return domain;
}

static gboolean
confirm (StasisDomain *self, StasisMigrateFlags flags, GBytes *cookie, gboolean is_cancelled,
         GError **error)
{
  StasisClient *client = stasis_client_of (self);
  StasisWireDomain domain = stasis_client_describe (self);
  g_autoptr (GPtrArray) params = stasis_wire_params_new ();
  const StasisWireValue args[] = {
    { .domain = &domain }, { .items = params },           { .bytes = cookie },
    { .u = flags },        { .i = is_cancelled ? 1 : 0 },
  };
  return stasis_client_call (client, REMOTE, CONFIRM, args, NULL, error);
}

/* A number that we do not know says nothing. */
static gboolean
read_verdict (const StasisClient *client, gint32 said, StasisMigrateVerdict *out_verdict,
              GError **error)
{
  if (said >= STASIS_MIGRATE_VERDICT_UNKNOWN && said <= STASIS_MIGRATE_VERDICT_REVOKED)
    {
      *out_verdict = (StasisMigrateVerdict) said;
      return TRUE;
    }
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_FAILED,
               _ ("'%1$s': its verdict %2$d cannot be read"), stasis_client_uri (client), said);
  return FALSE;
}

static gboolean
get_verdict (StasisDriver *self, const char *token, gboolean revoke,
             StasisMigrateVerdict *out_verdict, GCancellable *cancellable, GError **error)
{
  StasisClient *client = stasis_client_of_driver (self);
  const StasisClientJob job = { .cancellable = cancellable };
  const StasisWireValue args[] = { { .s = (char *) token }, { .i = revoke ? 1 : 0 } };
  StasisWireValue rets[1] = { { 0 } };
  if (!stasis_client_need_own (client, _ ("the verdict on a migration"), error)
      || !stasis_client_call_job (client, STASIS_PROGRAM_OWN, VERDICT, args, rets, &job, error))
    return FALSE;
  const gint32 said = rets[0].i;
  stasis_client_clear (STASIS_PROGRAM_OWN, VERDICT, rets);
  return read_verdict (client, said, out_verdict, error);
}

static gboolean
resolve (StasisDomain *self, StasisMigrateVerdict wish, StasisMigrateVerdict *out_verdict,
         GCancellable *cancellable, GError **error)
{
  StasisClient *client = stasis_client_of (self);
  StasisWireDomain domain = stasis_client_describe (self);
  const StasisClientJob job = { .cancellable = cancellable, .domain = &domain };
  const StasisWireValue args[] = { { .domain = &domain }, { .i = (gint32) wish } };
  StasisWireValue rets[1] = { { 0 } };
  if (!stasis_client_need_own (client, _ ("resolving a migration"), error)
      || !stasis_client_call_job (client, STASIS_PROGRAM_OWN, RESOLVE, args, rets, &job, error))
    return FALSE;
  const gint32 said = rets[0].i;
  stasis_client_clear (STASIS_PROGRAM_OWN, RESOLVE, rets);
  return read_verdict (client, said, out_verdict, error);
}

static gboolean
start_postcopy (StasisDomain *self, GError **error)
{
  StasisWireDomain domain = stasis_client_describe (self);
  const StasisWireValue args[] = { { .domain = &domain }, { .u = 0 } };
  return stasis_client_call (stasis_client_of (self), REMOTE, START_POSTCOPY, args, NULL, error);
}

/* As libvirt has it: a way in which a job is aborted. */
static gboolean
pause_postcopy (StasisDomain *self, GError **error)
{
  StasisWireDomain domain = stasis_client_describe (self);
  const StasisWireValue args[] = { { .domain = &domain }, { .u = ABORT_POSTCOPY } };
  return stasis_client_call (stasis_client_of (self), REMOTE, "domain-abort-job-flags", args, NULL,
                             error);
}

/* Migrations. */
void
stasis_client_fill_migrate (StasisDriverOps *ops)
{
  ops->migrate = migrate;
  ops->migrate_begin = begin;
  ops->migrate_prepare = prepare;
  ops->migrate_perform = perform;
  ops->migrate_finish = finish;
  ops->migrate_confirm = confirm;
  ops->migrate_verdict = get_verdict;
  ops->migrate_resolve = resolve;
  ops->migrate_start_postcopy = start_postcopy;
  ops->migrate_pause_postcopy = pause_postcopy;
}
