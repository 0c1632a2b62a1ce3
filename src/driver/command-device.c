/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command-device.c: hubs, inputs, watchdog, balloon, random numbers, panic, generation id
 */

#include "config.h"

#include "driver/command-private.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

static gboolean
throw_unsupported (const char *place, const char *value, GError **error)
{
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
               _ ("%1$s: '%2$s' is not supported here"), place, value);
  return FALSE;
}

/* The address, then the option; @device_take is consumed. */
static gboolean
finish (StasisArgs *args, StasisJson *device_take, const StasisDeviceInfo *info, const char *place,
        GError **error)
{
  g_autoptr (StasisJson) device = device_take;
  if (device == NULL || !stasis_args_set_address (args, device, info, place, error))
    return FALSE;
  stasis_args_add_json (args, "-device", g_steal_pointer (&device));
  return TRUE;
}

static gboolean
add_hub (StasisArgs *args, gconstpointer item, const char *place, GError **error)
{
  const StasisHubDef *hub = item;
  return finish (args, stasis_args_device (args, "usb-hub", &hub->info, place, error), &hub->info,
                 place, error);
}

/* PS/2 mouse and keyboard are the machine's own. */
static gboolean
add_input (StasisArgs *args, gconstpointer item, const char *place, GError **error)
{
  static const char *const usb[] = {
    [STASIS_INPUT_MOUSE] = "usb-mouse",
    [STASIS_INPUT_TABLET] = "usb-tablet",
    [STASIS_INPUT_KEYBOARD] = "usb-kbd",
  };
  static const char *const virtio[] = {
    [STASIS_INPUT_MOUSE] = "virtio-mouse-pci",
    [STASIS_INPUT_TABLET] = "virtio-tablet-pci",
    [STASIS_INPUT_KEYBOARD] = "virtio-keyboard-pci",
  };
  const StasisInputDef *input = item;

  if (input->bus == STASIS_INPUT_BUS_PS2 || input->type == STASIS_INPUT_UNSET)
    return TRUE;
  if (input->model == STASIS_VIRTIO_TRANSITIONAL)
    return throw_unsupported (place, "virtio-transitional", error);
  const char *driver
      = input->bus == STASIS_INPUT_BUS_VIRTIO ? virtio[input->type] : usb[input->type];
  return finish (args, stasis_args_device (args, driver, &input->info, place, error), &input->info,
                 place, error);
}

static const char *
watchdog_action (StasisWatchdogAction action)
{
  switch (action)
    {
    case STASIS_WATCHDOG_ACTION_UNSET:
    case STASIS_WATCHDOG_ACTION_DUMP:
      return NULL;
    default:
      return stasis_watchdog_action_names[action];
    }
}

/* The q35 has its iTCO built in. */
static gboolean
add_watchdog (StasisArgs *args, gconstpointer item, const char *place, GError **error)
{
  const StasisWatchdogDef *watchdog = item;
  const char *action = watchdog_action (watchdog->action);

  if (watchdog->model == STASIS_WATCHDOG_ITCO && !args->is_q35)
    return throw_unsupported (place, "itco", error);
  if (watchdog->model != STASIS_WATCHDOG_ITCO
      && !finish (args, stasis_args_device (args, "i6300esb", &watchdog->info, place, error),
                  &watchdog->info, place, error))
    return FALSE;
  if (watchdog->action == STASIS_WATCHDOG_ACTION_DUMP)
    return throw_unsupported (place, "dump", error);
  if (action != NULL)
    stasis_args_add_printf (args, "-action", "watchdog=%s", action);
  return TRUE;
}

static gboolean
add_balloon (StasisArgs *args, gconstpointer item, const char *place, GError **error)
{
  static const StasisVirtioModel models[] = {
    [STASIS_BALLOON_VIRTIO] = STASIS_VIRTIO_PLAIN,
    [STASIS_BALLOON_VIRTIO_TRANSITIONAL] = STASIS_VIRTIO_TRANSITIONAL,
    [STASIS_BALLOON_VIRTIO_NON_TRANSITIONAL] = STASIS_VIRTIO_NON_TRANSITIONAL,
  };
  const StasisBalloonDef *balloon = item;

  if (balloon->model == STASIS_BALLOON_NONE || balloon->model == STASIS_BALLOON_UNSET)
    return TRUE;
  StasisJson *device = stasis_args_virtio_device (
      args, "virtio-balloon-pci", models[balloon->model], &balloon->info, place, error);
  if (device == NULL)
    return FALSE;
  stasis_args_set_tristate (device, "deflate-on-oom", balloon->autodeflate);
  stasis_args_set_tristate (device, "free-page-reporting", balloon->free_page_reporting);
  return finish (args, device, &balloon->info, place, error);
}

static gboolean
add_rng (StasisArgs *args, gconstpointer item, const char *place, GError **error)
{
  const StasisRngDef *rng = item;
  StasisJson *device
      = stasis_args_virtio_device (args, "virtio-rng-pci", rng->model, &rng->info, place, error);
  if (device == NULL)
    return FALSE;

  g_autofree char *id = g_strconcat ("obj", rng->info.alias, NULL);
  StasisJson *object = stasis_json_new_object ();
  stasis_json_set_string (object, "qom-type",
                          rng->backend == STASIS_RNG_BUILTIN ? "rng-builtin" : "rng-random");
  stasis_json_set_string (object, "id", id);
  if (rng->backend == STASIS_RNG_RANDOM)
    stasis_json_set_string (object, "filename", rng->source != NULL ? rng->source : "/dev/urandom");
  stasis_args_add_json (args, "-object", object);

  stasis_json_set_string (device, "rng", id);
  stasis_args_set_number (device, "max-bytes", rng->rate_bytes);
  if (rng->rate_bytes != STASIS_UNSET)
    stasis_json_set_int (device, "period", rng->rate_period > 0 ? rng->rate_period : 1000);
  return finish (args, device, &rng->info, place, error);
}

/* Hyper-V's is a bit of the CPU (command-cpu.c). */
static gboolean
add_panic (StasisArgs *args, gconstpointer item, const char *place, GError **error)
{
  const StasisPanicDef *panic = item;

  if (panic->model == STASIS_PANIC_HYPERV)
    return TRUE;
  const char *driver = panic->model == STASIS_PANIC_PVPANIC ? "pvpanic-pci" : "pvpanic";
  StasisJson *device = stasis_args_device (args, driver, &panic->info, place, error);
  if (device == NULL)
    return FALSE;
  if (panic->info.address.type == STASIS_ADDRESS_ISA)
    {
      stasis_args_set_number (device, "ioport", panic->info.address.iobase);
      stasis_args_add_json (args, "-device", device);
      return TRUE;
    }
  return finish (args, device, &panic->info, place, error);
}

static gboolean
add_redirdev (StasisArgs *args, gconstpointer item, const char *place, GError **error)
{
  return throw_unsupported (place, "redirdev", error);
}

/* The guest notices by it that it runs from a copy of its state. */
gboolean
stasis_args_add_generation_id (StasisArgs *args, GError **error)
{
  if (args->def->genid == NULL)
    return TRUE;
  StasisJson *device = stasis_args_device (args, "vmgenid", NULL, "/domain/genid", error);
  if (device == NULL)
    return FALSE;
  stasis_json_set_string (device, "id", "vmgenid0");
  stasis_json_set_string (device, "guid", args->def->genid);
  stasis_args_add_json (args, "-device", device);
  return TRUE;
}

typedef struct
{
  const GPtrArray *list;
  const char *name; /* in the XML */
  gboolean (*add) (StasisArgs *, gconstpointer, const char *, GError **);
} Kind;

static gboolean
add_kind (StasisArgs *args, const Kind *kind, GError **error)
{
  for (guint i = 0; i < kind->list->len; i++)
    {
      g_autofree char *place = g_strdup_printf ("/domain/devices/%s[%u]", kind->name, i + 1);
      if (!kind->add (args, kind->list->pdata[i], place, error))
        return FALSE;
    }
  return TRUE;
}

/* Before all that may hang on them. */
gboolean
stasis_args_add_hubs (StasisArgs *args, GError **error)
{
  const Kind hubs = { args->def->hubs, "hub", add_hub };
  return add_kind (args, &hubs, error);
}

gboolean
stasis_args_add_inputs (StasisArgs *args, GError **error)
{
  const Kind inputs = { args->def->inputs, "input", add_input };
  return add_kind (args, &inputs, error);
}

/* What is left. */
gboolean
stasis_args_add_devices (StasisArgs *args, GError **error)
{
  const Kind kinds[] = {
    { args->def->watchdogs, "watchdog", add_watchdog },
    { args->def->balloons, "memballoon", add_balloon },
    { args->def->rngs, "rng", add_rng },
    { args->def->panics, "panic", add_panic },
    { args->def->redirdevs, "redirdev", add_redirdev },
  };

  for (gsize k = 0; k < G_N_ELEMENTS (kinds); k++)
    if (!add_kind (args, &kinds[k], error))
      return FALSE;
  return TRUE;
}
