/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk-chain.h: the backing files below a disk's image
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define STASIS_DISK_CHAIN_MAX 64u

typedef struct
{
  char *path;   /* (owned) absolute */
  char *format; /* (owned) "qcow2", "raw" */
} StasisDiskLink;

void stasis_disk_link_free (StasisDiskLink *link);

/* (transfer full) (element-type StasisDiskLink): what @path of @format rests on, nearest first;
 * empty for a format without backing files.  A backing file without a stated format is refused:
 * guessing it from octets that a guest wrote would let the guest choose the host's files. */
GPtrArray *stasis_disk_chain_read (const char *path, const char *format, GError **error);

G_END_DECLS
