/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-own.c: our own program: what a domain is, beyond what libvirt asks
 */

#include "config.h"

#include "remote/calls-own.h"

#include <glib/gi18n-lib.h>

#include "driver/job-stats-json.h"
#include "remote/calls.h"
#include "remote/procedures.h"
#include "remote/session.h"

#define LIST_FLAGS \
  (STASIS_LIST_ACTIVE | STASIS_LIST_INACTIVE | STASIS_LIST_PERSISTENT | STASIS_LIST_TRANSIENT \
   | STASIS_LIST_AUTOSTART | STASIS_LIST_NO_AUTOSTART | STASIS_LIST_MANAGED_SAVE \
   | STASIS_LIST_NO_MANAGED_SAVE)

/* It begins. */
void
stasis_own_job_begin (StasisOwnJob *self, StasisCall *call)
{
  self->call = call;
  self->cancellable = stasis_session_get_job (call->session, call->serial);
}

/* It begins. */
StasisDomain *
stasis_own_job_begin_of_domain (StasisOwnJob *self, StasisCall *call, GError **error)
{
  StasisDomain *domain = stasis_call_domain (call, 0, error);
  if (domain != NULL)
    stasis_own_job_begin (self, call);
  return domain;
}

/* It has ended. */
void
stasis_own_job_end (StasisOwnJob *self)
{
  if (self->call == NULL)
    return;
  g_clear_object (&self->cancellable);
}

/* How far it is. */
void
stasis_own_job_tell (const StasisJobStats *stats, gpointer job)
{
  const StasisOwnJob *self = job;
  stasis_session_tell_job (self->call->session, self->call->serial, stats);
}

/* Refuse what is not known. */
gboolean
stasis_own_check_flags (guint32 flags, guint32 known, GError **error)
{
  if ((flags & ~known) == 0)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
               _ ("unsupported flags (0x%x) in this call"), flags & ~known);
  return FALSE;
}

/* So that a client knows whom it talks to. */
gboolean
stasis_call_own_get_version (StasisCall *call, GError **error)
{
  call->rets[0].u = STASIS_OWN_VERSION;
  stasis_session_set_own (call->session);
  return TRUE;
}

/* One that has ended meanwhile is none to cancel: the client sees its reply. */
gboolean
stasis_call_own_cancel (StasisCall *call, GError **error)
{
  stasis_session_cancel_job (call->session, call->args[0].u);
  return TRUE;
}

/* As text. */
gboolean
stasis_call_own_get_qemu_version (StasisCall *call, GError **error)
{
  call->rets[0].s = stasis_driver_get_qemu_version (call->driver, error);
  return call->rets[0].s != NULL;
}

/* With what a list shows of each, so that nobody has to ask for it one by one.  Of one whose state
 * cannot be told it is missing. */
gboolean
stasis_call_own_list_domains (StasisCall *call, GError **error)
{
  g_autoptr (GPtrArray) domains = stasis_own_check_flags (call->args[0].u, LIST_FLAGS, error)
                                      ? stasis_driver_list (call->driver, call->args[0].u, error)
                                      : NULL;
  if (domains == NULL)
    return FALSE;
  call->rets[0].items = stasis_wire_records_new ();
  for (guint i = 0; i < MIN (domains->len, STASIS_WIRE_DOMAINS_MAX); i++)
    {
      StasisDomain *domain = g_ptr_array_index (domains, i);
      StasisDomainState state = STASIS_DOMAIN_NOSTATE;
      const char *reason = NULL;
      GPtrArray *params = stasis_wire_params_new ();
      if (stasis_domain_get_state (domain, &state, &reason, NULL))
        {
          stasis_wire_params_add_int (params, STASIS_OWN_LOOK_STATE, (gint32) state);
          stasis_wire_params_add_string (params, STASIS_OWN_LOOK_REASON, reason);
          stasis_wire_params_add_boolean (params, STASIS_OWN_LOOK_PERSISTENT,
                                          stasis_domain_is_persistent (domain));
        }
      g_ptr_array_add (call->rets[0].items,
                       stasis_wire_record_new (stasis_call_describe (domain), params));
    }
  return TRUE;
}

/* With our words for the reason. */
gboolean
stasis_call_own_domain_get_state (StasisCall *call, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  StasisDomainState state = STASIS_DOMAIN_NOSTATE;
  const char *reason = NULL;
  if (domain == NULL || !stasis_domain_get_state (domain, &state, &reason, error))
    return FALSE;
  call->rets[0].i = (gint32) state;
  call->rets[1].s = g_strdup (reason);
  return TRUE;
}

/* All of it. */
gboolean
stasis_call_own_domain_get_info (StasisCall *call, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  StasisDomainInfo info;
  if (domain == NULL || !stasis_domain_get_info (domain, &info, error))
    return FALSE;
  call->rets[0].ul = info.max_memory_kib;
  call->rets[1].ul = info.memory_kib;
  call->rets[2].u = info.vcpus;
  call->rets[3].ul = info.cpu_time_ns;
  call->rets[4].l = info.pid;
  call->rets[5].l = info.supervisor_pid;
  call->rets[6].i = info.has_managed_save ? 1 : 0;
  call->rets[7].i = info.autostart ? 1 : 0;
  return TRUE;
}

/* A text that may be missing without an error. */
static gboolean
give_text (StasisCall *call, char *text_take, GError *local_take, GError **error)
{
  call->rets[0].s = text_take;
  if (local_take == NULL)
    return TRUE;
  g_propagate_error (error, local_take);
  return FALSE;
}

/* That its memory is mapped from. */
gboolean
stasis_call_own_domain_get_memory_image (StasisCall *call, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  GError *local = NULL;
  gboolean is_there = FALSE;
  if (domain == NULL)
    return FALSE;
  char *path = stasis_domain_get_memory_image (domain, &is_there, &local);
  call->rets[1].i = is_there ? 1 : 0;
  return give_text (call, path, local, error);
}

/* The flat file of that. */
gboolean
stasis_call_own_domain_get_flat_file (StasisCall *call, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  GError *local = NULL;
  if (domain == NULL)
    return FALSE;
  char *path = stasis_domain_get_flat_file (domain, &local);
  return give_text (call, path, local, error);
}

/* What is known of it. */
gboolean
stasis_call_own_domain_get_image_check (StasisCall *call, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  GError *local = NULL;
  char *message = NULL;
  if (domain == NULL)
    return FALSE;
  call->rets[0].i = (gint32) stasis_domain_get_image_check (domain, &message, &local);
  call->rets[1].s = message;
  if (local != NULL)
    g_propagate_error (error, local);
  return local == NULL;
}

/* Since which its writes are tracked. */
gboolean
stasis_call_own_domain_get_tracked_image (StasisCall *call, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  GError *local = NULL;
  if (domain == NULL)
    return FALSE;
  char *path = stasis_domain_get_tracked_image (domain, &local);
  return give_text (call, path, local, error);
}

/* Of which domain, from which image. */
gboolean
stasis_call_own_domain_get_clone_of (StasisCall *call, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  GError *local = NULL;
  if (domain == NULL)
    return FALSE;
  char *name = stasis_domain_get_clone_of (domain, &call->rets[1].s, &local);
  return give_text (call, name, local, error);
}

/* Where it lies on this host. */
gboolean
stasis_call_own_domain_get_managed_save_path (StasisCall *call, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  if (domain != NULL)
    call->rets[0].s = stasis_domain_get_managed_save_path (domain);
  return domain != NULL;
}

/* All that is known of it, as JSON. */
gboolean
stasis_call_own_domain_get_job (StasisCall *call, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  g_autoptr (StasisJobStats) stats
      = domain != NULL ? stasis_domain_get_job (domain, call->args[1].i != 0, error) : NULL;
  if (stats == NULL)
    return FALSE;
  g_autoptr (StasisJson) json = stasis_job_stats_to_json (stats);
  call->rets[0].s = stasis_json_to_string (json);
  return TRUE;
}
