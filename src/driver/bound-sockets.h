/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bound-sockets.h: the sockets that a running domain has bound at paths of its definition
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* One of them: a path may lead to another socket by the time that the domain ends. */
typedef struct
{
  char *path; /* (owned) */
  guint64 device;
  guint64 inode;
} StasisBoundSocket;

/* (element-type StasisBoundSocket) (transfer full): empty */
GPtrArray *stasis_bound_sockets_new (void);

/* One that is known; the path is taken over. */
void stasis_bound_sockets_add (GPtrArray *sockets, char *path_take, guint64 device, guint64 inode);

/* Note the socket that was just bound at @path. */
void stasis_bound_sockets_note (GPtrArray *sockets, const char *path);

/* Once the domain's QEMU has ended: remove those that are still there. */
void stasis_bound_sockets_remove (const GPtrArray *sockets);

G_END_DECLS
