/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-fd.h: give QEMU descriptors, take them back
 */

#pragma once

#include "monitor/monitor.h"

G_BEGIN_DECLS

#define STASIS_FDSET_NEW (-1) /* let QEMU choose the number of the set */
#define STASIS_FDSET_ALL (-1) /* all descriptors of a set */

typedef struct
{
  gint64 set;   /* N of /dev/fdset/N */
  gint64 fd;    /* QEMU's own number of the descriptor */
  char *opaque; /* (owned) (nullable) what we said of it */
} StasisFdsetMember;

void stasis_fdset_member_free (StasisFdsetMember *member);

/* A descriptor under a name, for `fd:NAME`; QEMU closes it when it has been used.  One of the
 * same name is replaced. */
gboolean stasis_monitor_getfd (StasisMonitor *monitor, const char *name, int fd,
                               GCancellable *cancellable, GError **error);
gboolean stasis_monitor_closefd (StasisMonitor *monitor, const char *name,
                                 GCancellable *cancellable, GError **error);

/* Add a duplicate of @fd to a set, for `/dev/fdset/N`.
 * @set: its number, or STASIS_FDSET_NEW; @opaque: (nullable); the out parameters may be NULL */
gboolean stasis_monitor_add_fd (StasisMonitor *monitor, gint64 set, int fd, const char *opaque,
                                gint64 *out_set, gint64 *out_fd, GCancellable *cancellable,
                                GError **error);
/* @fd: QEMU's number, or STASIS_FDSET_ALL.  QEMU before 9.1 closes it (and stops to list it) only
 * once the guest runs: on the next change of any set, or when a monitor is closed. */
gboolean stasis_monitor_remove_fd (StasisMonitor *monitor, gint64 set, gint64 fd,
                                   GCancellable *cancellable, GError **error);
/* (transfer full): of StasisFdsetMember, freed with the array */
GPtrArray *stasis_monitor_query_fdsets (StasisMonitor *monitor, GCancellable *cancellable,
                                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisFdsetMember, stasis_fdset_member_free)

G_END_DECLS
