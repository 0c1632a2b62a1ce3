/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device-plug.c: devices that come to a guest that runs
 *
 * Theory of operation
 *
 * A device that comes is the one that QEMU would have been started with: the files that make QEMU's
 * command line are asked for its options, and each is carried out by the command that does the
 * same, in that order, so the device itself is last.  What fails leaves it to device-settle.c to
 * take away what was there by then, which is what happens to a driver that has died, too.
 */

#include "config.h"

#include "driver/device-plug.h"

#include <string.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/device-settle.h"
#include "driver/disk-writers.h"
#include "driver/resource-open.h"
#include "monitor/commands-fd.h"
#include "monitor/commands-hotplug.h"
#include "util/fault.h"
#include "util/fd.h"

void
stasis_plug_resources_clear (StasisPlugResources *self)
{
  g_clear_pointer (&self->resources, g_ptr_array_unref);
  for (guint i = 0; self->fds != NULL && i < self->fds->len; i++)
    close (g_array_index (self->fds, int, i));
  g_clear_pointer (&self->fds, g_array_unref);
}

static int
keep (int fd_take, gpointer data)
{
  StasisPlugResources *self = data;
  g_array_append_val (self->fds, fd_take);
  return fd_take;
}

static gboolean
is_of (const StasisResource *resource, const StasisDevicePlace *place)
{
  const char *name = g_str_equal (place->kind, "disk")
                         ? ((const StasisDiskDef *) place->item)->target
                         : place->info->alias;
  const char *colon = strchr (resource->key, ':');
  const gboolean is_disk = resource->kind == STASIS_RESOURCE_DISK;
  return colon != NULL && g_str_equal (colon + 1, name)
         && is_disk == g_str_equal (place->kind, "disk");
}

/* Open what it needs. */
gboolean
stasis_plug_resources_open (StasisPlugResources *self, const StasisDeviceGrip *grip,
                            const StasisDomainDef *def, const StasisDevicePlace *place,
                            GError **error)
{
  self->fds = g_array_new (FALSE, FALSE, sizeof (int));
  self->resources = stasis_resources_list (def);
  for (guint i = self->resources->len; i > 0; i--)
    if (!is_of (g_ptr_array_index (self->resources, i - 1), place))
      g_ptr_array_remove_index (self->resources, i - 1);
  const StasisResourceUser user = { .uid = grip->hold->status->uid };
  const StasisResourceTaker taker = { keep, self };
  return stasis_resources_open_into (self->resources, &user, &taker, error);
}

static gboolean
pass_file (const StasisDeviceGrip *grip, StasisResource *resource, const char *mark, GError **error)
{
  gint64 fd = -1;
  if (!stasis_monitor_add_fd (grip->monitor, STASIS_FDSET_NEW, resource->fd, mark, &resource->fdset,
                              &fd, grip->cancellable, error))
    return FALSE;
  resource->fd = (int) fd;
  for (guint i = 0; i < resource->backing->len; i++)
    if (!pass_file (grip, g_ptr_array_index (resource->backing, i), mark, error))
      return FALSE;
  return TRUE;
}

static gboolean
pass_named (const StasisDeviceGrip *grip, StasisResource *resource, GError **error)
{
  if (resource->fd < 0)
    return TRUE;
  resource->name
      = resource->kind == STASIS_RESOURCE_TAP ? STASIS_TAP_FD_NAME : STASIS_VHOST_FD_NAME;
  return stasis_monitor_getfd (grip->monitor, resource->name, resource->fd, grip->cancellable,
                               error);
}

/* Give it to QEMU. */
gboolean
stasis_plug_resources_pass (StasisPlugResources *self, const StasisDeviceGrip *grip,
                            const char *mark, GError **error)
{
  for (guint i = 0; i < self->resources->len; i++)
    {
      StasisResource *resource = g_ptr_array_index (self->resources, i);
      if (resource->fdset >= 0 ? !pass_file (grip, resource, mark, error)
                               : !pass_named (grip, resource, error))
        return FALSE;
    }
  return TRUE;
}

/* As pairs of name and JSON. */
GPtrArray *
stasis_plug_options (const StasisDeviceGrip *grip, const StasisPlugResources *resources,
                     const StasisDomainDef *def, const StasisDevicePlace *place,
                     const char *node_base, GError **error)
{
  g_autoptr (StasisQemuCaps) caps = stasis_driver_get_caps (grip->driver, def->emulator, error);
  if (caps == NULL)
    return NULL;
  g_autoptr (GPtrArray) argv = g_ptr_array_new_with_free_func (g_free);
  const StasisCommandHost host = { .resources = resources->resources };
  StasisArgs args = { .def = def,
                      .caps = caps,
                      .host = &host,
                      .argv = argv,
                      .is_q35 = stasis_domain_def_is_q35 (def),
                      .is_kvm = def->type == STASIS_DOMAIN_TYPE_KVM,
                      .node_base = node_base };
  g_autofree char *name = stasis_device_place_describe (place);
  const gboolean ok = g_str_equal (place->kind, "disk")
                          ? stasis_args_add_disk (&args, place->item, name, error)
                          : stasis_args_add_interface (&args, place->item, name, error);
  return ok ? g_steal_pointer (&argv) : NULL;
}

/* In their order. */
gboolean
stasis_plug_run (const StasisDeviceGrip *grip, const GPtrArray *options, const char *only,
                 GError **error)
{
  for (guint i = 0; i + 1 < options->len; i += 2)
    {
      const char *option = g_ptr_array_index (options, i);
      if (only != NULL && !g_str_equal (option, only))
        continue;
      StasisJson *value = stasis_json_parse (g_ptr_array_index (options, i + 1), -1, error);
      if (value == NULL)
        return FALSE;
      if (g_str_equal (option, "-device") && !stasis_fault ("device-opened", error))
        {
          stasis_json_unref (value);
          return FALSE;
        }
      if (!stasis_monitor_add (grip->monitor, option, value, grip->cancellable, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
is_unplugged (const StasisDevicePlace *place)
{
  return g_str_equal (place->kind, "interface")
         && ((const StasisInterfaceDef *) place->item)->link == STASIS_LINK_DOWN;
}

static gboolean
set_link (const StasisDeviceGrip *grip, const StasisDevicePlace *place, GError **error)
{
  return !is_unplugged (place)
         || (stasis_fault ("device-added", error)
             && stasis_monitor_set_link (grip->monitor, place->info->alias, FALSE,
                                         grip->cancellable, error));
}

/* The host's side may have got a name by now. */
static void
note_tap (const StasisPlugResources *resources, const StasisDevicePlace *place)
{
  for (guint i = 0; i < resources->resources->len; i++)
    {
      const StasisResource *resource = g_ptr_array_index (resources->resources, i);
      StasisInterfaceDef *interface = place->item;
      if (resource->kind != STASIS_RESOURCE_TAP || resource->path == NULL)
        continue;
      g_free (interface->target);
      interface->target = g_strdup (resource->path);
    }
}

static StasisDeviceChange *
make_change (const StasisDevicePlace *place)
{
  StasisDeviceChange *change = stasis_device_change_new (STASIS_CHANGE_PLUG, place->info->alias);
  if (g_str_equal (place->kind, "disk"))
    change->nodes = stasis_disk_node_base (((const StasisDiskDef *) place->item)->target, 0);
  else
    change->netdev = g_strconcat ("host", place->info->alias, NULL);
  change->value = is_unplugged (place);
  return change;
}

static gboolean
add (StasisDeviceGrip *grip, StasisPlugResources *resources, const StasisDomainDef *next,
     const StasisDevicePlace *place, GError **error)
{
  const StasisDeviceChange *change = grip->hold->status->journal.change;
  const char *mark = change->nodes != NULL ? change->nodes : change->netdev;
  if (!stasis_plug_resources_pass (resources, grip, mark, error)
      || !stasis_fault ("device-passed", error))
    return FALSE;
  g_autoptr (GPtrArray) options = stasis_plug_options (grip, resources, next, place, NULL, error);
  return options != NULL && stasis_plug_run (grip, options, NULL, error)
         && set_link (grip, place, error);
}

/* Add it. */
gboolean
stasis_device_plug (StasisDeviceGrip *grip, StasisDomainDef *next_take,
                    const StasisDevicePlace *place, GError **error)
{
  g_autoptr (StasisDomainDef) next = next_take;
  g_auto (StasisPlugResources) resources = { 0 };
  if (!stasis_plug_resources_open (&resources, grip, next, place, error))
    return FALSE;
  g_autofree char *alias = g_strdup (place->info->alias);
  note_tap (&resources, place);
  if (!stasis_device_grip_begin (grip, next, "attach-device", make_change (place), error))
    return FALSE;
  GError *failure = NULL;
  if (!add (grip, &resources, next, place, &failure) && g_str_equal (place->kind, "disk"))
    stasis_disk_writers_explain_disk (grip->driver, place->item, failure);
  if (!stasis_device_grip_end (grip, g_steal_pointer (&next), failure, error))
    return FALSE;
  stasis_device_tell_added (grip->hold->folder, alias);
  return TRUE;
}
