/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest-range.h: a part of a guest's memory
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Octets of a block, whole pages; who uses it says which numbers the blocks have. */
typedef struct
{
  guint block;
  guint64 offset;
  guint64 length;
} StasisGuestRange;

G_END_DECLS
