/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-limits.c: how fast a migration may be, while it goes on and before it
 *
 * Theory of operation
 *
 * Who asks is seldom the process that has the job, and the domain's lock.  So a limit is kept
 * first, in a file of its own that is written at one go, and then its supervisor is told, which has
 * a connection to QEMU.  A migration that begins says so to the supervisor, and looks at the files
 * after that: so one of both ways reaches it.  QEMU itself is not told before it migrates, for a
 * save goes by the same parameters.
 *
 * A guest that runs has its files in its run folder, and they go with it.  Of one that does not,
 * libvirt keeps only the speed, and so do we, as long as it is defined.
 */

#include "config.h"

#include "driver/migrate-limits.h"

#include <inttypes.h>
#include <string.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/domain-private.h"
#include "driver/ops.h"
#include "driver/registry.h"
#include "util/atomic-file.h"

#define MIB       (1024u * 1024)
#define TEXT_MAX  32    /* octets of a file */
#define CACHE_MIN 4096u /* a page */
#define CACHE_MAX (G_GUINT64_CONSTANT (1) << 40)

static const struct
{
  const char *file;      /* in the run folder */
  const char *parameter; /* QMP's name */
  guint64 unit;          /* of ours in QEMU's */
  guint64 max;
  guint64 initial; /* where nobody has chosen */
  guint flag;      /* of those that migrate without it: not told; 0: always */
  gsize request;   /* of the number that a migration is given itself */
} limits[] = {
  [STASIS_MIGRATE_LIMIT_SPEED]
  = { "migrate-speed", "max-bandwidth", MIB, STASIS_MIGRATE_SPEED_MAX, STASIS_MIGRATE_SPEED_MAX, 0,
      G_STRUCT_OFFSET (StasisMigrateRequest, bandwidth) },
  [STASIS_MIGRATE_LIMIT_POSTCOPY_SPEED]
  = { "migrate-postcopy-speed", "max-postcopy-bandwidth", MIB, STASIS_MIGRATE_SPEED_MAX, 0,
      STASIS_MIGRATE_POSTCOPY, G_STRUCT_OFFSET (StasisMigrateRequest, postcopy_bandwidth) },
  [STASIS_MIGRATE_LIMIT_DOWNTIME] = { "migrate-downtime", "downtime-limit", 1, 2000 * 1000, 300, 0,
                                      G_STRUCT_OFFSET (StasisMigrateRequest, max_downtime_ms) },
  [STASIS_MIGRATE_LIMIT_CACHE]
  = { "migrate-cache", "xbzrle-cache-size", 1, CACHE_MAX, 64 * MIB, STASIS_MIGRATE_COMPRESSED,
      G_STRUCT_OFFSET (StasisMigrateRequest, xbzrle_cache) },
};

static gboolean
check_value (StasisMigrateLimit which, guint64 value, GError **error)
{
  if (which == STASIS_MIGRATE_LIMIT_CACHE && (value < CACHE_MIN || (value & (value - 1)) != 0))
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                   _ ("%1$" PRIu64 " octets are no cache: it has a power of two of them, at least "
                      "%2$u"),
                   value, CACHE_MIN);
      return FALSE;
    }
  if (value <= limits[which].max)
    return TRUE;
  g_set_error (
      error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
      which == STASIS_MIGRATE_LIMIT_DOWNTIME ? _ ("the downtime must be less than %" PRIu64 " ms")
      : which == STASIS_MIGRATE_LIMIT_CACHE ? _ ("the cache must have less than %" PRIu64 " octets")
                                            : _ ("bandwidth must be less than %" PRIu64 " MiB/s"),
      limits[which].max + 1);
  return FALSE;
}

static gboolean
check_which (StasisMigrateLimit which, GError **error)
{
  if ((guint) which < G_N_ELEMENTS (limits))
    return TRUE;
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                       _ ("there is no such limit of a migration"));
  return FALSE;
}

/* FALSE where nothing that makes sense was kept. */
static gboolean
read_kept (const char *path, StasisMigrateLimit which, guint64 *out_value)
{
  g_autofree char *text = NULL;
  gsize size = 0;
  guint64 value;
  if (!g_file_get_contents (path, &text, &size, NULL) || size > TEXT_MAX)
    return FALSE;
  g_strchomp (text);
  if (!g_ascii_string_to_unsigned (text, 10, 0, limits[which].max, &value, NULL)
      || !check_value (which, value, NULL))
    return FALSE;
  *out_value = value;
  return TRUE;
}

static gboolean
find_kept (StasisDriver *driver, const char *name, StasisMigrateLimit which, guint64 *out_value)
{
  g_autofree char *path = stasis_paths_domain (driver->paths, name, limits[which].file);
  if (read_kept (path, which, out_value))
    return TRUE;
  if (which != STASIS_MIGRATE_LIMIT_SPEED || !stasis_registry_has (driver, name))
    return FALSE;
  g_autofree char *speed = stasis_paths_migrate_speed (driver->paths, name);
  return read_kept (speed, which, out_value);
}

static gboolean
keep (const char *path, guint64 value, GError **error)
{
  g_autofree char *text = g_strdup_printf ("%" PRIu64 "\n", value);
  return stasis_atomic_file_write (path, text, strlen (text), 0600, error);
}

static gboolean
keep_for_later (StasisDomain *self, guint64 value, GError **error)
{
  StasisDriver *driver = stasis_domain_get_driver (self);
  const char *name = stasis_domain_get_name (self);
  g_autofree char *path = stasis_paths_migrate_speed (driver->paths, name);
  g_autofree char *folder = g_path_get_dirname (path);
  if (!stasis_registry_has (driver, name))
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_NO_DOMAIN, _ ("no domain with name '%s'"),
                   name);
      return FALSE;
    }
  return stasis_paths_make (folder, error) && keep (path, value, error);
}

static gboolean
throw_off (StasisDomain *self, GError **error)
{
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE, _ ("domain '%s' is not running"),
               stasis_domain_get_name (self));
  return FALSE;
}

/* One that does not migrate is no failure. */
static gboolean
steer (StasisDomain *self, StasisMigrateLimit which, gint64 value, guint64 *out_value,
       gboolean *out_is_migrating, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (StasisControl) control = stasis_domain_open_control (self, error);
  if (control == NULL)
    return FALSE;
  *out_is_migrating
      = stasis_control_migrate_limit (control, limits[which].parameter, value, out_value, &local);
  if (*out_is_migrating || g_error_matches (local, STASIS_ERROR, STASIS_ERROR_INVALID_STATE))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/**
 * stasis_domain_get_migrate_limit:
 * @self: a domain
 * @which: which limit
 * @out_value: (out): in its unit
 * @error: return location
 *
 * Of the migration that goes on; where there is none, of the next one that does not choose its own.
 * Only the speed can be asked of a domain that does not run.
 *
 * Returns: %TRUE if it is known
 */
gboolean
stasis_domain_get_migrate_limit (StasisDomain *self, StasisMigrateLimit which, guint64 *out_value,
                                 GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->get_migrate_limit (self, which, out_value, error);

  g_autoptr (StasisStatus) status = NULL;
  gboolean is_migrating = FALSE;
  guint64 now = 0;
  if (!check_which (which, error) || !stasis_domain_look (self, &status, error))
    return FALSE;
  if (status == NULL && which != STASIS_MIGRATE_LIMIT_SPEED)
    return throw_off (self, error);
  if (status != NULL && !steer (self, which, -1, &now, &is_migrating, error))
    return FALSE;
  guint64 kept = limits[which].initial;
  find_kept (stasis_domain_get_driver (self), stasis_domain_get_name (self), which, &kept);
  /* QEMU calls no limit 0. */
  *out_value = is_migrating && now > 0 ? now / limits[which].unit : kept;
  return TRUE;
}

/**
 * stasis_domain_set_migrate_limit:
 * @self: a domain
 * @which: which limit
 * @value: in its unit
 * @error: return location
 *
 * Of the migration that goes on, whatever process has it, and of later ones, as long as the guest
 * runs, that do not choose their own.  Only the speed can be set of a domain that does not run.
 *
 * Returns: %TRUE if it holds
 */
gboolean
stasis_domain_set_migrate_limit (StasisDomain *self, StasisMigrateLimit which, guint64 value,
                                 GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->set_migrate_limit (self, which, value, error);

  g_autoptr (StasisStatus) status = NULL;
  gboolean is_migrating = FALSE;
  if (!check_which (which, error) || !check_value (which, value, error)
      || !stasis_domain_look (self, &status, error))
    return FALSE;
  if (status == NULL)
    return which == STASIS_MIGRATE_LIMIT_SPEED ? keep_for_later (self, value, error)
                                               : throw_off (self, error);
  g_autofree char *path = stasis_paths_domain (stasis_domain_get_driver (self)->paths,
                                               stasis_domain_get_name (self), limits[which].file);
  return keep (path, value, error)
         && steer (self, which, (gint64) (value * limits[which].unit), NULL, &is_migrating, error);
}

/* Before a migration. */
void
stasis_migrate_limits_apply (StasisDriver *driver, const char *name, StasisMigrateFlags flags,
                             const StasisMigrateRequest *request, StasisJson *parameters)
{
  for (guint i = 0; i < G_N_ELEMENTS (limits); i++)
    {
      guint64 value;
      const gboolean is_chosen
          = request != NULL && G_STRUCT_MEMBER (guint64, request, limits[i].request) != 0;
      const gboolean is_told = limits[i].flag == 0 || (flags & limits[i].flag) != 0;
      if (is_told && !is_chosen && find_kept (driver, name, (StasisMigrateLimit) i, &value))
        stasis_json_set_uint (parameters, limits[i].parameter, value * limits[i].unit);
    }
}
