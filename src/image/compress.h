/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * compress.h: streams into compressed streams
 */

#pragma once

#include "image/decompress.h"

G_BEGIN_DECLS

/* A sink whose octets go to @out (borrowed) compressed; finishing it ends them, but does not finish
 * @out.  @level 0: the compressor's own choice.  @n_threads 0: as many as there are cores, at most
 * 8; only zstd and xz use several.  G_IO_ERROR_NOT_FOUND where a program is missing. */
StasisStreamOut *stasis_compress_new (StasisCompression compression, int level, guint n_threads,
                                      StasisStreamOut *out,
                                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
