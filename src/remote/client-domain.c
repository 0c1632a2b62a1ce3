/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client-domain.c: what a domain on a server is, and its life
 *
 * What libvirt has a call for is asked by that, of every server; the rest by our own program.
 */

#include "config.h"

#include <string.h>

#include "driver/job-stats-json.h"
#include "remote/client-console.h"
#include "remote/client-look.h"
#include "remote/client-ops.h"
#include "remote/job-params.h"
#include "remote/state-reason.h"

#define REMOTE STASIS_PROGRAM_REMOTE
#define OWN    STASIS_PROGRAM_OWN

/* A call whose only argument is the domain. */
static gboolean
call_plain (StasisDomain *self, guint32 program, const char *name, StasisWireValue *rets,
            GError **error)
{
  StasisWireDomain domain = stasis_client_describe (self);
  const StasisWireValue args[] = { { .domain = &domain } };
  return stasis_client_call (stasis_client_of (self), program, name, args, rets, error);
}

/* With flags behind it. */
static gboolean
call_flags (StasisDomain *self, guint32 program, const char *name, guint32 flags,
            StasisWireValue *rets, GError **error)
{
  StasisWireDomain domain = stasis_client_describe (self);
  const StasisWireValue args[] = { { .domain = &domain }, { .u = flags } };
  return stasis_client_call (stasis_client_of (self), program, name, args, rets, error);
}

static int
get_id (StasisDomain *self)
{
  int listed;
  if (stasis_client_look_take_id (self, &listed))
    return listed;
  StasisWireDomain domain = stasis_client_describe (self);
  StasisWireValue args[1] = { { 0 } };
  StasisWireValue rets[1];
  memcpy (args[0].uuid, domain.uuid, sizeof args[0].uuid);
  if (!stasis_client_call (stasis_client_of (self), REMOTE, "domain-lookup-by-uuid", args, rets,
                           NULL))
    return -1;
  const int id = rets[0].domain->id;
  stasis_client_clear (REMOTE, "domain-lookup-by-uuid", rets);
  return id;
}

static gboolean
is_persistent (StasisDomain *self)
{
  StasisWireValue rets[1] = { { 0 } };
  gboolean listed;
  if (stasis_client_look_take_persistent (self, &listed))
    return listed;
  return call_plain (self, REMOTE, "domain-is-persistent", rets, NULL) && rets[0].i != 0;
}

static gboolean
get_state_of_others (StasisDomain *self, StasisDomainState *out_state, const char **out_reason,
                     GError **error)
{
  StasisWireValue rets[2];
  if (!call_flags (self, REMOTE, "domain-get-state", 0, rets, error))
    return FALSE;
  *out_state = (StasisDomainState) rets[0].i;
  if (out_reason != NULL)
    {
      const char *word = stasis_state_reason_word (*out_state, rets[1].i);
      *out_reason = word != NULL ? word : "unknown";
    }
  return TRUE;
}

static gboolean
get_state (StasisDomain *self, StasisDomainState *out_state, const char **out_reason,
           GError **error)
{
  StasisWireValue rets[2];
  if (stasis_client_look_take_state (self, out_state, out_reason))
    return TRUE;
  if (!stasis_client_is_own (stasis_client_of (self)))
    return get_state_of_others (self, out_state, out_reason, error);
  if (!call_plain (self, OWN, "domain-get-state", rets, error))
    return FALSE;
  *out_state = (StasisDomainState) rets[0].i;
  if (out_reason != NULL)
    *out_reason = stasis_client_intern (rets[1].s);
  stasis_client_clear (OWN, "domain-get-state", rets);
  return TRUE;
}

static gboolean
get_autostart (StasisDomain *self, gboolean *out_autostart, GError **error)
{
  StasisWireValue rets[1] = { { 0 } };
  if (!call_plain (self, REMOTE, "domain-get-autostart", rets, error))
    return FALSE;
  *out_autostart = rets[0].i != 0;
  return TRUE;
}

static gboolean
set_autostart (StasisDomain *self, gboolean autostart, GError **error)
{
  return call_flags (self, REMOTE, "domain-set-autostart", autostart ? 1 : 0, NULL, error);
}

/* Who knows of no such marks has not marked it. */
static gboolean
get_autostart_once (StasisDomain *self, gboolean *out_autostart, GError **error)
{
  StasisWireValue rets[1] = { { 0 } };
  g_autoptr (GError) local = NULL;
  if (!call_plain (self, REMOTE, "domain-get-autostart-once", rets, &local)
      && !g_error_matches (local, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED))
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  *out_autostart = rets[0].i != 0;
  return TRUE;
}

static gboolean
set_autostart_once (StasisDomain *self, gboolean autostart, GError **error)
{
  return call_flags (self, REMOTE, "domain-set-autostart-once", autostart ? 1 : 0, NULL, error);
}

static gboolean
get_info_of_others (StasisDomain *self, StasisDomainInfo *out_info, GError **error)
{
  StasisWireValue info[5] = { { 0 } };
  StasisWireValue managed[1] = { { 0 } };
  if (!call_plain (self, REMOTE, "domain-get-info", info, error)
      || !call_flags (self, REMOTE, "domain-has-managed-save-image", 0, managed, error))
    return FALSE;
  *out_info = (StasisDomainInfo){
    .max_memory_kib = info[1].ul,
    .memory_kib = info[2].ul,
    .vcpus = info[3].u,
    .cpu_time_ns = info[4].ul,
    .has_managed_save = managed[0].i != 0,
  };
  return get_autostart (self, &out_info->autostart, error);
}

static gboolean
get_info (StasisDomain *self, StasisDomainInfo *out_info, GError **error)
{
  StasisWireValue rets[8] = { { 0 } };
  if (!stasis_client_is_own (stasis_client_of (self)))
    return get_info_of_others (self, out_info, error);
  if (!call_plain (self, OWN, "domain-get-info", rets, error))
    return FALSE;
  *out_info = (StasisDomainInfo){
    .max_memory_kib = rets[0].ul,
    .memory_kib = rets[1].ul,
    .vcpus = rets[2].u,
    .cpu_time_ns = rets[3].ul,
    .pid = rets[4].l,
    .supervisor_pid = rets[5].l,
    .has_managed_save = rets[6].i != 0,
    .autostart = rets[7].i != 0,
  };
  return TRUE;
}

/* (transfer full) (nullable): a text that may be missing; always of servers that have no such
 * thing. */
static char *
get_text (StasisDomain *self, const char *name, StasisWireValue *rets, GError **error)
{
  if (!stasis_client_is_own (stasis_client_of (self)) || !call_plain (self, OWN, name, rets, error))
    return NULL;
  char *text = g_steal_pointer (&rets[0].s);
  return text;
}

static char *
get_memory_image (StasisDomain *self, gboolean *out_is_there, GError **error)
{
  StasisWireValue rets[2] = { { 0 } };
  char *path = get_text (self, "domain-get-memory-image", rets, error);
  if (path != NULL && out_is_there != NULL)
    *out_is_there = rets[1].i != 0;
  return path;
}

static char *
get_flat_file (StasisDomain *self, GError **error)
{
  StasisWireValue rets[1];
  return get_text (self, "domain-get-flat-file", rets, error);
}

static char *
get_tracked_image (StasisDomain *self, GError **error)
{
  StasisWireValue rets[1];
  return get_text (self, "domain-get-tracked-image", rets, error);
}

static char *
get_clone_of (StasisDomain *self, char **out_image, GError **error)
{
  StasisWireValue rets[2] = { { 0 } };
  char *name = get_text (self, "domain-get-clone-of", rets, error);
  if (name != NULL && out_image != NULL)
    *out_image = g_steal_pointer (&rets[1].s);
  g_free (rets[1].s);
  return name;
}

static StasisImageCheck
get_image_check (StasisDomain *self, char **out_message, GError **error)
{
  StasisWireValue rets[2];
  if (!stasis_client_is_own (stasis_client_of (self))
      || !call_plain (self, OWN, "domain-get-image-check", rets, error))
    return STASIS_IMAGE_CHECK_UNKNOWN;
  const StasisImageCheck check = (StasisImageCheck) rets[0].i;
  if (out_message != NULL)
    *out_message = g_steal_pointer (&rets[1].s);
  stasis_client_clear (OWN, "domain-get-image-check", rets);
  return check >= STASIS_IMAGE_CHECK_BEFORE && check <= STASIS_IMAGE_CHECK_NONE
             ? check
             : STASIS_IMAGE_CHECK_UNKNOWN;
}

static char *
get_xml (StasisDomain *self, StasisXmlFlags flags, GError **error)
{
  StasisWireValue rets[1];
  const guint32 theirs = ((flags & STASIS_XML_SECURE) != 0 ? 0x1u : 0)
                         | ((flags & STASIS_XML_INACTIVE) != 0 ? 0x2u : 0)
                         | ((flags & STASIS_XML_MIGRATABLE) != 0 ? 0x8u : 0);
  return call_flags (self, REMOTE, "domain-get-xml-desc", theirs, rets, error) ? rets[0].s : NULL;
}

static gboolean
destroy (StasisDomain *self, StasisDestroyFlags flags, GError **error)
{
  const guint32 theirs = (flags & STASIS_DESTROY_GRACEFUL) != 0 ? 0x1u : 0;
  return call_flags (self, REMOTE, "domain-destroy-flags", theirs, NULL, error);
}

static gboolean
shut_down (StasisDomain *self, GError **error)
{
  return call_plain (self, REMOTE, "domain-shutdown", NULL, error);
}

static gboolean
reboot (StasisDomain *self, GError **error)
{
  return call_flags (self, REMOTE, "domain-reboot", 0, NULL, error);
}

static gboolean
reset (StasisDomain *self, GError **error)
{
  return call_flags (self, REMOTE, "domain-reset", 0, NULL, error);
}

static gboolean
suspend (StasisDomain *self, GError **error)
{
  return call_plain (self, REMOTE, "domain-suspend", NULL, error);
}

static gboolean
resume (StasisDomain *self, GError **error)
{
  return call_plain (self, REMOTE, "domain-resume", NULL, error);
}

static gboolean
undefine (StasisDomain *self, StasisUndefineFlags flags, GError **error)
{
  const guint32 theirs = ((flags & STASIS_UNDEFINE_MANAGED_SAVE) != 0 ? 0x1u : 0)
                         | ((flags & STASIS_UNDEFINE_NVRAM) != 0 ? 0x4u : 0)
                         | ((flags & STASIS_UNDEFINE_KEEP_NVRAM) != 0 ? 0x8u : 0);
  return call_flags (self, REMOTE, "domain-undefine-flags", theirs, NULL, error);
}

static gboolean
rename_domain (StasisDomain *self, const char *new_name, GError **error)
{
  StasisWireDomain domain = stasis_client_describe (self);
  const StasisWireValue args[] = { { .domain = &domain }, { .s = (char *) new_name }, { .u = 0 } };
  StasisWireValue rets[1];
  return stasis_client_call (stasis_client_of (self), REMOTE, "domain-rename", args, rets, error);
}

static StasisJobStats *
get_job_of_others (StasisDomain *self, gboolean completed, GError **error)
{
  StasisWireValue rets[2];
  if (!call_flags (self, REMOTE, "domain-get-job-stats", completed ? 0x1u : 0, rets, error))
    return NULL;
  StasisJobStats *stats = stasis_job_params_parse (rets[0].i, rets[1].items);
  stasis_client_clear (REMOTE, "domain-get-job-stats", rets);
  return stats;
}

static StasisJobStats *
get_job (StasisDomain *self, gboolean completed, GError **error)
{
  StasisWireValue rets[1];
  if (!stasis_client_is_own (stasis_client_of (self)))
    return get_job_of_others (self, completed, error);
  if (!call_flags (self, OWN, "domain-get-job", completed ? 1 : 0, rets, error))
    return NULL;
  g_autoptr (StasisJson) json = stasis_json_parse (rets[0].s, -1, error);
  StasisJobStats *stats = json != NULL ? stasis_job_stats_from_json (json, error) : NULL;
  stasis_client_clear (OWN, "domain-get-job", rets);
  return stats;
}

static gboolean
abort_job (StasisDomain *self, GError **error)
{
  return call_plain (self, REMOTE, "domain-abort-job", NULL, error);
}

static char *
monitor_command (StasisDomain *self, const char *command, StasisMonitorCommandFlags flags,
                 GCancellable *cancellable, GError **error)
{
  StasisWireDomain domain = stasis_client_describe (self);
  const guint32 theirs = (flags & STASIS_MONITOR_COMMAND_HMP) != 0 ? 0x1u : 0;
  const StasisWireValue args[]
      = { { .domain = &domain }, { .s = (char *) command }, { .u = theirs } };
  StasisWireValue rets[1];
  return stasis_client_call (stasis_client_of (self), STASIS_PROGRAM_QEMU, "domain-monitor-command",
                             args, rets, error)
             ? rets[0].s
             : NULL;
}

static int
open_console (StasisDomain *self, const char *device, gboolean force, GError **error)
{
  StasisWireDomain domain = stasis_client_describe (self);
  const StasisWireValue args[]
      = { { .domain = &domain }, { .s = (char *) device }, { .u = force ? 0x1u : 0 } };
  return stasis_client_console_open (stasis_client_of (self), args, error);
}

/* What a domain is, and its life. */
void
stasis_client_fill_domain (StasisDriverOps *ops)
{
  ops->get_id = get_id;
  ops->is_persistent = is_persistent;
  ops->get_state = get_state;
  ops->get_info = get_info;
  ops->get_memory_image = get_memory_image;
  ops->get_flat_file = get_flat_file;
  ops->get_image_check = get_image_check;
  ops->get_tracked_image = get_tracked_image;
  ops->get_clone_of = get_clone_of;
  ops->get_xml = get_xml;
  ops->get_autostart = get_autostart;
  ops->set_autostart = set_autostart;
  ops->get_autostart_once = get_autostart_once;
  ops->set_autostart_once = set_autostart_once;
  ops->destroy = destroy;
  ops->shutdown = shut_down;
  ops->reboot = reboot;
  ops->reset = reset;
  ops->suspend = suspend;
  ops->resume = resume;
  ops->undefine = undefine;
  ops->rename = rename_domain;
  ops->get_job = get_job;
  ops->abort_job = abort_job;
  ops->monitor_command = monitor_command;
  ops->open_console = open_console;
}
