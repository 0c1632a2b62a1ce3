/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command.h: from a definition to QEMU's command line
 */

#pragma once

#include "conf/domain-def.h"
#include "driver/qemu-caps.h"
#include "driver/resource.h"

G_BEGIN_DECLS

/* The guest's memory as a private mapping of a file that QEMU has open. */
typedef struct
{
  int fd; /* the descriptor's number in QEMU, which opens it again for reading; or -1: no */
  guint64 offset;
  gboolean is_flat; /* for an emulator that knows neither offset nor rom (preload/read-only.c) */
} StasisCommandRam;

/* (transfer full) By which QEMU opens it. */
char *stasis_command_ram_path (const StasisCommandRam *ram);

/* What the command line needs besides the definition.  All borrowed. */
typedef struct
{
  const GPtrArray *resources; /* of StasisResource, opened */
  int monitor_fd;             /* listening sockets: the driver's monitor, the supervisor's */
  int supervisor_fd;
  const char *socket_folder;          /* where QEMU's user may make sockets (VNC) */
  gboolean is_incoming;               /* "-incoming defer" */
  const StasisCommandRam *mapped_ram; /* (nullable): the memory is that, not what is defined */
  const StasisCommandRam *shared_ram; /* (nullable): the file that shared memory is of */
  gint64 now; /* seconds since 1970, for clocks with an offset of their own; 0: the present */
} StasisCommandHost;

/* (transfer full): argv of QEMU, the program itself not included.  No I/O: the same arguments for
 * the same definition, capabilities and host. */
GStrv stasis_command_build (const StasisDomainDef *def, const StasisQemuCaps *caps,
                            const StasisCommandHost *host, GError **error);

/* Octets of guest memory, rounded as libvirt does. */
gint64 stasis_command_ram_size (const StasisDomainDef *def);

/* TRUE where the definition leaves open what the guest's memory is made of. */
gboolean stasis_command_ram_is_plain (const StasisDomainDef *def);

G_END_DECLS
