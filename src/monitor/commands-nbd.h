/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-nbd.h: disks that another QEMU may read and write, by NBD
 */

#pragma once

#include "monitor/monitor.h"
#include "monitor/qemu-address.h"

G_BEGIN_DECLS

/* QEMU has one server, or none. */
typedef struct
{
  StasisQemuAddress address;
  const char *tls_creds;   /* (nullable): a server's object; NULL: in the clear */
  const char *tls_authz;   /* (nullable): an object that knows whom to let in */
  guint32 connections_max; /* 0: any number */
} StasisNbdServer;

/* QEMU does not tell which port it chose: name one, or pass a socket that listens (fd). */
gboolean stasis_monitor_nbd_server_start (StasisMonitor *monitor, const StasisNbdServer *server,
                                          GCancellable *cancellable, GError **error);
/* Its exports end too, and its clients are disconnected. */
gboolean stasis_monitor_nbd_server_stop (StasisMonitor *monitor, GCancellable *cancellable,
                                         GError **error);

/* One disk at the server. */
typedef struct
{
  const char *id;   /* of the export */
  const char *node; /* a block node */
  const char *name; /* by which clients ask for it */
  gboolean is_writable;
} StasisNbdExport;

/* A writable one is refused where a device of the guest has the node, but for a guest that waits
 * for its migration (-incoming); end it before that guest is to run. */
gboolean stasis_monitor_nbd_export_add (StasisMonitor *monitor, const StasisNbdExport *export,
                                        GCancellable *cancellable, GError **error);
/* It ends a moment later, with the event BLOCK_EXPORT_DELETED.
 * @force: although clients are connected, which is an error otherwise */
gboolean stasis_monitor_block_export_del (StasisMonitor *monitor, const char *id, gboolean force,
                                          GCancellable *cancellable, GError **error);

typedef struct
{
  char *id;   /* (owned) */
  char *type; /* (owned) "nbd" ... */
  char *node; /* (owned) */
  gboolean is_ending;
} StasisBlockExport;

void stasis_block_export_free (StasisBlockExport *export);

/* (transfer full): of StasisBlockExport */
GPtrArray *stasis_monitor_query_block_exports (StasisMonitor *monitor, GCancellable *cancellable,
                                               GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A disk that another QEMU exports, as a block node here. */
typedef struct
{
  const char *node; /* its name */
  StasisQemuAddress address;
  const char *name;         /* of the export */
  const char *tls_creds;    /* (nullable): a client's object; NULL: in the clear */
  const char *tls_hostname; /* (nullable): as the certificate says; NULL: as the address does */
  guint32 reconnect_s; /* how long requests wait for a connection that was lost; 0: they fail */
  guint32 open_s; /* how long it is tried; 0: once, for as long as the server does not answer */
  gboolean detects_zeroes; /* zeros that are written are left out */
} StasisNbdClient;

/* Writable.  Ends with blockdev_del.  QEMU waits until it is connected, and hears nothing of us
 * meanwhile. */
gboolean stasis_monitor_nbd_client_add (StasisMonitor *monitor, const StasisNbdClient *client,
                                        GCancellable *cancellable, GError **error);

/* Break off its connection: requests that wait for the server fail.  For a server that may answer
 * no more; the node stays. */
gboolean stasis_monitor_nbd_client_yank (StasisMonitor *monitor, const char *node,
                                         GCancellable *cancellable, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisBlockExport, stasis_block_export_free)

G_END_DECLS
