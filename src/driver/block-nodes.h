/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * block-nodes.h: the two block nodes of a disk's image, as QEMU wants them described
 */

#pragma once

#include "conf/domain-def.h"
#include "util/json.h"

G_BEGIN_DECLS

/* NAME-storage, the file, below NAME-format. */
typedef struct
{
  const char *name;         /* "disk-vda"; with "-storage" at most 31 octets */
  gint64 fdset;             /* where QEMU has the file, opened as the nodes say */
  gboolean is_block;        /* it is a block device */
  const char *format;       /* "raw", "qcow2" */
  const char *backing_name; /* (nullable) the pair below */
  gboolean is_read_only;
  const StasisDiskDef *disk; /* (nullable) host-side wishes */
  gboolean is_backing; /* below the disk's own image: its cache mode, but nothing to discard */
} StasisBlockPair;

/* (transfer full) */
StasisJson *stasis_block_storage_node (const StasisBlockPair *pair);
StasisJson *stasis_block_format_node (const StasisBlockPair *pair);

G_END_DECLS
