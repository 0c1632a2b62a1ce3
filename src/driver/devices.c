/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * devices.c: the table of external devices
 *
 * The semantics are those of Xen's external device migration (2006): each step is asked of all
 * devices before the next one begins, and step 0 of all before anything else happens: no file,
 * no pause, no connection.
 */

#include "config.h"

#include "driver/devices.h"

#include <glib/gi18n-lib.h>

static const StasisDeviceOps *const handlers[] = {
  &stasis_device_disk,
  &stasis_device_qemu,
};

/* Step 0 of all handlers. */
gboolean
stasis_devices_test (const StasisDeviceRequest *request, GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (handlers); i++)
    if (!handlers[i]->test (request, error))
      return FALSE;
  return TRUE;
}

/* Step 1. */
gboolean
stasis_devices_prepare (const StasisDeviceRequest *request, GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (handlers); i++)
    if (!handlers[i]->prepare (request, error))
      return FALSE;
  return TRUE;
}

/* Step 2. */
gboolean
stasis_devices_transfer (const StasisDeviceRequest *request, GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (handlers); i++)
    if (!handlers[i]->transfer (request, error))
      return FALSE;
  return TRUE;
}

/* Step 3. */
gboolean
stasis_devices_sync (const StasisDeviceRequest *request, GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (handlers); i++)
    if (!handlers[i]->sync (request, error))
      return FALSE;
  return TRUE;
}

gboolean
stasis_devices_no_step (const StasisDeviceRequest *request, GError **error)
{
  return TRUE;
}

/* After a failure, in reverse order. */
void
stasis_devices_recover (const StasisDeviceRequest *request)
{
  for (gsize i = G_N_ELEMENTS (handlers); i-- > 0;)
    handlers[i]->recover (request);
}
