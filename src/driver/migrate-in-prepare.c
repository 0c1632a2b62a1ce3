/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-in-prepare.c: may a guest come here, and a QEMU for it
 */

#include "config.h"

#include "driver/migrate-in-private.h"

#include <glib/gi18n-lib.h>

#include "driver/error.h"
#include "driver/hook-begin.h"
#include "driver/hook.h"
#include "driver/migrate-check.h"
#include "driver/migrate-host.h"
#include "driver/migrate-params.h"
#include "driver/migrate-prepared.h"
#include "driver/migrate-secret.h"
#include "driver/migrate-volume.h"
#include "driver/registry.h"
#include "driver/start.h"
#include "image/facts.h"
#include "util/fault.h"

#define STORAGE (STASIS_MIGRATE_COPY_STORAGE_ALL | STASIS_MIGRATE_COPY_STORAGE_INC)
/* In the clear they would go a way that the user wants protected. */
#define ELSE (STASIS_MIGRATE_TUNNELLED | STASIS_MIGRATE_POSTCOPY)

/* A tunnel is encrypted, or within this host. */
gboolean
stasis_migrate_in_check_tls (const StasisDriver *driver, StasisMigrateFlags flags, GError **error)
{
  if (!driver->host->tls_is_needed
      || (flags & (STASIS_MIGRATE_TLS | STASIS_MIGRATE_TUNNELLED | STASIS_MIGRATE_OFFLINE)) != 0)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED,
               _ ("the destination takes no migration that is not encrypted: --tls, or --p2p "
                  "--tunnelled (option 'tls-required' in [migration] of '%s' there)"),
               driver->host->path);
  return FALSE;
}

/* Of what makes sense by itself. */
gboolean
stasis_migrate_in_check_built (StasisMigrateFlags flags, GError **error)
{
  if ((flags & STORAGE) == 0 || (flags & ELSE) == 0)
    return TRUE;
  g_set_error (
      error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
      _ ("the destination does not know yet how to take copies of disks through a tunnel, or in "
         "postcopy"));
  return FALSE;
}

/* What is copied though nobody asked for it. */
static gboolean
check_copies (const StasisMigrateBegin *begin, StasisMigrateFlags flags, GError **error)
{
  for (guint i = 0; i < begin->disks->len; i++)
    {
      const StasisMigrateDisk *disk = g_ptr_array_index (begin->disks, i);
      if (disk->is_copied && (flags & STORAGE) == 0)
        return stasis_throw_refused (error,
                                     _ ("the source copies disk '%s', and the destination was not "
                                        "asked to take copies"),
                                     disk->target);
    }
  return TRUE;
}

static StasisMigrateCookie *
read_cookie (GBytes *octets, GError **error)
{
  gsize size = 0;
  const void *data = octets != NULL ? g_bytes_get_data (octets, &size) : NULL;
  g_autoptr (StasisMigrateCookie) cookie = stasis_migrate_cookie_parse (data, size, error);
  if (cookie == NULL)
    return NULL;
  if (cookie->begin != NULL)
    return g_steal_pointer (&cookie);
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                       _ ("migration cookie: it does not say what is to come"));
  return NULL;
}

static StasisDomainDef *
parse (StasisDriver *driver, const char *xml, const char *what, const char *name, GError **error)
{
  StasisDomainDef *def
      = stasis_driver_parse (driver, xml, what, STASIS_DOMAIN_PARSE_DEFAULT, error);
  if (def == NULL || name == NULL)
    return def;
  g_free (def->name);
  def->name = g_strdup (name);
  return def;
}

/* What hooks make of it is treated as what users do. */
static gboolean
filter (StasisMigrateIn *in, GError **error)
{
  g_autofree char *filtered = NULL;
  if (!stasis_hook_filter (in->driver, in->def, "migrate", &filtered, in->cancellable, error))
    return FALSE;
  if (filtered == NULL)
    return TRUE;
  g_autoptr (GError) local = NULL;
  StasisDomainDef *def
      = parse (in->driver, filtered, _ ("the definition from a hook"), in->name, &local);
  if (def == NULL || !stasis_domain_def_check_abi (in->def, def, &local))
    {
      stasis_domain_def_free (def);
      return stasis_hook_throw (g_steal_pointer (&local), error);
    }
  stasis_domain_def_free (in->def);
  in->def = def;
  return TRUE;
}

/* The user's, or the source's, or the one that it runs by. */
static gboolean
take_persistent (StasisMigrateIn *in, const StasisMigrateRequest *request,
                 const StasisMigrateBegin *begin, GError **error)
{
  if ((in->flags & STASIS_MIGRATE_PERSIST_DEST) == 0)
    return TRUE;
  const char *xml = request != NULL ? request->persistent_xml : NULL;
  if (xml == NULL)
    xml = begin->persistent;
  in->persistent = xml != NULL
                       ? parse (in->driver, xml, _ ("the persistent definition"), in->name, error)
                       : stasis_domain_def_copy (in->def);
  if (in->persistent == NULL)
    return FALSE;
  return g_str_equal (in->persistent->uuid, in->uuid)
         || stasis_throw_refused (error,
                                  _ ("the persistent definition is of another domain, with "
                                     "uuid %s"),
                                  in->persistent->uuid);
}

static gboolean
check (const StasisMigrateIn *in, const StasisMigrateBegin *begin, const StasisDomainDef *sent,
       GError **error)
{
  const StasisMigrateCheck what = {
    .driver = in->driver,
    .begin = begin,
    .flags = in->flags,
    .sent = sent,
    .wanted = in->def,
    .root = "",
    .now_us = g_get_real_time (),
  };
  g_autoptr (GPtrArray) findings = stasis_migrate_check (&what);
  for (guint i = 0; i < findings->len; i++)
    {
      const StasisMigrateFinding *finding = g_ptr_array_index (findings, i);
      if (finding->ok && finding->needs != NULL)
        g_message (_ ("migration of domain '%1$s': %2$s: %3$s"), in->name, finding->what,
                   finding->needs);
    }
  return stasis_migrate_findings_throw (findings, error);
}

/* No guest stands still while this is looked at: old ones are forgotten on the way. */
static gboolean
check_open (const StasisMigrateIn *in, GError **error)
{
  StasisVerdict verdict = STASIS_VERDICT_OPEN;
  stasis_migrate_verdict_prune (in->verdicts, STASIS_VERDICTS_KEEP);
  if (!stasis_migrate_verdict_get (in->verdicts, in->token, &verdict, error))
    return FALSE;
  if (verdict == STASIS_VERDICT_OPEN)
    return stasis_migrate_prepared_check_new (in->verdicts, in->token, error);
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
               _ ("this migration of domain '%1$s' is decided already: %2$s"), in->name,
               stasis_verdict_to_string (verdict));
  return FALSE;
}

static void
add_names (GStrvBuilder *builder, const StasisJson *names)
{
  for (guint i = 0; names != NULL && i < stasis_json_array_length (names); i++)
    {
      const char *name = stasis_json_string (stasis_json_array_get (names, i), NULL);
      if (name != NULL)
        g_strv_builder_add (builder, name);
    }
}

/* What is needed later of what the source says. */
static void
note (StasisMigrateIn *in, const StasisMigrateBegin *begin)
{
  g_auto (StasisMigrateHost) here = { 0 };
  g_autoptr (GStrvBuilder) known = g_strv_builder_new ();
  const StasisJson *cpu = stasis_json_get (begin->qemu, STASIS_IMAGE_FACTS_CPU);
  const char *state
      = stasis_json_string (stasis_json_get (begin->qemu, STASIS_IMAGE_FACTS_RUN_STATE), "");
  stasis_migrate_host_fill (&here, in->driver->paths);
  in->is_same_host = stasis_migrate_host_is_same (&begin->source, &here);
  in->cpu = cpu != NULL ? stasis_json_ref ((StasisJson *) cpu) : NULL;
  in->runs = (in->flags & STASIS_MIGRATE_PAUSED) == 0 && !g_str_equal (state, "paused");
  add_names (known, stasis_json_get (begin->qemu, STASIS_IMAGE_FACTS_CAPABILITIES));
  if (begin->offers != NULL)
    g_strv_builder_addv (known, (const char **) begin->offers);
  in->known = g_strv_builder_end (known);
}

static StasisMigrateIn *
make (StasisDriver *driver, StasisMigrateFlags flags, const char *token, StasisDomainDef *def_take)
{
  StasisMigrateIn *in = g_new0 (StasisMigrateIn, 1);
  g_atomic_ref_count_init (&in->refs);
  g_mutex_init (&in->work);
  g_cond_init (&in->stirred);
  in->driver = driver;
  in->name = g_strdup (def_take->name);
  in->uuid = g_strdup (def_take->uuid);
  in->token = g_strdup (token);
  in->verdicts = stasis_migrate_verdicts (driver->paths);
  in->flags = flags;
  in->cancellable = g_cancellable_new ();
  in->def = def_take;
  return in;
}

/* Everything that may say no without a QEMU, and without the domain's lock. */
StasisMigrateIn *
stasis_migrate_in_new (StasisDriver *driver, StasisMigrateFlags flags,
                       const StasisMigrateRequest *request, const char *xml, GBytes *octets,
                       GCancellable *cancellable, GError **error)
{
  if (!stasis_migrate_params_check (flags, request, error)
      || !stasis_migrate_in_check_built (flags, error)
      || !stasis_migrate_in_check_tls (driver, flags, error))
    return NULL;
  g_autoptr (StasisMigrateCookie) cookie = read_cookie (octets, error);
  g_autoptr (StasisDomainDef) sent = cookie != NULL ? parse (driver, xml, NULL, NULL, error) : NULL;
  if (sent == NULL)
    return NULL;
  const char *dname
      = request != NULL && request->dname != NULL ? request->dname : cookie->begin->name;
  const char *own = request != NULL && request->xml != NULL ? request->xml : xml;
  if (!stasis_paths_check_name (dname, error))
    return NULL;
  StasisDomainDef *wanted = parse (driver, own, NULL, dname, error);
  if (wanted == NULL)
    return NULL;
  g_autoptr (StasisMigrateIn) in = make (driver, flags, cookie->token, wanted);
  note (in, cookie->begin);
  if ((flags & STASIS_MIGRATE_POSTCOPY_RESUME) != 0)
    return g_steal_pointer (&in); /* it was looked at when it came */
  if (!stasis_migrate_ins_check_free (driver->migrations, in, error)
      || !check_copies (cookie->begin, flags, error) || !filter (in, error)
      || !check (in, cookie->begin, sent, error)
      || !take_persistent (in, request, cookie->begin, error) || !check_open (in, error)
      || (in->secret = stasis_migrate_secret_new (error)) == NULL
      || g_cancellable_set_error_if_cancelled (cancellable, error))
    return NULL;
  in->volumes = stasis_migrate_volumes_list (cookie->begin, in->def, flags);
  return g_steal_pointer (&in);
}

static gboolean
take_hold (StasisMigrateIn *in, GError **error)
{
  in->hold = stasis_hold_take_cancellable (in->driver, in->name, in->cancellable, error);
  if (in->hold == NULL)
    return FALSE;
  if (in->hold->status == NULL)
    return stasis_registry_check_unique (in->driver, in->name, in->uuid, error);
  /* It is somebody else's: not for us to clear away. */
  g_clear_pointer (&in->hold, stasis_hold_release);
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_EXISTS, _ ("domain '%s' is running here"),
               in->name);
  return FALSE;
}

/* QEMU waits for a state. */
gboolean
stasis_migrate_in_start (StasisMigrateIn *in, GError **error)
{
  if ((in->flags & STASIS_MIGRATE_OFFLINE) != 0)
    return TRUE;
  if ((in->flags & STASIS_MIGRATE_POSTCOPY_RESUME) != 0)
    return stasis_migrate_in_start_again (in, error);
  if (!take_hold (in, error) || !stasis_fault ("migrate-in-held", error))
    return FALSE;
  in->job = stasis_job_new ("migrate-in", NULL, NULL, in->cancellable);
  g_autofree char *last = stasis_paths_last_job (in->driver->paths, in->name);
  stasis_job_begin (in->job, last);
  const StasisStartRequest request = {
    .operation = "migrate-in",
    .job_id = stasis_job_id (in->job),
    .reason = "migrated",
    .is_transient = !stasis_registry_has (in->driver, in->name),
    .is_incoming = TRUE,
    .volumes = in->volumes,
  };
  stasis_job_set_phase (in->job, "start QEMU");
  in->monitor = stasis_start_qemu (in->driver, in->hold, in->def, &request,
                                   stasis_job_cancellable (in->job), error);
  if (in->monitor == NULL)
    {
      if (request.is_transient)
        stasis_job_forget_last (in->job);
      return FALSE;
    }
  stasis_job_attach (in->job, in->hold->folder);
  return stasis_fault ("migrate-in-started", error);
}
