/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-query.c: ask QEMU what it has
 */

#include "config.h"

#include "monitor/commands-query.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "monitor/commands-private.h"

/* NULL is fine, so for the next three. */
void
stasis_monitor_cpu_free (StasisMonitorCpu *cpu)
{
  if (cpu == NULL)
    return;

  g_free (cpu->qom_path);
  g_free (cpu);
}

void
stasis_monitor_block_free (StasisMonitorBlock *block)
{
  if (block == NULL)
    return;

  g_free (block->device);
  g_free (block->qdev);
  g_free (block->node_name);
  g_free (block->file);
  g_free (block->driver);
  g_free (block);
}

/* QEMU says the device's id, or its path, which has the id in it. */
gboolean
stasis_monitor_block_is_of (const StasisMonitorBlock *block, const char *id)
{
  g_auto (GStrv) parts = block->qdev != NULL ? g_strsplit (block->qdev, "/", -1) : NULL;
  return parts != NULL && g_strv_contains ((const char *const *) parts, id);
}

void
stasis_monitor_chardev_free (StasisMonitorChardev *chardev)
{
  if (chardev == NULL)
    return;

  g_free (chardev->label);
  g_free (chardev->filename);
  g_free (chardev->pty);
  g_free (chardev);
}

void
stasis_monitor_vnc_free (StasisMonitorVnc *vnc)
{
  if (vnc == NULL)
    return;

  g_free (vnc->display);
  g_free (vnc->host);
  g_free (vnc->service);
  g_free (vnc->family);
  g_free (vnc);
}

static char *
dup_member (const StasisJson *object, const char *key)
{
  return g_strdup (stasis_json_string (stasis_json_get (object, key), NULL));
}

static gboolean
boolean_member (const StasisJson *object, const char *key)
{
  return stasis_json_boolean (stasis_json_get (object, key), FALSE);
}

/* How one kind of list is asked for and read. */
typedef struct
{
  const char *command;
  GDestroyNotify free_item;
  /* Append what one element holds; FALSE sets the error. */
  gboolean (*add) (GPtrArray *items, const StasisJson *element, GError **error);
} ListKind;

static GPtrArray *
query_list (StasisMonitor *monitor, const ListKind *kind, const char *context,
            GCancellable *cancellable, GError **error)
{
  g_autoptr (StasisJson) list
      = stasis_command_run_list (monitor, kind->command, context, cancellable, error);
  if (list == NULL)
    return NULL;

  g_autoptr (GPtrArray) items = g_ptr_array_new_with_free_func (kind->free_item);
  g_autoptr (GError) fault = NULL;
  for (guint i = 0; i < stasis_json_array_length (list); i++)
    if (!kind->add (items, stasis_json_array_get (list, i), &fault))
      {
        stasis_command_throw_reply (kind->command, context, fault, error);
        return NULL;
      }
  return g_steal_pointer (&items);
}

static gboolean
add_cpu (GPtrArray *items, const StasisJson *element, GError **error)
{
  guint64 index = 0;
  if (!stasis_json_need_uint (element, "cpu-index", &index, error))
    return FALSE;
  StasisMonitorCpu *cpu = g_new0 (StasisMonitorCpu, 1);
  cpu->index = (guint) index;
  cpu->thread_id = stasis_json_int (stasis_json_get (element, "thread-id"), -1);
  cpu->qom_path = dup_member (element, "qom-path");
  g_ptr_array_add (items, cpu);
  return TRUE;
}

static void
free_cpu (gpointer cpu)
{
  stasis_monitor_cpu_free (cpu);
}

/* The virtual CPUs and their threads. */
GPtrArray *
stasis_monitor_query_cpus (StasisMonitor *monitor, GCancellable *cancellable, GError **error)
{
  static const ListKind kind = { "query-cpus-fast", free_cpu, add_cpu };
  return query_list (monitor, &kind, _ ("cannot ask for the guest's CPUs"), cancellable, error);
}

static gboolean
add_block (GPtrArray *items, const StasisJson *element, GError **error)
{
  const StasisJson *inserted = stasis_json_get (element, "inserted");
  const StasisJson *image = stasis_json_get (inserted, "image");
  StasisMonitorBlock *block = g_new0 (StasisMonitorBlock, 1);
  block->device = dup_member (element, "device");
  block->qdev = dup_member (element, "qdev");
  block->node_name = dup_member (inserted, "node-name");
  block->file = dup_member (inserted, "file");
  block->driver = dup_member (inserted, "drv");
  block->is_read_only = boolean_member (inserted, "ro");
  const char *io_status = stasis_json_string (stasis_json_get (element, "io-status"), "ok");
  block->has_failed = !g_str_equal (io_status, "ok");
  block->virtual_size = stasis_json_uint (stasis_json_get (image, "virtual-size"), 0);
  g_ptr_array_add (items, block);
  return TRUE;
}

static void
free_block (gpointer block)
{
  stasis_monitor_block_free (block);
}

/* The block devices, those without a medium too. */
GPtrArray *
stasis_monitor_query_block (StasisMonitor *monitor, GCancellable *cancellable, GError **error)
{
  static const ListKind kind = { "query-block", free_block, add_block };
  return query_list (monitor, &kind, _ ("cannot ask for the guest's disks"), cancellable, error);
}

static gboolean
add_chardev (GPtrArray *items, const StasisJson *element, GError **error)
{
  const char *label = NULL;
  const char *filename = NULL;
  if (!stasis_json_need_string (element, "label", &label, error)
      || !stasis_json_need_string (element, "filename", &filename, error))
    return FALSE;
  StasisMonitorChardev *chardev = g_new0 (StasisMonitorChardev, 1);
  chardev->label = g_strdup (label);
  chardev->filename = g_strdup (filename);
  if (g_str_has_prefix (filename, "pty:"))
    chardev->pty = g_strdup (filename + strlen ("pty:"));
  chardev->is_open = boolean_member (element, "frontend-open");
  g_ptr_array_add (items, chardev);
  return TRUE;
}

static void
free_chardev (gpointer chardev)
{
  stasis_monitor_chardev_free (chardev);
}

/* The character devices; here QEMU tells which pty it got. */
GPtrArray *
stasis_monitor_query_chardev (StasisMonitor *monitor, GCancellable *cancellable, GError **error)
{
  static const ListKind kind = { "query-chardev", free_chardev, add_chardev };
  return query_list (monitor, &kind, _ ("cannot ask for QEMU's character devices"), cancellable,
                     error);
}

static gboolean
add_vnc_server (GPtrArray *items, const char *display, const StasisJson *server, GError **error)
{
  const char *host = NULL;
  const char *service = NULL;
  const char *family = NULL;
  if (!stasis_json_need_string (server, "host", &host, error)
      || !stasis_json_need_string (server, "service", &service, error)
      || !stasis_json_need_string (server, "family", &family, error))
    return FALSE;

  /* QEMU puts the path of a unix socket where the port belongs. */
  const gboolean is_unix = g_str_equal (family, "unix");
  StasisMonitorVnc *vnc = g_new0 (StasisMonitorVnc, 1);
  vnc->display = g_strdup (display);
  vnc->host = g_strdup (is_unix && *host == '\0' ? service : host);
  vnc->service = g_strdup (is_unix ? "" : service);
  vnc->family = g_strdup (family);
  vnc->is_websocket = boolean_member (server, "websocket");
  g_ptr_array_add (items, vnc);
  return TRUE;
}

static gboolean
add_vnc (GPtrArray *items, const StasisJson *element, GError **error)
{
  const char *display = NULL;
  if (!stasis_json_need_string (element, "id", &display, error))
    return FALSE;
  const StasisJson *servers = stasis_json_get (element, "server");
  for (guint i = 0; i < stasis_json_array_length (servers); i++)
    if (!add_vnc_server (items, display, stasis_json_array_get (servers, i), error))
      return FALSE;
  return TRUE;
}

static void
free_vnc (gpointer vnc)
{
  stasis_monitor_vnc_free (vnc);
}

/* Where VNC listens. */
GPtrArray *
stasis_monitor_query_vnc (StasisMonitor *monitor, GCancellable *cancellable, GError **error)
{
  static const ListKind kind = { "query-vnc-servers", free_vnc, add_vnc };
  g_autoptr (GError) fault = NULL;
  GPtrArray *servers
      = query_list (monitor, &kind, _ ("cannot ask where VNC listens"), cancellable, &fault);
  if (servers != NULL)
    return servers;

  if (g_error_matches (fault, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_UNSUPPORTED))
    return g_ptr_array_new_with_free_func (free_vnc);
  g_propagate_error (error, g_steal_pointer (&fault));
  return NULL;
}

/* What a CPU model means to this QEMU. */
StasisJson *
stasis_monitor_query_cpu_model_expansion (StasisMonitor *monitor, const char *type,
                                          const char *model, StasisJson *properties_take,
                                          GCancellable *cancellable, GError **error)
{
  const StasisCommand query = { "query-cpu-model-expansion",
                                _ ("cannot ask what the CPU model means"), STASIS_COMMAND_MS, -1 };
  StasisJson *wanted = stasis_json_new_object ();
  stasis_json_set_string (wanted, "name", model);
  if (properties_take != NULL)
    stasis_json_set (wanted, "props", properties_take);
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_string (arguments, "type", type);
  stasis_json_set (arguments, "model", wanted);
  g_autoptr (StasisJson) reply = NULL;
  if (!stasis_command_run (monitor, &query, arguments, &reply, cancellable, error))
    return NULL;

  const StasisJson *expanded = stasis_json_get (reply, "model");
  const char *name = NULL;
  g_autoptr (GError) fault = NULL;
  if (!stasis_json_need_string (expanded, "name", &name, &fault))
    {
      stasis_command_throw_reply (query.command, query.context, fault, error);
      return NULL;
    }
  return stasis_json_ref ((StasisJson *) expanded);
}

/* Whose processors they are. */
gboolean
stasis_monitor_query_kvm (StasisMonitor *monitor, gboolean *out_is_kvm, GCancellable *cancellable,
                          GError **error)
{
  const StasisCommand query
      = { "query-kvm", _ ("cannot ask what runs the guest's processors"), STASIS_COMMAND_MS, -1 };
  g_autoptr (StasisJson) reply = NULL;
  if (!stasis_command_run (monitor, &query, NULL, &reply, cancellable, error))
    return FALSE;

  g_autoptr (GError) fault = NULL;
  if (!stasis_json_need_boolean (reply, "enabled", out_is_kvm, &fault))
    return stasis_command_throw_reply (query.command, query.context, fault, error);
  return TRUE;
}

/* The guest's memory as the balloon has it. */
gboolean
stasis_monitor_query_balloon (StasisMonitor *monitor, guint64 *out_actual,
                              GCancellable *cancellable, GError **error)
{
  const StasisCommand query
      = { "query-balloon", _ ("cannot ask for the balloon's size"), STASIS_COMMAND_MS, -1 };
  g_autoptr (StasisJson) reply = NULL;
  if (!stasis_command_run (monitor, &query, NULL, &reply, cancellable, error))
    return FALSE;

  g_autoptr (GError) fault = NULL;
  if (!stasis_json_need_uint (reply, "actual", out_actual, &fault))
    return stasis_command_throw_reply (query.command, query.context, fault, error);
  return TRUE;
}

/* Ask the guest to come down, or up, to so much memory; it takes its time. */
gboolean
stasis_monitor_balloon (StasisMonitor *monitor, guint64 target, GCancellable *cancellable,
                        GError **error)
{
  const StasisCommand balloon
      = { "balloon", _ ("cannot set the balloon's size"), STASIS_COMMAND_MS, -1 };
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_uint (arguments, "value", target);
  return stasis_command_run (monitor, &balloon, arguments, NULL, cancellable, error);
}
