/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save.h: saving a domain to an image of any kind, in a file or through a pipe
 */

#pragma once

#include <gio/gio.h>
#include <stasis/domain.h>

G_BEGIN_DECLS

#pragma GCC visibility push(default)

/**
 * StasisSaveRequest:
 * @path: (nullable) (type filename): a file, which is replaced once the new image is complete, or
 *   a FIFO, whose reader is waited for; %NULL: @fd
 * @fd: where @path is %NULL: a pipe, a socket or a file, written from its position on; stays open.
 *   The process has to ignore SIGPIPE
 * @fd_name: (nullable): what to call @fd in messages
 * @format: (nullable): the kind of image: "stasis", "stasis-stream", "libvirt", "libvirt-zstd" ...,
 *   "trailer"; %NULL: our own that suits the destination
 * @compress: (nullable): "zstd" or "zstd:LEVEL"
 * @xml: (nullable): a definition of the same guest ABI that goes into the image
 * @flags: how the image is to be resumed
 * @base: (nullable) (type filename): with %STASIS_SAVE_INCREMENTAL: the image that holds what has
 * not changed; %NULL: the one that the guest's writes are tracked since, else the one that its
 * memory is mapped from, else the one that they were tracked since
 *
 * What to save to, and how.
 */
typedef struct
{
  const char *path;
  int fd;
  const char *fd_name;
  const char *format;
  const char *compress;
  const char *xml;
  StasisSaveFlags flags;
  const char *base;
} StasisSaveRequest;

gboolean stasis_domain_save_as (StasisDomain *self, const StasisSaveRequest *request,
                                StasisProgressFunc progress, gpointer user_data,
                                GCancellable *cancellable, GError **error);

/* (nullable): what an image of that kind lacks beside our own, for people. */
const char *stasis_image_format_get_weakness (const char *format);

#pragma GCC visibility pop

G_END_DECLS
