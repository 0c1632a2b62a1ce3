/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * handover-check.c: can this guest get another QEMU while it runs?
 *
 * All reasons against it are told at once, so that people need not try again for each.
 */

#include "config.h"

#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/command.h"
#include "driver/device-unplug.h"
#include "driver/devices.h"
#include "driver/domain-private.h"
#include "driver/handover-fds.h"
#include "driver/handover.h"
#include "driver/migrate-settle.h"
#include "driver/migration-end.h"
#include "driver/shared-ram.h"
#include "driver/vcpus.h"
#include "monitor/commands-migrate.h"
#include "monitor/commands-run.h"
#include "util/fd.h"

#define CAPABILITY "x-ignore-shared"

/* Before 8.1 any shared memory is left out of a migration, after that only what has a name. */
#define NAMED_MAJOR 8u
#define NAMED_MINOR 1u

static void
add (GPtrArray *reasons, char *text_take)
{
  g_ptr_array_add (reasons, text_take);
}

static void
add_error (GPtrArray *reasons, GError **error)
{
  add (reasons, g_strdup ((*error)->message));
  g_clear_error (error);
}

/* (transfer full) (nullable): what QEMU has the memory from. */
static char *
query_backend (const StasisHandover *self, GCancellable *cancellable)
{
  static const char *const names[] = { "pc.ram", "ram0", "mach-virt.ram" };
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *path = g_strconcat ("/objects/", names[i], NULL);
      g_autoptr (StasisJson) reply = NULL;
      StasisJson *arguments = stasis_json_new_object ();
      stasis_json_set_string (arguments, "path", path);
      stasis_json_set_string (arguments, "property", "type");
      if (stasis_monitor_command (self->old, "qom-get", arguments, NULL, 0, 10000, &reply,
                                  cancellable, NULL))
        return g_strdup (stasis_json_string (reply, ""));
    }
  return NULL;
}

static void
check_memory (const StasisHandover *self, GCancellable *cancellable, GPtrArray *reasons)
{
  const StasisMemoryBackingDef *backing = &self->def->memory_backing;
  if (self->hold->status->memory_image != NULL)
    {
      add (reasons, g_strdup_printf (_ ("its memory is mapped from '%s', and what it wrote is "
                                        "private to its QEMU"),
                                     self->hold->status->memory_image));
      return;
    }
  if (backing->hugepages)
    {
      add (reasons, g_strdup (_ ("its memory is of huge pages, which is not built yet")));
      return;
    }
  if (!stasis_shared_ram_is_wanted (self->def))
    {
      add (reasons, g_strdup (_ ("its memory is private to its QEMU: <memoryBacking><source "
                                 "type='memfd'/><access mode='shared'/></memoryBacking> in its "
                                 "definition changes that from its next start on")));
      return;
    }
  const StasisMonitorVersion *version = stasis_monitor_version (self->old);
  const gboolean needs_name = version->major > NAMED_MAJOR
                              || (version->major == NAMED_MAJOR && version->minor >= NAMED_MINOR);
  g_autofree char *backend = needs_name ? query_backend (self, cancellable) : NULL;
  if (backend != NULL && !g_str_equal (backend, "memory-backend-file"))
    {
      add (reasons, g_strdup (_ ("it was started by a version of Stasis whose QEMU made the shared "
                                 "memory by itself: start it anew")));
      return;
    }
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = stasis_shared_ram_open (
      &self->hold->status->qemu, (guint64) stasis_command_ram_size (self->def), &error);
  if (fd < 0)
    add_error (reasons, &error);
}

static void
check_chardevs (const StasisHandover *self, GPtrArray *reasons)
{
  const GPtrArray *const lists[] = { self->def->serials, self->def->parallels, self->def->consoles,
                                     self->def->channels, self->def->redirdevs };
  for (gsize l = 0; l < G_N_ELEMENTS (lists); l++)
    for (guint i = 0; i < lists[l]->len; i++)
      {
        const StasisChardevDef *chardev = g_ptr_array_index (lists[l], i);
        if (chardev->type == STASIS_CHARDEV_TCP && chardev->mode == STASIS_CHARDEV_MODE_BIND)
          add (reasons, g_strdup_printf (_ ("'%1$s' listens on port %2$s, which a second QEMU "
                                            "cannot have"),
                                         chardev->info.alias, chardev->service));
      }
  for (guint i = 0; i < self->def->graphics->len; i++)
    add (reasons,
         g_strdup (_ ("its display has a port, or a socket, which a second QEMU cannot have")));
}

/* What both QEMUs have to share. */
static void
check_descriptors (const StasisHandover *self, GPtrArray *reasons)
{
  g_autoptr (GPtrArray) resources = stasis_resources_list (self->def);
  for (guint i = 0; i < resources->len; i++)
    {
      const StasisResource *resource = g_ptr_array_index (resources, i);
      g_autoptr (GError) error = NULL;
      if (resource->kind != STASIS_RESOURCE_TAP && resource->kind != STASIS_RESOURCE_LISTEN)
        continue;
      stasis_autofd int fd = stasis_handover_fetch (&self->hold->status->qemu, resource, &error);
      if (fd < 0)
        add_error (reasons, &error);
    }
}

static void
check_emulator (StasisHandover *self, GCancellable *cancellable, GPtrArray *reasons)
{
  const char *emulator = self->def->emulator;
  g_autoptr (GError) error = NULL;
  if (!stasis_host_config_allows (self->driver->host, emulator))
    {
      add (reasons, g_strdup_printf (_ ("'%1$s' is not among the emulators that '%2$s' allows"),
                                     emulator, self->driver->host->path));
      return;
    }
  g_autoptr (StasisQemuCaps) caps = stasis_driver_get_caps (self->driver, emulator, &error);
  if (caps == NULL)
    {
      add_error (reasons, &error);
      return;
    }
  if (stasis_qemu_caps_canonical_machine (caps, self->def->os.machine) == NULL)
    add (reasons, g_strdup_printf (_ ("'%1$s' (QEMU %2$s) has no machine '%3$s'"), emulator,
                                   stasis_qemu_caps_version (caps), self->def->os.machine));
  if (!stasis_qemu_caps_has_migration (caps, CAPABILITY))
    add (reasons, g_strdup_printf (_ ("'%1$s' (QEMU %2$s) has no migration capability '%3$s'"),
                                   emulator, stasis_qemu_caps_version (caps), CAPABILITY));
}

static void
check_guest (StasisHandover *self, GCancellable *cancellable, GPtrArray *reasons)
{
  const StasisStatus *status = self->hold->status;
  g_autoptr (GError) error = NULL;
  StasisRunState state;
  const StasisDeviceRequest request = {
    .operation = STASIS_DEVICE_MIGRATE,
    .is_live = TRUE,
    .def = self->def,
    .monitor = self->old,
  };
  if (stasis_status_undecided_reason (status) != NULL)
    add (reasons, g_strdup (stasis_status_undecided_reason (status)));
  if (!stasis_devices_test (&request, &error)
      || !stasis_migration_check_none (self->old, self->name, cancellable, &error)
      || !stasis_vcpus_check_boot (self->def, self->old, cancellable, &error)
      || !stasis_monitor_query_status (self->old, &state, cancellable, &error))
    {
      add_error (reasons, &error);
      return;
    }
  self->was_running = state == STASIS_RUN_STATE_RUNNING || state == STASIS_RUN_STATE_SUSPENDED;
  if (!self->was_running && state != STASIS_RUN_STATE_PAUSED && state != STASIS_RUN_STATE_PRELAUNCH)
    add (reasons, g_strdup_printf (_ ("its guest is in the state '%s'"),
                                   stasis_run_state_to_string (state)));
}

static gboolean
take (StasisHandover *self, StasisDomain *domain, GCancellable *cancellable, GError **error)
{
  self->hold = stasis_hold_take_running (self->driver, self->name, error);
  if (self->hold == NULL)
    return FALSE;
  self->def = stasis_domain_load_live (domain, error);
  self->old = self->def != NULL ? stasis_hold_open_monitor (self->hold, cancellable, error) : NULL;
  if (self->old == NULL
      || !stasis_device_unplug_settle_held (self->driver, self->hold, self->old, self->def, error))
    return FALSE;
  if (self->emulator == NULL)
    return TRUE;
  g_free (self->def->emulator);
  self->def->emulator = g_strdup (self->emulator);
  return TRUE;
}

gboolean
stasis_handover_check (StasisHandover *self, StasisDomain *domain, GCancellable *cancellable,
                       GError **error)
{
  g_autoptr (GPtrArray) reasons = g_ptr_array_new_with_free_func (g_free);
  if (!take (self, domain, cancellable, error))
    return FALSE;
  check_memory (self, cancellable, reasons);
  check_chardevs (self, reasons);
  check_descriptors (self, reasons);
  check_emulator (self, cancellable, reasons);
  check_guest (self, cancellable, reasons);
  if (reasons->len == 0)
    return TRUE;
  g_ptr_array_add (reasons, NULL);
  g_autofree char *text = g_strjoinv ("; ", (char **) reasons->pdata);
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
               _ ("domain '%1$s' cannot be handed over: %2$s"), self->name, text);
  return FALSE;
}
