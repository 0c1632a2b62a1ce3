/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu-address.h: where a socket of QEMU is, in QEMU's three spellings
 */

#pragma once

#include "util/json.h"

G_BEGIN_DECLS

typedef enum
{
  STASIS_QEMU_ADDRESS_UNIX, /* name: a path */
  STASIS_QEMU_ADDRESS_INET, /* name: a host, port: a number or a service */
  STASIS_QEMU_ADDRESS_FD,   /* name: of a descriptor that was passed by getfd */
  STASIS_QEMU_ADDRESS_VSOCK /* name: a CID, port */
} StasisQemuAddressType;

/* Those who make one by themselves lend the strings; one that was parsed owns them. */
typedef struct
{
  StasisQemuAddressType type;
  const char *name;
  const char *port; /* (nullable): where there is none */
} StasisQemuAddress;

/* (transfer full): for migration channels and block nodes (QAPI's SocketAddress) */
StasisJson *
stasis_qemu_address_to_json (const StasisQemuAddress *address) G_GNUC_WARN_UNUSED_RESULT;
/* (transfer full): for the NBD server (QAPI's SocketAddressLegacy) */
StasisJson *
stasis_qemu_address_to_legacy_json (const StasisQemuAddress *address) G_GNUC_WARN_UNUSED_RESULT;
/* (transfer full): for a migration's `uri` */
char *stasis_qemu_address_to_uri (const StasisQemuAddress *address) G_GNUC_WARN_UNUSED_RESULT;

/* (transfer full) (nullable): a SocketAddress; NULL where it is of a kind that we do not know */
StasisQemuAddress *stasis_qemu_address_from_json (const StasisJson *json) G_GNUC_WARN_UNUSED_RESULT;
/* Of a parsed one.  NULL is fine. */
void stasis_qemu_address_free (StasisQemuAddress *address);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisQemuAddress, stasis_qemu_address_free)

G_END_DECLS
