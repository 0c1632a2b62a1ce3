/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * resource.h: what a domain needs of the host, and how QEMU gets it
 *
 * stasis_resources_list() names what a definition needs; the driver opens each (resource-open.c)
 * and notes the descriptor's number in QEMU; stasis_command_build() puts them on the command line.
 */

#pragma once

#include "conf/domain-def.h"

G_BEGIN_DECLS

typedef enum
{
  STASIS_RESOURCE_DISK,   /* fd set: image file or block device, and its backing chain */
  STASIS_RESOURCE_LOADER, /* fd set, read-only: firmware as pflash */
  STASIS_RESOURCE_NVRAM,  /* fd set, read-write */
  STASIS_RESOURCE_BLOB,   /* /proc/self/fd/N: kernel, initrd, dtb, BIOS rom */
  STASIS_RESOURCE_OUTPUT, /* fd set, write-only: file behind a serial port, log of a chardev */
  STASIS_RESOURCE_LISTEN, /* fd: a listening unix socket behind a chardev */
  STASIS_RESOURCE_TAP,    /* fd: a tap device */
  STASIS_RESOURCE_VHOST,  /* fd: /dev/vhost-net; -1 where the host has none */
} StasisResourceKind;

typedef struct
{
  StasisResourceKind kind;
  char *key;  /* (owned) "disk:vda", "loader", "nvram", "kernel", "initrd", "dtb", "bios",
                 "chardev:charserial0", "log:charserial0", "tap:net0", "vhost:net0" */
  char *path; /* (owned) (nullable): on the host; a tap's wished name */
  gboolean readonly;
  gboolean append;   /* OUTPUT: behind what is there */
  char *format;      /* (owned) (nullable): DISK: "qcow2" */
  gboolean direct;   /* DISK: opened with O_DIRECT */
  gboolean is_block; /* DISK: a block device; of a backing file the driver finds out */
  char *bridge;      /* (owned) (nullable): TAP */
  gint64 mtu;        /* TAP: 0: the default */

  /* Filled in by the driver. */
  int fd;             /* the descriptor's number in QEMU, or -1 */
  const char *name;   /* (nullable) by which a QEMU that runs knows it instead; static */
  gint64 fdset;       /* the fd set it is in: "-add-fd set=FDSET,fd=FD", or -1 */
  GPtrArray *backing; /* (owned) of StasisResource: DISK: what it rests on, nearest first */
} StasisResource;

StasisResource *stasis_resource_new (StasisResourceKind kind, const char *key, const char *path);
void stasis_resource_free (StasisResource *resource);

/* (transfer full) (element-type StasisResource): all that @def needs, in the order of the XML */
GPtrArray *stasis_resources_list (const StasisDomainDef *def);

/* The resource with this key, or NULL. */
const StasisResource *stasis_resources_find (const GPtrArray *resources, const char *key);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisResource, stasis_resource_free)

G_END_DECLS
