/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * handover-fds.h: what one QEMU has open, for another one
 */

#pragma once

#include "driver/resource-open.h"
#include "util/process.h"

G_BEGIN_DECLS

/* As stasis_resources_open(), but what the host has once only (sockets that listen, tap devices) is
 * what @old has. */
gboolean stasis_handover_open (GPtrArray *resources, const StasisResourceUser *user,
                               const StasisProcess *old, StasisSpawn *spawn, GError **error);

/* The same device or socket, as a descriptor of ours; -1: @old has none. */
int stasis_handover_fetch (const StasisProcess *old, const StasisResource *resource,
                           GError **error);

G_END_DECLS
