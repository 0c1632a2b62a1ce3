/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * foreign-writers.c: who else writes to a guest's memory, past QEMU
 *
 * What is saved from outside QEMU knows of writes by QEMU's page tables (dirty-track.c).  A device
 * of the host's that was given to the guest writes past them, and a process that shares the memory
 * has tables of its own.  The state of the first is besides no part of what QEMU says of its
 * devices without a migration.  We define none of them; <qemu:commandline>, or somebody at the
 * monitor, may. So QEMU is asked what it has, by the names of the types, rather than its command
 * line.
 */

#include "config.h"

#include "driver/foreign-writers.h"

#include <string.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "monitor/commands-query.h"

#define TIMEOUT_MS 10000

/* Where -device and device_add put what they make. */
static const char *const places[] = { "/machine/peripheral", "/machine/peripheral-anon" };

/* How the types of such devices begin.  What the kernel does for vhost-net and vhost-vsock goes by
 * QEMU's tables. */
static const char *const devices[] = {
  "vfio-",      /* a device of the host */
  "vhost-user", /* another process */
  "vhost-vdpa", /* hardware */
  "vhost-scsi", /* the kernel, as direct I/O */
  "ivshmem",    /* other guests */
  "x-pci-proxy-dev", "pvrdma",
};

static const char *const networks[] = { "vhost-user", "vhost-vdpa" };

static const char *const drivers[] = {
  "nvme",
  "virtio-blk-vfio-pci",
  "virtio-blk-vhost-user",
  "virtio-blk-vhost-vdpa",
};

static gboolean
throw_writer (GError **error, const char *name, const char *kind)
{
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
               _ ("what '%1$s' (%2$s) writes to the guest's memory cannot be seen"), name, kind);
  return FALSE;
}

static gboolean
ask (StasisMonitor *monitor, const char *command, const char *key, const char *value,
     StasisJson **out_reply, GCancellable *cancellable, GError **error)
{
  StasisJson *arguments = stasis_json_new_object ();
  if (key != NULL)
    stasis_json_set_string (arguments, key, value);
  return stasis_monitor_command (monitor, command, arguments, NULL, 0, TIMEOUT_MS, out_reply,
                                 cancellable, error);
}

/* A device is a property of its place, of the type "child<its type>". */
static gboolean
check_device (const StasisJson *property, GError **error)
{
  const char *type = stasis_json_string (stasis_json_get (property, "type"), "");
  if (!g_str_has_prefix (type, "child<"))
    return TRUE;
  g_autofree char *kind
      = g_strndup (type + strlen ("child<"), strcspn (type, ">") - strlen ("child<"));
  for (gsize i = 0; i < G_N_ELEMENTS (devices); i++)
    if (g_str_has_prefix (kind, devices[i]))
      return throw_writer (error, stasis_json_string (stasis_json_get (property, "name"), "?"),
                           kind);
  return TRUE;
}

static gboolean
check_devices (StasisMonitor *monitor, const char *place, GCancellable *cancellable, GError **error)
{
  g_autoptr (StasisJson) reply = NULL;
  if (!ask (monitor, "qom-list", "path", place, &reply, cancellable, error))
    return FALSE;
  for (guint i = 0; i < stasis_json_array_length (reply); i++)
    if (!check_device (stasis_json_array_get (reply, i), error))
      return FALSE;
  return TRUE;
}

static gboolean
check_disks (StasisMonitor *monitor, GCancellable *cancellable, GError **error)
{
  g_autoptr (StasisJson) reply = NULL;
  if (!ask (monitor, "query-named-block-nodes", NULL, NULL, &reply, cancellable, error))
    return FALSE;
  for (guint i = 0; i < stasis_json_array_length (reply); i++)
    {
      const StasisJson *node = stasis_json_array_get (reply, i);
      const char *driver = stasis_json_string (stasis_json_get (node, "drv"), "");
      for (gsize n = 0; n < G_N_ELEMENTS (drivers); n++)
        if (g_str_equal (driver, drivers[n]))
          return throw_writer (error, stasis_json_string (stasis_json_get (node, "node-name"), "?"),
                               driver);
    }
  return TRUE;
}

/* A line is "ID: index=0,type=KIND,...", behind " \ " where it is the peer of the one above. */
char *
stasis_foreign_writers_find_net (const char *text, const char **out_kind)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  for (gsize i = 0; lines[i] != NULL; i++)
    for (gsize n = 0; n < G_N_ELEMENTS (networks); n++)
      {
        const char *line = lines[i] + strspn (lines[i], " \\");
        g_autofree char *type = g_strdup_printf (",type=%s,", networks[n]);
        const char *end = strstr (line, ": index=");
        if (end == NULL || strstr (end, type) == NULL)
          continue;
        *out_kind = networks[n];
        return g_strndup (line, (gsize) (end - line));
      }
  return NULL;
}

static gboolean
check_networks (StasisMonitor *monitor, GCancellable *cancellable, GError **error)
{
  g_autofree char *text = stasis_monitor_hmp (monitor, "info network", cancellable, error);
  const char *kind = NULL;
  g_autofree char *name = text != NULL ? stasis_foreign_writers_find_net (text, &kind) : NULL;
  if (name != NULL)
    return throw_writer (error, name, kind);
  return text != NULL;
}

/* Whether there is nobody. */
gboolean
stasis_foreign_writers_check (StasisMonitor *monitor, GCancellable *cancellable, GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (places); i++)
    if (!check_devices (monitor, places[i], cancellable, error))
      return FALSE;
  return check_disks (monitor, cancellable, error) && check_networks (monitor, cancellable, error);
}
