/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-out-limits.c: how fast a migration may be, while it goes on
 *
 * Who asks is seldom the process that has the job, and its lock.  So the supervisor is told, which
 * has a connection to QEMU of its own.
 */

#include "config.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/domain-private.h"
#include "driver/migrate-out.h"

#define BANDWIDTH_MAX ((guint64) G_MAXINT64)
#define DOWNTIME_MAX  (G_GUINT64_CONSTANT (2000) * 1000) /* ms, QEMU's own limit */

static gboolean
change (StasisDomain *domain, gint64 bandwidth, gint64 downtime, guint64 *out_bandwidth,
        GError **error)
{
  g_autoptr (StasisStatus) status = stasis_domain_need_status (domain, error);
  g_autoptr (StasisControl) control
      = status != NULL ? stasis_domain_open_control (domain, error) : NULL;
  return control != NULL
         && stasis_control_migrate_limits (control, bandwidth, downtime, out_bandwidth, NULL,
                                           error);
}

static gboolean
check (guint64 value, guint64 max, GError **error)
{
  if (value <= max)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
               _ ("%1$" G_GUINT64_FORMAT " is more than %2$" G_GUINT64_FORMAT), value, max);
  return FALSE;
}

gboolean
stasis_migrate_out_set_downtime (StasisDomain *domain, guint64 downtime_ms, GError **error)
{
  return check (downtime_ms, DOWNTIME_MAX, error)
         && change (domain, -1, (gint64) downtime_ms, NULL, error);
}

gboolean
stasis_migrate_out_set_speed (StasisDomain *domain, guint64 bandwidth, GError **error)
{
  return check (bandwidth, BANDWIDTH_MAX, error)
         && change (domain, (gint64) bandwidth, -1, NULL, error);
}

gboolean
stasis_migrate_out_get_speed (StasisDomain *domain, guint64 *out_bandwidth, GError **error)
{
  return change (domain, -1, -1, out_bandwidth, error);
}
