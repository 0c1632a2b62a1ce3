/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * resource-open.h: opening what a domain needs of the host, and handing it to QEMU
 */

#pragma once

#include "driver/resource.h"
#include "driver/spawn.h"

G_BEGIN_DECLS

typedef struct
{
  guint32 uid;          /* of QEMU */
  gboolean is_incoming; /* output files are continued, not begun anew */
} StasisResourceUser;

/* Open each of @resources, give the descriptor to @spawn and note its number in QEMU.  What was
 * given is closed with @spawn; sockets and files that were made stay. */
gboolean stasis_resources_open (GPtrArray *resources, const StasisResourceUser *user,
                                StasisSpawn *spawn, GError **error);

/* Who gets what was opened, and says what number it has. */
typedef struct
{
  int (*take) (int fd_take, gpointer data);
  gpointer data; /* (borrowed) */
} StasisResourceTaker;

gboolean stasis_resources_open_into (GPtrArray *resources, const StasisResourceUser *user,
                                     const StasisResourceTaker *taker, GError **error);

G_END_DECLS
