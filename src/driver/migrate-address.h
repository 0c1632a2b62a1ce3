/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-address.h: where a destination listens for its source
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct
{
  char *path;   /* (owned) (nullable) a unix socket; or ... */
  char *host;   /* (owned) (nullable) ... a name or number; NULL: all of this host */
  guint16 port; /* 0: one of the range */
  char *via;    /* (owned) (nullable) the path is that of the host with the daemon of this URI */
} StasisMigrateAddress;

#define STASIS_MIGRATE_PORT_FIRST 49152u
#define STASIS_MIGRATE_PORT_LAST  49215u

/* `tcp:HOST[:PORT]` as libvirt says it itself, `tcp://HOST[:PORT]`, `unix:///PATH`, `unix:/PATH`; a
 * number of IPv6 stands in brackets. */
StasisMigrateAddress *stasis_migrate_address_parse (const char *text,
                                                    GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* `tunnel:URI/PATH` as well, the URI escaped: only for what we have written ourselves
 * (migrate-tunnel.h). */
StasisMigrateAddress *stasis_migrate_address_parse_own (const char *text,
                                                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* (transfer full): `tcp:HOST:PORT`, `unix:///PATH`, `tunnel:URI/PATH` */
char *stasis_migrate_address_to_string (const StasisMigrateAddress *address);
StasisMigrateAddress *stasis_migrate_address_copy (const StasisMigrateAddress *address);
void stasis_migrate_address_free (StasisMigrateAddress *address);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisMigrateAddress, stasis_migrate_address_free)

G_END_DECLS
