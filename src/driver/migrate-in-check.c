/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-in-check.c: all that stands against a migration to here
 *
 * What Prepare looks at (migrate-check.c), with what it would only find out as it goes on: whether
 * there is a port, and what an emulator makes of the guest's CPU.  That is asked of one that is
 * started for the question, with nothing of the guest in it.
 */

#include "config.h"

#include "driver/migrate-in-check.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/hook-begin.h"
#include "driver/migrate-channel.h"
#include "driver/migrate-check.h"
#include "driver/migrate-host.h"
#include "driver/migrate-in-private.h"
#include "driver/migrate-params.h"
#include "driver/migrate-reasons.h"
#include "driver/migrate-tls.h"
#include "driver/qemu-caps.h"
#include "driver/save-facts.h"
#include "image/facts.h"

#define CPU_MS (G_GINT64_CONSTANT (60) * 1000)

typedef struct
{
  StasisDriver *driver; /* (borrowed) */
  StasisMigrateFlags flags;
  const StasisMigrateRequest *request; /* (borrowed) */
  StasisMigrateCookie *cookie;         /* (owned) */
  StasisDomainDef *sent;               /* (owned) (nullable) */
  StasisDomainDef *wanted;             /* (owned) (nullable) */
  GError *unread;                      /* (owned) (nullable) why not, or not all of it */
  GCancellable *cancellable;           /* (borrowed) (nullable) */
  GPtrArray *findings;                 /* (owned) of StasisMigrateFinding */
} Check;

static void
check_clear (Check *self)
{
  stasis_migrate_cookie_free (self->cookie);
  stasis_domain_def_free (self->sent);
  stasis_domain_def_free (self->wanted);
  g_clear_error (&self->unread);
  g_clear_pointer (&self->findings, g_ptr_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Check, check_clear)

static gboolean
read_cookie (Check *self, GBytes *octets, GError **error)
{
  gsize size = 0;
  const void *data = octets != NULL ? g_bytes_get_data (octets, &size) : NULL;
  self->cookie = stasis_migrate_cookie_parse (data, size, error);
  if (self->cookie == NULL || self->cookie->begin != NULL)
    return self->cookie != NULL;
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                       _ ("migration cookie: it does not say what is to come"));
  return FALSE;
}

/* (nullable): as it stands, without what this host would add to it, for it may have no such
 * machine. */
static StasisDomainDef *
parse_alone (const char *xml)
{
  return stasis_domain_def_parse (xml, -1, NULL, NULL, STASIS_DOMAIN_PARSE_DEFAULT, NULL);
}

static gboolean
parse_here (Check *self, const char *xml, const char *own, GError **error)
{
  self->sent = stasis_driver_parse (self->driver, xml, NULL, STASIS_DOMAIN_PARSE_DEFAULT, error);
  if (self->sent != NULL)
    self->wanted
        = stasis_driver_parse (self->driver, own, NULL, STASIS_DOMAIN_PARSE_DEFAULT, error);
  return self->wanted != NULL;
}

/* Both definitions; the one that is to be here by the name that it is to have.  What cannot be read
 * is a reason beside others. */
static void
parse (Check *self, const char *xml)
{
  const StasisMigrateRequest *request = self->request;
  const char *own = request->xml != NULL ? request->xml : xml;
  const char *name = request->dname != NULL ? request->dname : self->cookie->begin->name;
  if (!stasis_paths_check_name (name, &self->unread))
    name = self->cookie->begin->name; /* which was checked */
  if (self->unread != NULL || !parse_here (self, xml, own, &self->unread))
    self->wanted = parse_alone (own);
  if (self->wanted == NULL)
    return;
  g_free (self->wanted->name);
  self->wanted->name = g_strdup (name);
}

static void
check_options (const Check *self)
{
  GError *error = NULL;
  if (stasis_migrate_params_check (self->flags, self->request, &error))
    stasis_migrate_in_check_built (self->flags, &error);
  stasis_migrate_findings_add (self->findings, _ ("options"), error);
}

/* What no other QEMU needs of the kernel. */
static void
check_postcopy (const Check *self)
{
  GError *error = NULL;
  const guint32 uid = stasis_host_config_probe_uid (self->driver->host);
  if ((self->flags & STASIS_MIGRATE_POSTCOPY) == 0)
    return;
  stasis_migrate_in_check_userfault ("", uid, &error);
  stasis_migrate_findings_add (self->findings, _ ("post-copy"), error);
}

/* What this host demands, and has. */
static void
check_encryption (const Check *self)
{
  GError *error = NULL;
  if (stasis_migrate_in_check_tls (self->driver, self->flags, &error)
      && (self->flags & STASIS_MIGRATE_TLS) != 0)
    stasis_migrate_tls_check (self->driver->host, /* is_server= */ TRUE, &error);
  stasis_migrate_findings_add (self->findings, _ ("encryption"), error);
}

static gboolean
is_ok (const Check *self, const char *what)
{
  for (guint i = 0; i < self->findings->len; i++)
    {
      const StasisMigrateFinding *finding = g_ptr_array_index (self->findings, i);
      if (g_str_equal (finding->what, what))
        return finding->ok;
    }
  return FALSE;
}

typedef struct
{
  const Check *check; /* (borrowed) */
  StasisJson *cpu;    /* (owned) (nullable) */
} CpuQuestion;

static void
ask_cpu (StasisMonitor *monitor, gpointer data)
{
  CpuQuestion *question = data;
  const Check *check = question->check;
  question->cpu = stasis_save_facts_cpu (check->wanted, monitor, check->cancellable);
}

/* FALSE where it could not be asked. */
static gboolean
probe_cpu (const Check *self, StasisJson **out_cpu, GError **error)
{
  CpuQuestion question = { .check = self };
  const StasisDomainDef *def = self->wanted;
  g_autofree char *machine = g_strdup_printf ("%s,accel=%s", def->os.machine,
                                              def->type == STASIS_DOMAIN_TYPE_KVM ? "kvm" : "tcg");
  const gboolean ok = stasis_qemu_caps_probe_machine (
      def->emulator, stasis_host_config_probe_uid (self->driver->host), machine, CPU_MS, ask_cpu,
      &question, self->cancellable, error);
  *out_cpu = question.cpu;
  return ok;
}

/* Where there is no machine for the guest, or no KVM, there is no CPU either. */
static void
check_cpu (const Check *self)
{
  const StasisJson *source = stasis_json_get (self->cookie->begin->qemu, STASIS_IMAGE_FACTS_CPU);
  g_autoptr (GError) local = NULL;
  g_autoptr (StasisJson) here = NULL;
  if (self->unread != NULL || !is_ok (self, _ ("machine")) || !is_ok (self, _ ("acceleration")))
    return;
  if (source != NULL && !probe_cpu (self, &here, &local))
    {
      stasis_migrate_findings_warn (self->findings, _ ("CPU"), g_strdup (local->message));
      return;
    }
  GError *error = NULL;
  stasis_migrate_check_cpu (source, here, &error);
  stasis_migrate_findings_add (self->findings, _ ("CPU"), error);
}

/* As Prepare finds it. */
static gboolean
find_place (const Check *self, StasisMigratePlace *place, GError **error)
{
  g_auto (StasisMigrateHost) here = { 0 };
  stasis_migrate_host_fill (&here, self->driver->paths);
  const StasisMigrateIn in = {
    .driver = self->driver,
    .flags = self->flags,
    .is_same_host = stasis_migrate_host_is_same (&self->cookie->begin->source, &here),
    .cancellable = self->cancellable,
  };
  return stasis_migrate_place_find (&in, self->request, place, error);
}

/* It is free again at once. */
static void
check_port (const Check *self)
{
  g_auto (StasisMigratePlace) place = { 0 };
  GError *error = NULL;
  if (find_place (self, &place, &error) && place.bound->path == NULL)
    {
      g_autoptr (StasisMigrateListener) listener
          = stasis_migrate_listen (place.bound, NULL, &error);
    }
  /* It may be this driver's own, from an earlier migration: then it serves for this one as well. */
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE) && place.bound->port != 0)
    {
      g_clear_error (&error);
      stasis_migrate_findings_warn (
          self->findings, _ ("port"),
          g_strdup (_ ("it is taken: that is well only where an earlier migration has opened it")));
      return;
    }
  stasis_migrate_findings_add (self->findings, _ ("port"), error);
}

/* Of the definition as hooks make it Prepare looks; here they are only asked. */
static void
check_hook (const Check *self)
{
  GError *error = NULL;
  g_autofree char *filtered = NULL;
  if (self->unread != NULL)
    return;
  stasis_hook_filter (self->driver, self->wanted, "migrate", &filtered, self->cancellable, &error);
  stasis_migrate_findings_add (self->findings, _ ("hook"), error);
}

static GPtrArray *
to_reasons (const GPtrArray *findings)
{
  GPtrArray *reasons = stasis_migrate_reasons_new ();
  for (guint i = 0; i < findings->len; i++)
    {
      const StasisMigrateFinding *finding = g_ptr_array_index (findings, i);
      StasisMigrateReason *reason = g_new0 (StasisMigrateReason, 1);
      reason->what = g_strdup (finding->what);
      reason->is_ok = finding->ok;
      reason->text = g_strdup (finding->needs);
      g_ptr_array_add (reasons, reason);
    }
  return reasons;
}

GPtrArray *
stasis_migrate_in_check (StasisDriver *driver, StasisMigrateFlags flags,
                         const StasisMigrateRequest *request, const char *xml, GBytes *cookie,
                         GCancellable *cancellable, GError **error)
{
  g_auto (Check) self = {
    .driver = driver,
    .flags = flags,
    .request = request,
    .cancellable = cancellable,
  };
  if (!read_cookie (&self, cookie, error))
    return NULL;
  parse (&self, xml);
  const StasisMigrateCheck what = {
    .driver = driver,
    .begin = self.cookie->begin,
    .flags = flags,
    .sent = self.sent,
    .wanted = self.wanted,
    .unread = self.unread,
    .root = "",
    .now_us = g_get_real_time (),
  };
  self.findings = stasis_migrate_check (&what);
  check_options (&self);
  if ((flags & STASIS_MIGRATE_OFFLINE) == 0)
    {
      check_cpu (&self);
      check_encryption (&self);
      check_postcopy (&self);
      if ((flags & STASIS_MIGRATE_TUNNELLED) == 0)
        check_port (&self);
      check_hook (&self);
    }
  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return NULL;
  return to_reasons (self.findings);
}
