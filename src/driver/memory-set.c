/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory-set.c: how much memory a guest has
 */

#include "config.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/device-grip.h"
#include "monitor/commands-query.h"

#define OCTETS_PER_KIB 1024

static gboolean throw (GError * *error, int code, const char *message)
{
  g_set_error_literal (error, STASIS_ERROR, code, message);
  return FALSE;
}

static gboolean
check_amount (guint64 kib, gint64 maximum, GError **error)
{
  return kib <= (guint64) maximum
         || throw (error, STASIS_ERROR_INVALID_ARGUMENT,
                   _ ("cannot set memory higher than the maximum memory"));
}

static gboolean
has_balloon (const StasisDomainDef *def)
{
  for (guint i = 0; i < def->balloons->len; i++)
    {
      const StasisBalloonDef *balloon = g_ptr_array_index (def->balloons, i);
      if (balloon->model != STASIS_BALLOON_NONE && balloon->model != STASIS_BALLOON_UNSET)
        return TRUE;
    }
  return FALSE;
}

static gboolean
change_config (StasisDeviceGrip *grip, guint64 kib, gboolean is_maximum, GError **error)
{
  StasisDomainDef *def = grip->config;
  if (!is_maximum && !check_amount (kib, def->memory, error))
    return FALSE;
  if (is_maximum)
    {
      def->memory = (gint64) kib;
      def->current_memory = MIN (def->current_memory, def->memory);
    }
  else
    def->current_memory = (gint64) kib;
  return stasis_device_grip_complete_config (grip, error);
}

static gboolean
check_live (const StasisDeviceGrip *grip, guint64 kib, gboolean is_maximum, GError **error)
{
  if (is_maximum)
    return throw (error, STASIS_ERROR_INVALID_STATE,
                  _ ("cannot resize the maximum memory of a domain that runs"));
  if (!has_balloon (grip->live))
    return throw (error, STASIS_ERROR_INVALID_STATE,
                  _ ("the memory of a domain that runs cannot be changed without a balloon device "
                     "(memballoon)"));
  return check_amount (kib, grip->live->memory, error);
}

static gboolean
change_live (StasisDeviceGrip *grip, guint64 kib, GError **error)
{
  g_autoptr (StasisDomainDef) next = stasis_device_grip_copy_live (grip);
  StasisDeviceChange *change = stasis_device_change_new (STASIS_CHANGE_MEMORY, NULL);
  change->value = kib * OCTETS_PER_KIB;
  next->current_memory = (gint64) kib;
  if (!stasis_device_grip_begin (grip, next, "setmem", change, error))
    return FALSE;
  GError *failure = NULL;
  stasis_monitor_balloon (grip->monitor, change->value, grip->cancellable, &failure);
  return stasis_device_grip_end (grip, g_steal_pointer (&next), failure, error);
}

/**
 * stasis_domain_set_memory:
 * @self: a domain
 * @kib: how much, in KiB
 * @flags: what is changed; with %STASIS_AFFECT_MAXIMUM how much it may have at most, in its
 *   definition
 * @cancellable: (nullable): stops waiting
 * @error: return location
 *
 * Sets the balloon of a running guest, which gives memory back, or takes it, in its own time.
 *
 * Returns: %TRUE if it was told
 */
gboolean
stasis_domain_set_memory (StasisDomain *self, guint64 kib, StasisAffectFlags flags,
                          GCancellable *cancellable, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->set_memory (self, kib, flags, cancellable, error);

  const gboolean is_maximum = (flags & STASIS_AFFECT_MAXIMUM) != 0;
  g_auto (StasisDeviceGrip) grip = { 0 };
  if (kib == 0 || kib > G_MAXINT64 / OCTETS_PER_KIB)
    return throw (error, STASIS_ERROR_INVALID_ARGUMENT, _ ("no such amount of memory"));
  return stasis_device_grip_take (&grip, self, flags, STASIS_AFFECT_MAXIMUM, cancellable, error)
         && (grip.config == NULL || change_config (&grip, kib, is_maximum, error))
         && (grip.live == NULL || check_live (&grip, kib, is_maximum, error))
         && (grip.live == NULL || change_live (&grip, kib, error))
         && stasis_device_grip_store (&grip, error);
}
