/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-query.h: ask QEMU what it has
 *
 * Lists are (transfer full) and free their elements with themselves.
 */

#pragma once

#include "monitor/monitor.h"

G_BEGIN_DECLS

typedef struct
{
  guint index;
  gint64 thread_id; /* the host's tid, or -1 */
  char *qom_path;   /* (owned) */
} StasisMonitorCpu;

void stasis_monitor_cpu_free (StasisMonitorCpu *cpu);

/* One block device as query-block tells it; all strings are (owned) (nullable). */
typedef struct
{
  char *device;    /* -drive's name; may be empty */
  char *qdev;      /* the guest's device: id or QOM path */
  char *node_name; /* the node on top of it */
  char *file;      /* the file name of that node */
  char *driver;    /* its format */
  gboolean is_read_only;
  gboolean has_failed;  /* the guest has been stopped over it, perhaps long ago */
  guint64 virtual_size; /* octets, 0 where there is no medium */
} StasisMonitorBlock;

void stasis_monitor_block_free (StasisMonitorBlock *block);

/* TRUE where the guest's device has that id. */
gboolean stasis_monitor_block_is_of (const StasisMonitorBlock *block, const char *id);

typedef struct
{
  char *label;      /* (owned) the chardev's id */
  char *filename;   /* (owned) as QEMU writes it: "pty:/dev/pts/3", "unix:..." */
  char *pty;        /* (owned) (nullable) the path where it is a pty */
  gboolean is_open; /* the guest's side is */
} StasisMonitorChardev;

void stasis_monitor_chardev_free (StasisMonitorChardev *chardev);

/* One listening VNC socket. */
typedef struct
{
  char *display; /* (owned) the display's id */
  char *host;    /* (owned) address, or path of a unix socket */
  char *service; /* (owned) the port in decimal; empty for a unix socket */
  char *family;  /* (owned) "ipv4", "ipv6", "unix" */
  gboolean is_websocket;
} StasisMonitorVnc;

void stasis_monitor_vnc_free (StasisMonitorVnc *vnc);

/* One block of guest memory, from `info ramblock`. */
typedef struct
{
  char *name;        /* (owned) "pc.ram" */
  guint64 page_size; /* octets, so all the rest */
  guint64 offset;    /* in QEMU's ram_addr_t space */
  guint64 used_length;
  guint64 total_length;
  guint64 host_address; /* in QEMU's address space; 0 where this QEMU does not tell */
} StasisRamBlock;

void stasis_ram_block_free (StasisRamBlock *block);

GPtrArray *stasis_monitor_query_cpus (StasisMonitor *monitor, GCancellable *cancellable,
                                      GError **error) G_GNUC_WARN_UNUSED_RESULT;
GPtrArray *stasis_monitor_query_block (StasisMonitor *monitor, GCancellable *cancellable,
                                       GError **error) G_GNUC_WARN_UNUSED_RESULT;
GPtrArray *stasis_monitor_query_chardev (StasisMonitor *monitor, GCancellable *cancellable,
                                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* An empty list where this QEMU has no VNC. */
GPtrArray *stasis_monitor_query_vnc (StasisMonitor *monitor, GCancellable *cancellable,
                                     GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Of StasisRamBlock; without those that QEMU is about to free. */
GPtrArray *stasis_monitor_query_ram_blocks (StasisMonitor *monitor, GCancellable *cancellable,
                                            GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The same from a text of QEMU, without asking. */
GPtrArray *stasis_ram_blocks_parse (const char *text, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Properties of a CPU model as QEMU expands it: (transfer full) an object {"name", "props"}.
 * @type: "static" or "full"; @properties_take: (nullable) consumed */
StasisJson *stasis_monitor_query_cpu_model_expansion (StasisMonitor *monitor, const char *type,
                                                      const char *model,
                                                      StasisJson *properties_take,
                                                      GCancellable *cancellable,
                                                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Whether the guest's processors are KVM's; else QEMU emulates them (TCG). */
gboolean stasis_monitor_query_kvm (StasisMonitor *monitor, gboolean *out_is_kvm,
                                   GCancellable *cancellable, GError **error);

/* The guest's memory as the balloon has it, octets. */
gboolean stasis_monitor_query_balloon (StasisMonitor *monitor, guint64 *out_actual,
                                       GCancellable *cancellable, GError **error);
gboolean stasis_monitor_balloon (StasisMonitor *monitor, guint64 target, GCancellable *cancellable,
                                 GError **error);

/* A command of the human monitor: (transfer full) its text. */
char *stasis_monitor_hmp (StasisMonitor *monitor, const char *command_line,
                          GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisMonitorCpu, stasis_monitor_cpu_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisMonitorBlock, stasis_monitor_block_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisMonitorChardev, stasis_monitor_chardev_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisMonitorVnc, stasis_monitor_vnc_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisRamBlock, stasis_ram_block_free)

G_END_DECLS
