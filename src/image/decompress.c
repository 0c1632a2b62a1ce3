/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * decompress.c: which filter takes a compressed stream apart
 */

#include "config.h"

#include "image/decompress.h"

#include "image/filters.h"
#include "image/stream-join.h"

static const char *const names[] = {
  [STASIS_COMPRESSION_NONE] = "none",   [STASIS_COMPRESSION_GZIP] = "gzip",
  [STASIS_COMPRESSION_BZIP2] = "bzip2", [STASIS_COMPRESSION_XZ] = "xz",
  [STASIS_COMPRESSION_LZOP] = "lzop",   [STASIS_COMPRESSION_ZSTD] = "zstd",
};

/* An xz header may ask for 4 GiB; what `xz -9` writes needs 65 MiB. */
static const StasisFilterProgram programs[] = {
  [STASIS_COMPRESSION_BZIP2] = { "bzip2", "bzip2", NULL },
  [STASIS_COMPRESSION_XZ] = { "xz", "xz-utils", "--memlimit-decompress=512MiB" },
  [STASIS_COMPRESSION_LZOP] = { "lzop", "lzop", NULL },
};

/* "none", "gzip", ... */
const char *
stasis_compression_to_string (StasisCompression compression)
{
  return names[compression];
}

/* NULL where the library does it. */
const StasisFilterProgram *
stasis_filter_program (StasisCompression compression)
{
  if (compression >= G_N_ELEMENTS (programs) || programs[compression].name == NULL)
    return NULL;
  return &programs[compression];
}

/**
 * stasis_decompress_new:
 * @compression: how @in is compressed
 * @in: (transfer none): the compressed octets; has to outlive the result
 * @error: return location
 *
 * Returns: (transfer full): the octets behind @in
 */
StasisStreamIn *
stasis_decompress_new (StasisCompression compression, StasisStreamIn *in, GError **error)
{
  switch (compression)
    {
    case STASIS_COMPRESSION_NONE:
      return stasis_stream_in_new_joined (NULL, in);
    case STASIS_COMPRESSION_GZIP:
      return stasis_decompress_gzip_new (in);
    case STASIS_COMPRESSION_ZSTD:
      return stasis_decompress_zstd_new (in);
    default:
      return stasis_decompress_program_new (stasis_filter_program (compression), in, error);
    }
}
