/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * define.c: making and removing persistent definitions
 */

#include "config.h"

#include <errno.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/domain-private.h"
#include "driver/hold.h"
#include "driver/parse-new.h"
#include "driver/registry.h"
#include "util/fd.h"

/**
 * stasis_driver_define:
 * @self: a driver
 * @xml: libvirt's domain XML
 * @source_name: (nullable): where it is from, for messages
 * @error: return location
 *
 * Makes or replaces a persistent definition.  A running instance goes on as it is.  What could not
 * be started is refused.
 *
 * Returns: (transfer full): the domain
 */
StasisDomain *
stasis_driver_define (StasisDriver *self, const char *xml, const char *source_name, GError **error)
{
  const StasisDriverOps *ops = stasis_driver_get_ops (self);
  if (ops != NULL)
    return ops->define (self, xml, source_name, error);

  g_autoptr (StasisDomainDef) def = stasis_driver_parse_new (self, xml, source_name, error);
  if (def == NULL)
    return NULL;

  /* Only its UUID tells a redefinition from another domain of the same name. */
  g_autoptr (StasisHold) hold = stasis_hold_take (self, def->name, error);
  if (hold == NULL || !stasis_registry_store (self, def, error))
    return NULL;
  if (hold->status != NULL && hold->status->is_transient)
    {
      hold->status->is_transient = FALSE;
      if (!stasis_hold_write (hold, error))
        return NULL;
    }
  return stasis_domain_new (self, def->name, def->uuid);
}

/* Remove @path; nothing there is fine. */
static gboolean
remove_file (const char *path, GError **error)
{
  if (unlink (path) == 0 || errno == ENOENT)
    return TRUE;
  return stasis_throw_errno (error, _ ("cannot remove '%s'"), path);
}

/* What lies about a domain is only removed where the caller knows of it. */
static gboolean
check_files (const char *name, const char *managed_save, const char *nvram,
             StasisUndefineFlags flags, GError **error)
{
  if ((flags & STASIS_UNDEFINE_MANAGED_SAVE) == 0 && g_file_test (managed_save, G_FILE_TEST_EXISTS))
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
                   _ ("domain '%s' has a managed save image; --managed-save removes it as well"),
                   name);
      return FALSE;
    }
  if ((flags & (STASIS_UNDEFINE_NVRAM | STASIS_UNDEFINE_KEEP_NVRAM)) == 0
      && g_file_test (nvram, G_FILE_TEST_EXISTS))
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
                   _ ("domain '%s' has an NVRAM file; --nvram removes it as well, --keep-nvram "
                      "leaves it"),
                   name);
      return FALSE;
    }
  return TRUE;
}

/* First the checks, then the definition, then what only it gave a meaning to: a refusal or a
 * failure half way must not cost the guest's saved state. */
static gboolean
remove_definition (StasisDriver *driver, const char *name, const char *uuid,
                   StasisUndefineFlags flags, GError **error)
{
  g_autofree char *managed_save = stasis_paths_managed_save (driver->paths, name);
  g_autofree char *nvram = stasis_paths_nvram (driver->paths, name);
  g_autofree char *speed = stasis_paths_migrate_speed (driver->paths, name);
  if (!check_files (name, managed_save, nvram, flags, error)
      || !stasis_registry_remove (driver, name, uuid, error) || !remove_file (speed, error))
    return FALSE;
  if ((flags & STASIS_UNDEFINE_MANAGED_SAVE) != 0 && !remove_file (managed_save, error))
    return FALSE;
  return (flags & STASIS_UNDEFINE_KEEP_NVRAM) != 0 || remove_file (nvram, error);
}

/**
 * stasis_domain_undefine:
 * @self: a domain
 * @flags: what goes with the definition
 * @error: return location
 *
 * Removes the persistent definition; a running instance goes on as a transient domain.
 *
 * Returns: %TRUE if it is gone
 */
gboolean
stasis_domain_undefine (StasisDomain *self, StasisUndefineFlags flags, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->undefine (self, flags, error);

  StasisDriver *driver = stasis_domain_get_driver (self);
  const char *name = stasis_domain_get_name (self);
  g_autoptr (StasisHold) hold = stasis_hold_take (driver, name, error);
  if (hold == NULL)
    return FALSE;
  if (!stasis_registry_has (driver, name))
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
                   _ ("cannot undefine the transient domain '%s'"), name);
      return FALSE;
    }

  if (!remove_definition (driver, name, stasis_domain_get_uuid (self), flags, error))
    return FALSE;
  if (hold->status == NULL)
    {
      g_autofree char *last = stasis_paths_last (driver->paths, name);
      g_autofree char *last_job = stasis_paths_last_job (driver->paths, name);
      return remove_file (last, error) && remove_file (last_job, error);
    }
  hold->status->is_transient = TRUE;
  return stasis_hold_write (hold, error);
}
