/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * filters.h: what decompress.c and compress.c choose from
 */

#pragma once

#include "image/decompress.h"

G_BEGIN_DECLS

#define STASIS_FILTER_PIECE (256u * 1024) /* octets held on their way */

/* A program that compresses and decompresses, from its standard input to its output. */
typedef struct
{
  const char *name;
  const char *package; /* of Debian */
  const char *memory;  /* (nullable) the option that limits it while it decompresses */
} StasisFilterProgram;

/* NULL where the library does it. */
const StasisFilterProgram *stasis_filter_program (StasisCompression compression);

StasisStreamIn *stasis_decompress_gzip_new (StasisStreamIn *in);
StasisStreamIn *stasis_decompress_zstd_new (StasisStreamIn *in);
StasisStreamIn *stasis_decompress_program_new (const StasisFilterProgram *program,
                                               StasisStreamIn *in, GError **error);

StasisStreamOut *stasis_compress_gzip_new (int level, StasisStreamOut *out);
StasisStreamOut *stasis_compress_zstd_new (int level, guint n_threads, StasisStreamOut *out,
                                           GError **error);
StasisStreamOut *stasis_compress_program_new (const char *const *argv, const char *package,
                                              StasisStreamOut *out, GError **error);

G_END_DECLS
