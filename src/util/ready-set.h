/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ready-set.h: many descriptors, asked at once whether any of them is ready to be read
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* What to do then.  Owned by who waits, who keeps it until the descriptor is removed or closed. */
typedef struct
{
  void (*func) (gpointer data);
  gpointer data;
} StasisReady;

/* A descriptor that is itself ready to be read as long as one of the set is; -1 on failure. */
int stasis_ready_set_new (GError **error);

/* @func takes what there is, or removes the descriptor.  That comes before it is closed: a
 * process that was forked meanwhile may have a copy, with which it stays in the set. */
gboolean stasis_ready_set_add (int set, int fd, StasisReady *ready, GError **error);
void stasis_ready_set_remove (int set, int fd);

/* Call functions until none of the descriptors is ready; FALSE where none was.  Never waits. */
gboolean stasis_ready_set_take (int set);

G_END_DECLS
