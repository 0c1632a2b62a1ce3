/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device-grip.c: a domain whose devices are being changed
 *
 * What is asked for both the running domain and its definition is checked for both before anything
 * is changed; the definition is written last, for that can hardly fail any more.
 */

#include "config.h"

#include "driver/device-grip.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/device-settle.h"
#include "driver/device-unplug.h"
#include "driver/domain-private.h"
#include "driver/live-def.h"
#include "driver/migrate-settle.h"
#include "driver/parse-new.h"
#include "driver/registry.h"
#include "util/fault.h"

void
stasis_device_grip_clear (StasisDeviceGrip *grip)
{
  g_clear_pointer (&grip->live, stasis_domain_def_free);
  g_clear_pointer (&grip->config, stasis_domain_def_free);
  g_clear_pointer (&grip->monitor, stasis_monitor_close);
  g_clear_pointer (&grip->hold, stasis_hold_release);
}

/* Refuse what is not known. */
gboolean
stasis_device_grip_check_flags (StasisAffectFlags flags, StasisAffectFlags known, GError **error)
{
  const StasisAffectFlags both = STASIS_AFFECT_LIVE | STASIS_AFFECT_CONFIG;
  if ((flags & ~(known | both)) == 0)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
               _ ("unsupported flags (0x%x) in this call"), flags & ~(known | both));
  return FALSE;
}

static gboolean
check_state (const StasisDeviceGrip *grip, const char *name, StasisAffectFlags flags,
             GError **error)
{
  if ((flags & STASIS_AFFECT_LIVE) != 0 && grip->hold->status == NULL)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
                   _ ("domain '%s' is not running"), name);
      return FALSE;
    }
  if ((flags & STASIS_AFFECT_CONFIG) == 0 || stasis_registry_has (grip->driver, name))
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
               _ ("the transient domain '%s' has no persistent definition to be changed"), name);
  return FALSE;
}

static gboolean
open_live (StasisDeviceGrip *grip, StasisDomain *domain, GError **error)
{
  const StasisStatus *status = grip->hold->status;
  if (status->undecided_migration != NULL)
    return stasis_migrate_throw_elsewhere (status, error);
  grip->live = stasis_domain_load_live (domain, error);
  if (grip->live == NULL)
    return FALSE;
  grip->monitor = stasis_hold_open_monitor (grip->hold, grip->cancellable, error);
  return grip->monitor != NULL && stasis_device_unplug_settle (grip, error);
}

/* Take hold of it. */
gboolean
stasis_device_grip_take (StasisDeviceGrip *grip, StasisDomain *domain, StasisAffectFlags flags,
                         StasisAffectFlags known, GCancellable *cancellable, GError **error)
{
  const char *name = stasis_domain_get_name (domain);
  if (!stasis_device_grip_check_flags (flags, known, error))
    return FALSE;
  grip->driver = stasis_domain_get_driver (domain);
  grip->cancellable = cancellable;
  grip->hold = stasis_hold_take_cancellable (grip->driver, name, cancellable, error);
  if (grip->hold == NULL)
    return FALSE;
  if ((flags & (STASIS_AFFECT_LIVE | STASIS_AFFECT_CONFIG)) == 0)
    flags |= grip->hold->status != NULL ? STASIS_AFFECT_LIVE : STASIS_AFFECT_CONFIG;
  if (!check_state (grip, name, flags, error)
      || ((flags & STASIS_AFFECT_LIVE) != 0 && !open_live (grip, domain, error)))
    return FALSE;
  if ((flags & STASIS_AFFECT_CONFIG) == 0)
    return TRUE;
  grip->config = stasis_registry_load (grip->driver, name, error);
  return grip->config != NULL;
}

StasisDomainDef *
stasis_device_grip_copy_live (const StasisDeviceGrip *grip)
{
  StasisDomainDef *next = stasis_domain_def_copy (grip->live);
  stasis_live_def_mark_automatic (next, grip->hold->folder);
  return next;
}

gboolean
stasis_device_grip_complete_live (const StasisDeviceGrip *grip, StasisDomainDef *next,
                                  GError **error)
{
  if (!stasis_driver_complete (grip->driver, next, STASIS_DOMAIN_PARSE_ACTIVE, error))
    return FALSE;
  stasis_live_def_mark_automatic (next, grip->hold->folder);
  return TRUE;
}

gboolean
stasis_device_grip_complete_config (const StasisDeviceGrip *grip, GError **error)
{
  return grip->config == NULL
         || (stasis_driver_complete (grip->driver, grip->config, STASIS_DOMAIN_PARSE_DEFAULT, error)
             && stasis_driver_check_startable (grip->driver, grip->config, error));
}

/* Say what is going to be changed. */
gboolean
stasis_device_grip_begin (StasisDeviceGrip *grip, StasisDomainDef *next, const char *operation,
                          StasisDeviceChange *change_take, GError **error)
{
  StasisJournal *journal = &grip->hold->status->journal;
  stasis_journal_begin (journal, STASIS_STEP_DEVICE, operation);
  journal->change = change_take;
  if (stasis_live_def_write (next, grip->hold->status, grip->hold->folder, STASIS_NEXT_XML, error)
      && stasis_hold_write (grip->hold, error) && stasis_fault ("device-journal", error))
    return TRUE;
  stasis_device_next_drop (grip->hold->folder);
  stasis_journal_clear (journal);
  stasis_hold_write (grip->hold, NULL);
  return FALSE;
}

/* QEMU has not done it, or not all of it. */
static gboolean
undo (StasisDeviceGrip *grip, GError *failure_take, GError **error)
{
  g_autoptr (GError) local = NULL;
  const StasisDeviceChange *change = grip->hold->status->journal.change;
  const gboolean is_setting
      = change->kind == STASIS_CHANGE_LINK || change->kind == STASIS_CHANGE_MEMORY;
  if (is_setting
      && g_error_matches (failure_take, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND))
    stasis_device_next_drop (grip->hold->folder);
  else if (!stasis_device_settle (grip->hold->folder, grip->hold->status, grip->monitor, &local))
    {
      /* The journal stands: whoever comes next tries again. */
      g_propagate_error (error, failure_take);
      g_prefix_error (error, _ ("the change could not be undone (%s): "), local->message);
      return FALSE;
    }
  stasis_journal_clear (&grip->hold->status->journal);
  if (!stasis_hold_write (grip->hold, &local))
    g_debug ("%s", local->message);
  g_propagate_error (error, failure_take);
  return FALSE;
}

/* It is done, or not. */
gboolean
stasis_device_grip_end (StasisDeviceGrip *grip, StasisDomainDef *next_take, GError *failure_take,
                        GError **error)
{
  g_autoptr (StasisDomainDef) next = next_take;
  if (failure_take != NULL)
    return undo (grip, failure_take, error);
  if (!stasis_fault ("device-done", error)
      || !stasis_device_next_commit (grip->hold->folder, error))
    return FALSE;
  stasis_domain_def_free (grip->live);
  grip->live = g_steal_pointer (&next);
  stasis_journal_clear (&grip->hold->status->journal);
  g_autoptr (GError) local = NULL;
  if (!stasis_fault ("device-committed", &local) || !stasis_hold_write (grip->hold, &local))
    g_debug ("%s", local->message);
  return TRUE;
}

gboolean
stasis_device_grip_rewrite_live (StasisDeviceGrip *grip, GError **error)
{
  return stasis_live_def_write (grip->live, grip->hold->status, grip->hold->folder, STASIS_LIVE_XML,
                                error);
}

gboolean
stasis_device_grip_store (const StasisDeviceGrip *grip, GError **error)
{
  if (grip->config == NULL)
    return TRUE;
  g_autoptr (GError) local = NULL;
  if (stasis_registry_store (grip->driver, grip->config, &local))
    return TRUE;
  if (grip->live != NULL)
    g_prefix_error (&local, _ ("the running domain is changed, but not its definition: "));
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}
