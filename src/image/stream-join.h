/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream-join.h: octets that were read already, and then the rest
 */

#pragma once

#include "util/stream.h"

G_BEGIN_DECLS

/* First the octets of @first (nullable), then those of @rest (borrowed). */
StasisStreamIn *stasis_stream_in_new_joined (GBytes *first, StasisStreamIn *rest);

G_END_DECLS
