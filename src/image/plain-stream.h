/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * plain-stream.h: a stream that has to be one of QEMU's
 */

#pragma once

#include "util/stream.h"

G_BEGIN_DECLS

/* The octets of @in_take, which must begin as QEMU's streams do: else STASIS_IMAGE_ERROR_CORRUPT,
 * or UNSUPPORTED for a stream version that nobody reads any more.  Frees @below_take (nullable),
 * which
 * @in_take reads from, after it.  Errors get @name in front. */
StasisStreamIn *stasis_plain_stream_new (StasisStreamIn *in_take, StasisStreamIn *below_take,
                                         const char *name);

G_END_DECLS
