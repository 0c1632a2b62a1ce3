/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device-stats.h: what a domain's disks, interfaces and memory have done
 */

#pragma once

#include <stasis/stasis.h>

G_BEGIN_DECLS

/* One disk; counts are of this run, all 0 where it does not run. */
typedef struct
{
  char *target; /* (owned) "vda" */
  char *source; /* (owned) (nullable) path */
  guint64 read_requests;
  guint64 read_octets;
  guint64 read_ns;
  guint64 write_requests;
  guint64 write_octets;
  guint64 write_ns;
  guint64 flush_requests;
  guint64 flush_ns;
  guint64 errors;
  guint64 capacity;   /* octets that the guest sees */
  guint64 allocation; /* octets that the file takes on its file system */
  guint64 physical;   /* octets of the file or block device */
} StasisDiskStats;

/* As the guest sees them. */
typedef struct
{
  char *target; /* (owned) the host's device */
  guint64 rx_octets;
  guint64 rx_packets;
  guint64 rx_errors;
  guint64 rx_drops;
  guint64 tx_octets;
  guint64 tx_packets;
  guint64 tx_errors;
  guint64 tx_drops;
} StasisInterfaceStats;

/* libvirt's virDomainMemoryStatTags. */
typedef enum
{
  STASIS_MEMORY_SWAP_IN,
  STASIS_MEMORY_SWAP_OUT,
  STASIS_MEMORY_MAJOR_FAULT,
  STASIS_MEMORY_MINOR_FAULT,
  STASIS_MEMORY_UNUSED,
  STASIS_MEMORY_AVAILABLE,
  STASIS_MEMORY_ACTUAL,
  STASIS_MEMORY_RSS,
  STASIS_MEMORY_USABLE,
  STASIS_MEMORY_LAST_UPDATE,
  STASIS_MEMORY_DISK_CACHES,
  STASIS_MEMORY_TAGS,
} StasisMemoryTag;

typedef struct
{
  gboolean is_known[STASIS_MEMORY_TAGS];
  guint64 value[STASIS_MEMORY_TAGS]; /* KiB, where it is memory */
} StasisMemoryStats;

/* (transfer full) (element-type StasisDiskStats): in the definition's order.  One whose file
 * cannot be looked at has zeros. */
GPtrArray *stasis_domain_disk_stats (StasisDomain *self, GError **error);
/* (transfer full) (element-type StasisInterfaceStats): of a running domain, those that the host
 * has a device for. */
GPtrArray *stasis_domain_interface_stats (StasisDomain *self, GError **error);
/* Of a running domain. */
gboolean stasis_domain_memory_stats (StasisDomain *self, StasisMemoryStats *out_stats,
                                     GError **error);

G_END_DECLS
