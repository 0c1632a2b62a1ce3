/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * life.c: starting domains: defined ones, transient ones
 */

#include "config.h"

#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/disk-writers.h"
#include "driver/domain-private.h"
#include "driver/hold.h"
#include "driver/hook-begin.h"
#include "driver/parse-new.h"
#include "driver/job.h"
#include "driver/registry.h"
#include "driver/restore.h"
#include "driver/start.h"
#include "util/fault.h"
#include "util/fd.h"

/* Boot @def in the domain that is held. */
static gboolean
boot (StasisDriver *driver, StasisHold *hold, StasisDomainDef *def, gboolean is_transient,
      StasisStartFlags flags, GCancellable *cancellable, GError **error)
{
  const StasisStartRequest request = {
    .operation = "start",
    .reason = "booted",
    .is_transient = is_transient,
  };
  GError *local = NULL;
  g_autoptr (StasisMonitor) monitor
      = stasis_start_qemu (driver, hold, def, &request, cancellable, &local);
  if (monitor == NULL)
    {
      stasis_disk_writers_explain (driver, def, local);
      g_propagate_error (error, local);
      return FALSE;
    }
  if (stasis_fault ("start-started", error)
      && stasis_hook_begin (hold, def, "started", cancellable, error)
      && stasis_start_finish (hold, monitor, (flags & STASIS_START_PAUSED) == 0, error))
    return TRUE;
  stasis_start_abandon (hold);
  return FALSE;
}

static gboolean
throw_active (GError **error, const char *name)
{
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE, _ ("domain '%s' is already active"),
               name);
  return FALSE;
}

/* Go on from the managed save image; it is used up by that. */
static gboolean
start_from_managed (StasisDomain *self, const char *path, StasisStartFlags flags,
                    StasisProgressFunc progress, gpointer user_data, GCancellable *cancellable,
                    GError **error)
{
  const StasisRestoreFlags restore
      = flags & STASIS_START_PAUSED ? STASIS_RESTORE_PAUSED : STASIS_RESTORE_NONE;
  GError *local = NULL;
  g_autoptr (StasisDomain) domain
      = stasis_restore_image (stasis_domain_get_driver (self), path, NULL, restore,
                              /* is_managed= */ TRUE, progress, user_data, cancellable, &local);
  if (domain != NULL)
    return TRUE;
  /* What a hook refuses is no fault of the image's. */
  if (!g_error_matches (local, STASIS_ERROR, STASIS_ERROR_HOOK))
    g_prefix_error (&local, _ ("the managed save image cannot be used (start --force-boot or "
                               "managedsave-remove drops it): "));
  g_propagate_error (error, local);
  return FALSE;
}

static gboolean
boot_defined (StasisDomain *self, StasisStartFlags flags, GCancellable *cancellable, GError **error)
{
  StasisDriver *driver = stasis_domain_get_driver (self);
  const char *name = stasis_domain_get_name (self);
  g_autoptr (StasisHold) hold = stasis_hold_take (driver, name, error);
  if (hold == NULL)
    return FALSE;
  if (hold->status != NULL)
    return throw_active (error, name);
  g_autoptr (StasisDomainDef) def = stasis_registry_load (driver, name, error);
  if (def == NULL)
    return FALSE;

  /* Looked at again under the hold: it may have been saved meanwhile. */
  g_autofree char *managed = stasis_paths_managed_save (driver->paths, name);
  const gboolean has_managed = g_file_test (managed, G_FILE_TEST_EXISTS);
  if (has_managed && (flags & STASIS_START_FORCE_BOOT) == 0)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_BUSY,
                   _ ("domain '%s' has been saved at this moment; start it again"), name);
      return FALSE;
    }
  if (!boot (driver, hold, def, /* is_transient= */ FALSE, flags, cancellable, error))
    return FALSE;
  if (has_managed && unlink (managed) < 0)
    return stasis_throw_errno (error, _ ("the domain runs, but '%s' cannot be removed"), managed);
  return TRUE;
}

/**
 * stasis_domain_start:
 * @self: a defined domain that does not run
 * @flags: how
 * @progress: (nullable) (scope call): told how a managed save image is loaded
 * @user_data: for @progress
 * @cancellable: (nullable): stops it; nothing is left then
 * @error: return location
 *
 * Starts the domain: from its managed save image where it has one, else by booting it.
 *
 * Returns: %TRUE if it runs
 */
gboolean
stasis_domain_start (StasisDomain *self, StasisStartFlags flags, StasisProgressFunc progress,
                     gpointer user_data, GCancellable *cancellable, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->start (self, flags, progress, user_data, cancellable, error);

  /* A start that died is cleared away by whoever takes the hold: not active. */
  g_autoptr (StasisStatus) status = NULL;
  if (!stasis_domain_look (self, &status, error))
    return FALSE;
  if (status != NULL && status->journal.step != STASIS_STEP_START)
    return throw_active (error, stasis_domain_get_name (self));

  g_autofree char *managed = stasis_domain_get_managed_save_path (self);
  if (managed != NULL && (flags & STASIS_START_FORCE_BOOT) == 0)
    return start_from_managed (self, managed, flags, progress, user_data, cancellable, error);
  return boot_defined (self, flags, cancellable, error);
}

/**
 * stasis_driver_create:
 * @self: a driver
 * @xml: libvirt's domain XML
 * @source_name: (nullable): where it is from, for messages
 * @flags: how
 * @cancellable: (nullable): stops it; nothing is left then
 * @error: return location
 *
 * Boots a transient domain: it is gone when it ends.
 *
 * Returns: (transfer full): the domain
 */
StasisDomain *
stasis_driver_create (StasisDriver *self, const char *xml, const char *source_name,
                      StasisStartFlags flags, GCancellable *cancellable, GError **error)
{
  const StasisDriverOps *ops = stasis_driver_get_ops (self);
  if (ops != NULL)
    return ops->create (self, xml, source_name, flags, cancellable, error);

  g_autoptr (StasisDomainDef) def = stasis_driver_parse_new (self, xml, source_name, error);
  g_autoptr (StasisHold) hold = def != NULL ? stasis_hold_take (self, def->name, error) : NULL;
  if (hold == NULL)
    return NULL;
  if (hold->status != NULL)
    {
      throw_active (error, def->name);
      return NULL;
    }
  const gboolean is_transient = !stasis_registry_has (self, def->name);
  if (!stasis_registry_check_unique (self, def->name, def->uuid, error)
      || !boot (self, hold, def, is_transient, flags, cancellable, error))
    return NULL;
  return stasis_domain_new (self, def->name, def->uuid);
}

/**
 * stasis_domain_managed_save_remove:
 * @self: a domain
 * @error: return location
 *
 * Returns: %TRUE if it has no managed save image any more
 */
gboolean
stasis_domain_managed_save_remove (StasisDomain *self, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->managed_save_remove (self, error);

  StasisDriver *driver = stasis_domain_get_driver (self);
  g_autoptr (StasisHold) hold = stasis_hold_take (driver, stasis_domain_get_name (self), error);
  if (hold == NULL)
    return FALSE;
  g_autofree char *path = stasis_domain_get_managed_save_path (self);
  if (path != NULL && unlink (path) < 0)
    return stasis_throw_errno (error, _ ("cannot remove '%s'"), path);
  return TRUE;
}
