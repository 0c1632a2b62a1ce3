/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * node-info.h: the host's processors and memory
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct
{
  const char *model; /* (static) the architecture, as uname(1) has it */
  guint64 memory_kib;
  gint32 cpus;    /* that run */
  gint32 mhz;     /* of the first; 0 where it is not known */
  gint32 nodes;   /* of memory */
  gint32 sockets; /* in a node */
  gint32 cores;   /* in a socket */
  gint32 threads; /* of a core */
} StasisNodeInfo;

/* What the kernel says; where it says nothing each number is 1, or 0 as above. */
void stasis_node_info_read (StasisNodeInfo *out_info);

G_END_DECLS
