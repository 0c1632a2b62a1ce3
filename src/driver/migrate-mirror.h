/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-mirror.h: the disks of a guest are copied to another host while it runs
 */

#pragma once

#include "conf/domain-def.h"
#include "driver/migrate-cookie.h"
#include "monitor/commands-mirror.h"
#include "monitor/monitor.h"
#include "util/process.h"

G_BEGIN_DECLS

/* All of the disks together. */
typedef struct
{
  guint64 current; /* octets that have been copied, of @total: what is written meanwhile counts */
  guint64 total;
  gboolean are_ready; /* each copy is as its disk, but for what was written just now */
} StasisMirrorProgress;

/* While it is waited for them: waits for a moment itself.  FALSE ends the waiting. */
typedef gboolean (*StasisMirrorWatch) (const StasisMirrorProgress *progress, gpointer data,
                                       GError **error);

/* They are connected, nothing is copied yet: where the connections lead to, for whoever has to
 * break them off (migrate-mirror-ways.h).  Not called where they cannot be broken off from here. */
typedef gboolean (*StasisMirrorConnected) (char **peers_take, gpointer data, GError **error);

/* How they are copied.  All borrowed. */
typedef struct
{
  const StasisDomainDef *def;
  const char *const *copied;           /* the targets of the disks */
  const StasisMigratePrepare *prepare; /* where to: the destination's word */
  StasisMonitor *monitor;
  const StasisProcess *qemu; /* its process */
  StasisMirrorSync sync;
  StasisMirrorCopyMode copy_mode;
  const char *const *detect_zeroes; /* (nullable): the targets of those whose zeros are left out */
  guint64 speed;                    /* octets/s for each; 0: no limit */
  const char *tls_creds;            /* (nullable) QEMU's object; NULL: in the clear */
  const char *tls_hostname;         /* whom the destination's certificate names */
  GCancellable *cancellable;        /* (nullable) */
  StasisMirrorConnected connected;
  StasisMirrorWatch watch;
  gpointer data; /* of both */
} StasisMirrorRequest;

typedef struct _StasisMigrateMirrors StasisMigrateMirrors;

/* Nothing is begun yet.  Refused where the destination does not take one of the disks. */
StasisMigrateMirrors *stasis_migrate_mirrors_new (const StasisMirrorRequest *request,
                                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* NULL is fine.  What was begun goes on: see migrate-mirror-drop.h. */
void stasis_migrate_mirrors_free (StasisMigrateMirrors *self);

/* Begin, and wait until all are ready. */
gboolean stasis_migrate_mirrors_start (StasisMigrateMirrors *self, GError **error);

/* How far are they?  FALSE where one has failed. */
gboolean stasis_migrate_mirrors_look (StasisMigrateMirrors *self,
                                      StasisMirrorProgress *out_progress, GError **error);

/* Another limit, of all of them.  The same one costs nothing. */
gboolean stasis_migrate_mirrors_limit (StasisMigrateMirrors *self, guint64 speed, GError **error);

/* The guest stands still: each copy is to become as its disk, and stay so. */
gboolean stasis_migrate_mirrors_finish (StasisMigrateMirrors *self, GError **error);

/* Until that is so, and the destination is disconnected. */
gboolean stasis_migrate_mirrors_await (StasisMigrateMirrors *self, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisMigrateMirrors, stasis_migrate_mirrors_free)

G_END_DECLS
