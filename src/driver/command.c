/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command.c: from a definition to QEMU's command line; the order of it all
 *
 * Theory of operation
 *
 * The guest must see the same machine that libvirt would give it, so that a state saved here or
 * there fits the other: the same devices at the same places, in the same order where QEMU counts
 * them.  What only the host sees differs: everything that has a name on the host comes as a
 * descriptor, opened by the driver (resource.h).
 *
 * No I/O here, and nothing is left out: what a definition asks for and these files cannot
 * express is STASIS_ERROR_UNSUPPORTED with its place in the XML.
 */

#include "config.h"

#include "driver/command.h"

#include "driver/command-private.h"

#define SANDBOX "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"

static gboolean
add_start (StasisArgs *args, GError **error)
{
  g_autoptr (GString) name = g_string_new (NULL);
  stasis_args_append (name, "guest", args->def->name);
  g_string_append (name, ",debug-threads=on");
  stasis_args_add (args, "-name", name->str);
  stasis_args_add (args, "-S", NULL);
  stasis_args_add (args, "-no-user-config", NULL);
  stasis_args_add (args, "-nodefaults", NULL);
  stasis_args_add (args, "-display", "none"); /* besides VNC */
  return TRUE;
}

/* Before anything that names /dev/fdset/N. */
static void
add_fd_set (StasisArgs *args, const StasisResource *resource, const char *key)
{
  if (resource->fdset < 0 || resource->fd < 0)
    return;

  g_autoptr (GString) value = g_string_new (NULL);
  g_string_append_printf (value, "set=%" G_GINT64_FORMAT ",fd=%d", resource->fdset, resource->fd);
  stasis_args_append (value, "opaque", key);
  stasis_args_add (args, "-add-fd", value->str);
}

static gboolean
add_fd_sets (StasisArgs *args, GError **error)
{
  for (guint i = 0; i < args->host->resources->len; i++)
    {
      const StasisResource *resource = args->host->resources->pdata[i];
      add_fd_set (args, resource, resource->key);
      for (guint k = 0; k < resource->backing->len; k++)
        {
          g_autofree char *key = g_strdup_printf ("%s:%u", resource->key, k + 1);
          add_fd_set (args, resource->backing->pdata[k], key);
        }
    }
  return TRUE;
}

static gboolean
add_monitors (StasisArgs *args, GError **error)
{
  const struct
  {
    const char *id;
    int fd;
  } monitors[]
      = { { "monitor", args->host->monitor_fd }, { "supervisor", args->host->supervisor_fd } };

  for (gsize i = 0; i < G_N_ELEMENTS (monitors); i++)
    {
      if (monitors[i].fd < 0)
        continue;
      stasis_args_add_printf (args, "-chardev", "socket,id=char%s,fd=%d,server=on,wait=off",
                              monitors[i].id, monitors[i].fd);
      stasis_args_add_printf (args, "-mon", "chardev=char%s,id=%s,mode=control", monitors[i].id,
                              monitors[i].id);
    }
  return TRUE;
}

/* What the guest does to itself stays for the supervisor to decide: QEMU only pauses. */
static gboolean
add_lifecycle (StasisArgs *args, GError **error)
{
  const StasisLifecycleAction on_reboot = args->def->on_reboot;

  stasis_args_add (args, "-no-shutdown", NULL);
  if (on_reboot == STASIS_LIFECYCLE_DESTROY || on_reboot == STASIS_LIFECYCLE_PRESERVE)
    stasis_args_add (args, "-action", "reboot=shutdown");
  return TRUE;
}

static gboolean
add_end (StasisArgs *args, GError **error)
{
  if (args->host->is_incoming)
    stasis_args_add (args, "-incoming", "defer");
  stasis_args_add (args, "-sandbox", SANDBOX);
  stasis_args_add (args, "-msg", "timestamp=on");
  for (guint i = 0; i < args->def->qemu_args->len; i++)
    stasis_args_add (args, ((StasisQemuArgDef *) args->def->qemu_args->pdata[i])->value, NULL);
  return TRUE;
}

static gboolean (*const themes[]) (StasisArgs *args, GError **error) = {
  add_start,
  add_fd_sets,
  stasis_args_add_firmware,
  stasis_args_add_machine,
  stasis_args_add_cpu,
  stasis_args_add_memory,
  stasis_args_add_generation_id,
  add_monitors,
  stasis_args_add_clock,
  add_lifecycle,
  stasis_args_add_boot,
  stasis_args_add_controllers,
  stasis_args_add_hubs,
  stasis_args_add_disks,
  stasis_args_add_interfaces,
  stasis_args_add_chardevs,
  stasis_args_add_inputs,
  stasis_args_add_displays,
  stasis_args_add_devices,
  add_end,
};

/* The arguments behind the emulator's name. */
GStrv
stasis_command_build (const StasisDomainDef *def, const StasisQemuCaps *caps,
                      const StasisCommandHost *host, GError **error)
{
  g_autoptr (GPtrArray) argv = g_ptr_array_new_with_free_func (g_free);
  StasisArgs args = { .def = def,
                      .caps = caps,
                      .host = host,
                      .argv = argv,
                      .is_q35 = stasis_domain_def_is_q35 (def),
                      .is_kvm = def->type == STASIS_DOMAIN_TYPE_KVM };

  for (gsize i = 0; i < G_N_ELEMENTS (themes); i++)
    if (!themes[i](&args, error))
      return NULL;
  g_ptr_array_add (argv, NULL);
  return (GStrv) g_ptr_array_steal (argv, NULL);
}
