/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain.c: what a domain is, and how it is
 *
 * A StasisDomain is a name and a driver.  Everything else is looked up when it is asked for, in
 * the state directory and from the domain's supervisor, because other processes change it.
 */

#include "config.h"

#include <string.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/control.h"
#include "driver/device-unplug.h"
#include "driver/domain-private.h"
#include "driver/hold.h"
#include "driver/live-def.h"
#include "driver/look.h"
#include "driver/picture.h"
#include "driver/registry.h"
#include "driver/supervise.h"
#include "driver/teardown.h"

#define STATE_TRIES 3
#define OPEN_US     (5 * G_USEC_PER_SEC)
#define OPEN_NAP_US 10000

struct _StasisDomain
{
  GObject parent_instance;

  StasisDriver *driver; /* (owned) */
  char *name;           /* (owned) */
  char *uuid;           /* (owned) (nullable) until it is asked for */
};

G_DEFINE_FINAL_TYPE (StasisDomain, stasis_domain, G_TYPE_OBJECT)

static void
stasis_domain_finalize (GObject *object)
{
  StasisDomain *self = STASIS_DOMAIN (object);
  g_clear_object (&self->driver);
  g_free (self->name);
  g_free (self->uuid);
  G_OBJECT_CLASS (stasis_domain_parent_class)->finalize (object);
}

static void
stasis_domain_class_init (StasisDomainClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = stasis_domain_finalize;
}

static void
stasis_domain_init (StasisDomain *self)
{
}

/* A domain by what is known of it. */
StasisDomain *
stasis_domain_new (StasisDriver *driver, const char *name, const char *uuid)
{
  StasisDomain *self = g_object_new (STASIS_TYPE_DOMAIN, NULL);
  self->driver = g_object_ref (driver);
  self->name = g_strdup (name);
  self->uuid = g_strdup (uuid);
  return self;
}

StasisDriver *
stasis_domain_get_driver (StasisDomain *self)
{
  return self->driver;
}

const StasisDriverOps *
stasis_domain_get_ops (StasisDomain *self)
{
  return self->driver->ops;
}

/* The status of a domain whose QEMU lives, or NULL. */
StasisStatus *
stasis_domain_read_status (StasisDomain *self)
{
  StasisStatus *status = NULL;
  stasis_look (self->driver, self->name, &status, NULL);
  return status;
}

/* The same; FALSE where it cannot be told. */
gboolean
stasis_domain_look (StasisDomain *self, StasisStatus **out_status, GError **error)
{
  *out_status = NULL;
  return stasis_look (self->driver, self->name, out_status, error) != STASIS_LOOK_LOST;
}

/* The same; an error where it does not run. */
StasisStatus *
stasis_domain_need_status (StasisDomain *self, GError **error)
{
  StasisStatus *status = NULL;
  if (stasis_domain_look (self, &status, error) && status == NULL)
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE, _ ("domain '%s' is not running"),
                 self->name);
  return status;
}

/* The definition of the running instance. */
StasisDomainDef *
stasis_domain_load_live (StasisDomain *self, GError **error)
{
  g_autofree char *path = stasis_paths_domain (self->driver->paths, self->name, STASIS_LIVE_XML);
  g_autofree char *xml = NULL;
  if (!g_file_get_contents (path, &xml, NULL, error))
    return NULL;
  StasisDomainDef *def
      = stasis_driver_parse (self->driver, xml, path, STASIS_DOMAIN_PARSE_ACTIVE, error);
  if (def == NULL)
    return NULL;
  g_autofree char *folder = stasis_paths_domain (self->driver->paths, self->name, NULL);
  stasis_live_def_mark_automatic (def, folder);
  return def;
}

/* The definition of the running instance, or of the domain where *@status is NULL.  It may have
 * ended since that look: then *@status is what a second one sees. */
static StasisDomainDef *
load_current (StasisDomain *self, StasisStatus **status, GError **error)
{
  if (*status != NULL && (*status)->unplugs->len > 0)
    stasis_device_unplug_look (self);
  if (*status != NULL)
    {
      g_autoptr (GError) local = NULL;
      StasisDomainDef *def = stasis_domain_load_live (self, &local);
      if (def != NULL)
        return def;
      g_clear_pointer (status, stasis_status_free);
      if (!stasis_domain_look (self, status, error))
        return NULL;
    }
  return *status != NULL ? stasis_domain_load_live (self, error)
                         : stasis_registry_load (self->driver, self->name, error);
}

/* A connection to its supervisor, which is started anew where it is missing. */
StasisControl *
stasis_domain_open_control (StasisDomain *self, GError **error)
{
  g_autofree char *folder = stasis_paths_domain (self->driver->paths, self->name, NULL);
  const gint64 deadline_us = g_get_monotonic_time () + OPEN_US;
  StasisControl *control = stasis_control_open (folder, NULL);
  while (control == NULL)
    {
      g_autoptr (GError) local = NULL;
      if (!stasis_supervise_ensure (folder, error))
        return NULL;
      /* One that begins anew may not listen yet. */
      control = stasis_control_open (folder, &local);
      if (control == NULL && g_get_monotonic_time () >= deadline_us)
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return NULL;
        }
      if (control == NULL)
        g_usleep (OPEN_NAP_US);
    }
  return control;
}

/* Ask the supervisor.  One that was killed a moment ago may still take the connection and then
 * drop it: another try finds its successor.  So may one that begins anew beside another QEMU
 * (handover), and what it closes last may be where it listens: it may drop the second, too.  One
 * that hangs would only be waited for again. */
static gboolean
ask_state (StasisDomain *self, StasisDomainState *out_state, char **out_reason, GError **error)
{
  for (guint i = 1;; i++)
    {
      g_autoptr (GError) local = NULL;
      g_autoptr (StasisControl) control = stasis_domain_open_control (self, &local);
      if (control != NULL && stasis_control_get_state (control, out_state, out_reason, &local))
        return TRUE;
      const gboolean hangs
          = control != NULL && g_error_matches (local, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
      if (hangs || i == STATE_TRIES || (control == NULL && i > 1))
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
    }
}

/**
 * stasis_domain_get_name:
 * @self: a domain
 *
 * Returns: its name
 */
const char *
stasis_domain_get_name (StasisDomain *self)
{
  return self->name;
}

/**
 * stasis_domain_get_uuid:
 * @self: a domain
 *
 * Returns: its UUID as text; all zeros where its definition cannot be read any more
 */
const char *
stasis_domain_get_uuid (StasisDomain *self)
{
  if (self->uuid != NULL)
    return self->uuid;

  g_autoptr (StasisStatus) status = stasis_domain_read_status (self);
  if (status != NULL)
    self->uuid = g_strdup (status->uuid);
  else
    {
      self->uuid = stasis_registry_get_uuid (self->driver, self->name);
      g_autoptr (StasisDomainDef) def
          = self->uuid == NULL ? stasis_domain_load_live (self, NULL) : NULL;
      if (self->uuid == NULL)
        self->uuid = g_strdup (def != NULL ? def->uuid : "00000000-0000-0000-0000-000000000000");
    }
  return self->uuid;
}

/**
 * stasis_domain_get_id:
 * @self: a domain
 *
 * Returns: the number of its running instance, or -1
 */
int
stasis_domain_get_id (StasisDomain *self)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->get_id (self);

  StasisFacts facts;
  if (stasis_picture_get (self->driver, self->name, &facts))
    return facts.id;
  g_autoptr (StasisStatus) status = stasis_domain_read_status (self);
  return status != NULL ? status->id : -1;
}

/**
 * stasis_domain_is_persistent:
 * @self: a domain
 *
 * Returns: whether it has a definition that outlives its running instance
 */
gboolean
stasis_domain_is_persistent (StasisDomain *self)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->is_persistent (self);

  StasisFacts facts;
  if (stasis_picture_get (self->driver, self->name, &facts))
    return facts.is_persistent;
  return stasis_registry_has (self->driver, self->name);
}

/**
 * stasis_domain_state_to_string:
 * @state: a state
 *
 * Returns: its name for people, as virsh prints it
 */
const char *
stasis_domain_state_to_string (StasisDomainState state)
{
  switch (state)
    {
    case STASIS_DOMAIN_RUNNING:
      return _ ("running");
    case STASIS_DOMAIN_BLOCKED:
      return _ ("idle");
    case STASIS_DOMAIN_PAUSED:
      return _ ("paused");
    case STASIS_DOMAIN_SHUTDOWN:
      return _ ("in shutdown");
    case STASIS_DOMAIN_SHUTOFF:
      return _ ("shut off");
    case STASIS_DOMAIN_CRASHED:
      return _ ("crashed");
    case STASIS_DOMAIN_PMSUSPENDED:
      return _ ("pmsuspended");
    case STASIS_DOMAIN_NOSTATE:
      break;
    }
  return _ ("no state");
}

/* How its last run ended: as it was noted before QEMU was ended, where the run has yet to be
 * cleared away; else from the file that teardown wrote. */
static const char *
last_reason (StasisDomain *self)
{
  g_autofree char *folder = stasis_paths_domain (self->driver->paths, self->name, NULL);
  g_autofree char *noted = stasis_end_reason_read (folder);
  if (noted != NULL)
    return g_intern_string (noted);
  g_autofree char *path = stasis_paths_last (self->driver->paths, self->name);
  const char *reason = stasis_last_read_reason (path, 0);
  return reason != NULL ? reason : "unknown";
}

static gboolean
get_pictured_state (StasisDomain *self, StasisDomainState *out_state, const char **out_reason)
{
  StasisFacts facts;
  if (!stasis_picture_get (self->driver, self->name, &facts) || !facts.has_state)
    return FALSE;
  *out_state = facts.state;
  if (out_reason != NULL)
    *out_reason = facts.reason;
  return TRUE;
}

/**
 * stasis_domain_get_state:
 * @self: a domain
 * @out_state: (out): its state
 * @out_reason: (out) (optional): why, in a word
 * @error: return location
 *
 * Asks the domain's supervisor (starting a new one where the old one has died).  Where the status
 * of a running domain cannot be read it is %STASIS_DOMAIN_NOSTATE.
 *
 * Returns: %TRUE if it could be told
 */
gboolean
stasis_domain_get_state (StasisDomain *self, StasisDomainState *out_state, const char **out_reason,
                         GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->get_state (self, out_state, out_reason, error);

  g_autoptr (StasisStatus) status = NULL;
  g_autoptr (GError) local = NULL;
  g_autofree char *reason = NULL;
  if (get_pictured_state (self, out_state, out_reason))
    return TRUE;
  if (!stasis_domain_look (self, &status, NULL))
    {
      *out_state = STASIS_DOMAIN_NOSTATE;
      if (out_reason != NULL)
        *out_reason = "unknown";
      return TRUE;
    }
  if (status == NULL)
    {
      *out_state = STASIS_DOMAIN_SHUTOFF;
      if (out_reason != NULL)
        *out_reason = last_reason (self);
      return TRUE;
    }

  /* Its starter has not come to the supervisor yet. */
  if (status->journal.step == STASIS_STEP_START)
    {
      *out_state = STASIS_DOMAIN_PAUSED;
      reason = g_strdup ("starting up");
    }
  else if (!ask_state (self, out_state, &reason, &local))
    {
      /* It may have ended between the look and the question. */
      g_clear_pointer (&status, stasis_status_free);
      if (!stasis_domain_look (self, &status, NULL) || status != NULL)
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
      *out_state = STASIS_DOMAIN_SHUTOFF;
      reason = g_strdup (last_reason (self));
    }
  else if (stasis_status_undecided_reason (status) != NULL && *out_state == STASIS_DOMAIN_PAUSED)
    {
      g_free (reason);
      reason = g_strdup (stasis_status_undecided_reason (status));
    }
  if (out_reason != NULL)
    *out_reason = g_intern_string (reason);
  return TRUE;
}

/* Processor time of a process in ns, 0 where it has gone. */
static guint64
cpu_time_ns (pid_t pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/stat", (int) pid);
  g_autofree char *text = NULL;
  if (!g_file_get_contents (path, &text, NULL, NULL) || strrchr (text, ')') == NULL)
    return 0;
  /* Behind the command: state is field 3, utime 14, stime 15 (proc(5)). */
  g_auto (GStrv) fields = g_strsplit (strrchr (text, ')') + 2, " ", -1);
  if (g_strv_length (fields) < 13)
    return 0;
  const guint64 ticks
      = g_ascii_strtoull (fields[11], NULL, 10) + g_ascii_strtoull (fields[12], NULL, 10);
  return ticks * (G_GUINT64_CONSTANT (1000000000) / (guint64) sysconf (_SC_CLK_TCK));
}

/* Where its definition has yet to be read. */
static gboolean
read_info (StasisDomain *self, StasisDomainInfo *out_info, GError **error)
{
  g_autoptr (StasisStatus) status = NULL;
  if (!stasis_domain_look (self, &status, error))
    return FALSE;
  g_autoptr (StasisDomainDef) def = load_current (self, &status, error);
  if (def == NULL)
    return FALSE;

  g_autofree char *managed = stasis_paths_managed_save (self->driver->paths, self->name);
  *out_info = (StasisDomainInfo){
    .max_memory_kib = (guint64) def->memory,
    .memory_kib = (guint64) (def->current_memory > 0 ? def->current_memory : def->memory),
    .vcpus = (guint) (def->current_vcpus > 0 ? def->current_vcpus : def->vcpus),
    .has_managed_save = g_file_test (managed, G_FILE_TEST_EXISTS),
  };
  if (status != NULL)
    {
      g_autoptr (StasisControl) control = stasis_domain_open_control (self, NULL);
      out_info->pid = status->qemu.pid;
      out_info->cpu_time_ns = cpu_time_ns (status->qemu.pid);
      out_info->supervisor_pid = control != NULL ? stasis_control_get_pid (control) : 0;
    }
  return stasis_domain_get_autostart (self, &out_info->autostart, error);
}

/**
 * stasis_domain_get_info:
 * @self: a domain
 * @out_info: (out caller-allocates): what dominfo shows
 * @error: return location
 *
 * Returns: %TRUE if it could be told
 */
gboolean
stasis_domain_get_info (StasisDomain *self, StasisDomainInfo *out_info, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->get_info (self, out_info, error);

  StasisFacts facts;
  const gboolean is_certain = stasis_picture_get (self->driver, self->name, &facts);
  if (is_certain && facts.has_sizes && (facts.qemu_pid == 0 || facts.supervisor_pid != 0))
    {
      *out_info = (StasisDomainInfo){
        .max_memory_kib = facts.sizes.max_memory_kib,
        .memory_kib = facts.sizes.memory_kib,
        .vcpus = facts.sizes.vcpus,
        .has_managed_save = facts.has_managed_save,
        .autostart = facts.is_autostart[STASIS_AUTOSTART_ALWAYS],
        .pid = facts.qemu_pid,
        .supervisor_pid = facts.supervisor_pid,
        .cpu_time_ns = facts.qemu_pid != 0 ? cpu_time_ns (facts.qemu_pid) : 0,
      };
      return TRUE;
    }
  if (!read_info (self, out_info, error))
    return FALSE;
  const StasisSizes sizes = { out_info->max_memory_kib, out_info->memory_kib, out_info->vcpus };
  if (is_certain)
    stasis_picture_note_sizes (self->driver, self->name, facts.definition_number, &sizes);
  return TRUE;
}

/* The definition that the flags ask for; *@out_status is the running instance's. */
static StasisDomainDef *
load_for (StasisDomain *self, StasisXmlFlags flags, StasisStatus **out_status, GError **error)
{
  const gboolean is_known = stasis_domain_look (self, out_status, error);
  if ((flags & STASIS_XML_INACTIVE) != 0 && stasis_domain_is_persistent (self))
    {
      g_clear_error (error);
      return stasis_registry_load (self->driver, self->name, error);
    }
  return is_known ? load_current (self, out_status, error) : NULL;
}

/**
 * stasis_domain_get_xml:
 * @self: a domain
 * @flags: which definition, and what of it
 * @error: return location
 *
 * Returns: (transfer full): its definition
 */
char *
stasis_domain_get_xml (StasisDomain *self, StasisXmlFlags flags, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->get_xml (self, flags, error);

  g_autoptr (StasisStatus) status = NULL;
  g_autoptr (StasisDomainDef) def = load_for (self, flags, &status, error);
  if (def == NULL)
    return NULL;

  StasisDomainFormatFlags format = STASIS_DOMAIN_FORMAT_INACTIVE;
  if (status != NULL && (flags & (STASIS_XML_INACTIVE | STASIS_XML_MIGRATABLE)) == 0)
    {
      format |= STASIS_DOMAIN_FORMAT_ACTIVE;
      def->id = status->id;
    }
  if (flags & STASIS_XML_SECURE)
    format |= STASIS_DOMAIN_FORMAT_SECURE;
  if (flags & STASIS_XML_MIGRATABLE)
    format |= STASIS_DOMAIN_FORMAT_MIGRATABLE;
  return stasis_domain_def_format (def, format);
}

/**
 * stasis_domain_get_managed_save_path:
 * @self: a domain
 *
 * Returns: (transfer full) (nullable): where its managed save image lies, if it has one
 */
char *
stasis_domain_get_managed_save_path (StasisDomain *self)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->get_managed_save_path (self);

  g_autofree char *path = stasis_paths_managed_save (self->driver->paths, self->name);
  /* What is started from it is not left to the picture. */
  return g_file_test (path, G_FILE_TEST_EXISTS) ? g_steal_pointer (&path) : NULL;
}
