/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu-stream.h: what a stream of QEMU is made of
 */

#pragma once

#include <gio/gio.h>

#include "image/qemu-devices.h"
#include "image/ram-map.h"
#include "util/stream.h"

G_BEGIN_DECLS

/* The pages of one RAMBlock.  A live save sends some more than once. */
typedef struct
{
  guint64 n_stored; /* sent with their octets; of a mapped body: pages whose bit is set */
  guint64 n_zero;   /* sent as zero; of a mapped body: pages whose bit is clear */
  guint64 n_filled; /* sent as all of one octet that is not zero */
} StasisQemuPageCounts;

typedef struct
{
  char *machine;                /* (owned) type, with version */
  gboolean mapped_ram;          /* the pages lie apart, as in MAPPED_RAM */
  StasisImageRamMap *map;       /* (owned) names and lengths; places only with mapped_ram */
  StasisQemuPageCounts *counts; /* (owned) of each block */
  GPtrArray *devices;           /* (owned) of StasisQemuDevice, in their order */
  gboolean described;           /* FALSE: the devices are not known */
  guint64 length;               /* octets, of the stream or of the body */
} StasisQemuStreamInfo;

/* Read a plain stream to its end.  Whatever does not fit is STASIS_IMAGE_ERROR_CORRUPT or
 * UNSUPPORTED, and says where. */
StasisQemuStreamInfo *stasis_qemu_stream_scan (StasisStreamIn *in, GCancellable *cancellable,
                                               GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same for [@offset, @end) of a file: a stream that must have no pages, as that of a PACKED_RAM
 * body.  All counts are zero. */
StasisQemuStreamInfo *stasis_qemu_stream_scan_bare (int fd, guint64 offset, guint64 end,
                                                    GCancellable *cancellable,
                                                    GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same for the mapped body [@body_offset, @body_end) of a file; pages are not read. */
StasisQemuStreamInfo *stasis_qemu_stream_scan_mapped (int fd, guint64 body_offset, guint64 body_end,
                                                      GCancellable *cancellable,
                                                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Of all blocks. */
StasisQemuPageCounts stasis_qemu_stream_total (const StasisQemuStreamInfo *info);

/* NULL is fine. */
void stasis_qemu_stream_info_free (StasisQemuStreamInfo *info);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisQemuStreamInfo, stasis_qemu_stream_info_free)

G_END_DECLS
