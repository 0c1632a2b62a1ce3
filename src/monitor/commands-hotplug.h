/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-hotplug.h: devices, processors and media that come and go while a guest runs
 */

#pragma once

#include "monitor/monitor.h"

G_BEGIN_DECLS

/* One option of QEMU's command line as the command that does the same: "-blockdev", "-device",
 * "-netdev", "-object" with a JSON value. */
gboolean stasis_monitor_add (StasisMonitor *monitor, const char *option, StasisJson *value_take,
                             GCancellable *cancellable, GError **error);

/* @id: of the device, or its QOM path.  The guest is asked; it may take its time. */
gboolean stasis_monitor_device_del (StasisMonitor *monitor, const char *id,
                                    GCancellable *cancellable, GError **error);
gboolean stasis_monitor_netdev_del (StasisMonitor *monitor, const char *id,
                                    GCancellable *cancellable, GError **error);
gboolean stasis_monitor_set_link (StasisMonitor *monitor, const char *id, gboolean is_up,
                                  GCancellable *cancellable, GError **error);

/* Wait until a device that is to go has gone, *@out_is_gone, at most so long.  A guest that refuses
 * is an error. */
gboolean stasis_monitor_wait_gone (StasisMonitor *monitor, const char *id, gint64 timeout_ms,
                                   gboolean *out_is_gone, GCancellable *cancellable,
                                   GError **error);

/* (transfer full) (element-type utf8): a set of the ids of QEMU's devices */
GHashTable *stasis_monitor_list_devices (StasisMonitor *monitor, GCancellable *cancellable,
                                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Whether QEMU has a device of that id, or at that QOM path. */
gboolean stasis_monitor_has_device (StasisMonitor *monitor, const char *id, gboolean *out_is_there,
                                    GCancellable *cancellable, GError **error);

typedef struct
{
  char *name;   /* (owned) */
  gint64 fdset; /* N of the /dev/fdset/N that it has open, or -1 */
} StasisMonitorNode;

/* (transfer full): of StasisMonitorNode: the block nodes whose names begin with @prefix */
GPtrArray *stasis_monitor_list_nodes (StasisMonitor *monitor, const char *prefix,
                                      GCancellable *cancellable,
                                      GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* *@out_node (transfer full) (nullable): the node in a drive; NULL where it is empty. */
gboolean stasis_monitor_query_medium (StasisMonitor *monitor, const char *id, char **out_node,
                                      GCancellable *cancellable, GError **error);

/* The drive's tray.  @force: although the guest has locked it. */
gboolean stasis_monitor_open_tray (StasisMonitor *monitor, const char *id, gboolean force,
                                   GCancellable *cancellable, GError **error);
gboolean stasis_monitor_close_tray (StasisMonitor *monitor, const char *id,
                                    GCancellable *cancellable, GError **error);
gboolean stasis_monitor_remove_medium (StasisMonitor *monitor, const char *id,
                                       GCancellable *cancellable, GError **error);
gboolean stasis_monitor_insert_medium (StasisMonitor *monitor, const char *id, const char *node,
                                       GCancellable *cancellable, GError **error);

/* One place for a processor. */
typedef struct
{
  char *type;        /* (owned) QEMU's device */
  StasisJson *props; /* (owned) an object: where it is */
  char *qom_path;    /* (owned) (nullable) NULL: nobody is there */
} StasisMonitorCpuSlot;

void stasis_monitor_cpu_slot_free (StasisMonitorCpuSlot *slot);

/* (transfer full): of StasisMonitorCpuSlot, in the order in which QEMU numbers them */
GPtrArray *stasis_monitor_query_cpu_slots (StasisMonitor *monitor, GCancellable *cancellable,
                                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisMonitorCpuSlot, stasis_monitor_cpu_slot_free)

G_END_DECLS
