/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream-tee.h: a stream that is looked at on its way to somewhere else
 */

#pragma once

#include "image/types.h"
#include "util/stream.h"

G_BEGIN_DECLS

/* What is read of @in also goes to @out (nullable), before it is handed out; both are borrowed.
 * @progress (nullable) is told the octets so far, at most ten times a second, with @total. */
StasisStreamIn *stasis_stream_tee_new (StasisStreamIn *in, StasisStreamOut *out, guint64 total,
                                       StasisImageProgress progress,
                                       gpointer progress_data) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
