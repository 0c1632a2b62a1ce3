/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device-qemu.c: what QEMU itself says of a guest that cannot move
 *
 * A device model may block migration (host devices, ivshmem, an invtsc CPU ...).  QEMU tells
 * before anything is begun, in query-migrate's blocked-reasons (QEMU >= 6).
 */

#include "config.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/devices.h"

#define TIMEOUT_MS 10000

static gboolean
test (const StasisDeviceRequest *request, GError **error)
{
  if (request->monitor == NULL)
    return TRUE;

  g_autoptr (StasisJson) reply = NULL;
  if (!stasis_monitor_command (request->monitor, "query-migrate", NULL, NULL, 0, TIMEOUT_MS, &reply,
                               NULL, error))
    return FALSE;
  const StasisJson *reasons = stasis_json_get (reply, "blocked-reasons");
  if (stasis_json_array_length (reasons) == 0)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED,
               request->operation == STASIS_DEVICE_MIGRATE
                   ? _ ("domain '%1$s' cannot migrate: QEMU: %2$s")
                   : _ ("domain '%1$s' cannot be saved: QEMU: %2$s"),
               request->def->name, stasis_json_string (stasis_json_array_get (reasons, 0), "?"));
  return FALSE;
}

static void
recover (const StasisDeviceRequest *request)
{
  /* Nothing was done. */
}

const StasisDeviceOps stasis_device_qemu = {
  "QEMU", test, stasis_devices_no_step, stasis_devices_no_step, stasis_devices_no_step, recover,
};
