/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tap.h: a network device of the host for a guest
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* Open a tap device, up, and in @bridge (nullable: in none).  @name (nullable): what it is to be
 * called; else "vnetN".  *@out_name (transfer full): what it is called.  It lives as long as the
 * descriptor.  Needs CAP_NET_ADMIN.  -1 on failure. */
int stasis_tap_open (const char *name, const char *bridge, gint64 mtu, char **out_name,
                     GError **error);

/* Open /dev/vhost-net; -1 (no error) where this host has none. */
int stasis_vhost_open (void);

G_END_DECLS
