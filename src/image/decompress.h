/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * decompress.h: streams out of compressed streams
 */

#pragma once

#include "util/stream.h"

G_BEGIN_DECLS

/**
 * StasisCompression:
 * @STASIS_COMPRESSION_NONE: as they are
 * @STASIS_COMPRESSION_GZIP: in this process
 * @STASIS_COMPRESSION_BZIP2: by the program bzip2
 * @STASIS_COMPRESSION_XZ: by the program xz
 * @STASIS_COMPRESSION_LZOP: by the program lzop
 * @STASIS_COMPRESSION_ZSTD: in this process, by libzstd
 *
 * How octets are compressed.
 */
typedef enum
{
  STASIS_COMPRESSION_NONE,
  STASIS_COMPRESSION_GZIP,
  STASIS_COMPRESSION_BZIP2,
  STASIS_COMPRESSION_XZ,
  STASIS_COMPRESSION_LZOP,
  STASIS_COMPRESSION_ZSTD,
} StasisCompression;

/* "none", "gzip", ... */
const char *stasis_compression_to_string (StasisCompression compression);

/* What @in (borrowed) is once it is decompressed.  Several gzip members, zstd frames, ... may
 * follow each other; an early end and anything else behind them is STASIS_IMAGE_ERROR_CORRUPT, and
 * so is an empty stream, except for NONE.  G_IO_ERROR_NOT_FOUND where a program is missing. */
StasisStreamIn *stasis_decompress_new (StasisCompression compression, StasisStreamIn *in,
                                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
