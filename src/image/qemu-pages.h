/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu-pages.h: the pages in QEMU's plain stream
 */

#pragma once

#include <gio/gio.h>

#include "image/qemu-input.h"
#include "image/ram-map.h"

G_BEGIN_DECLS

typedef struct _StasisQemuPages StasisQemuPages;

struct _StasisQemuPages
{
  /* Sees every page, in the order of the stream, which may send a page more than once.  @octets
   * stay until settle(); NULL: all of the page's octets are @fill.  NULL: there must be no pages.
   */
  gboolean (*page) (StasisQemuPages *self, guint block, guint64 page, const guint8 *octets,
                    guint8 fill, GError **error);
  /* (nullable) The octets that page() was given so far go away. */
  gboolean (*settle) (StasisQemuPages *self, GError **error);

  const StasisImageBlock *blocks; /* (borrowed) */
  guint n_blocks;
  GHashTable *index;               /* (owned) name -> index + 1 */
  const StasisImageBlock *current; /* the block of the last page, or NULL */
};

/* The members `page` and `settle` are the caller's to set; so is a larger struct around it. */
void stasis_qemu_pages_init (StasisQemuPages *self, const StasisImageBlock *blocks, guint n_blocks);
void stasis_qemu_pages_clear (StasisQemuPages *self);

/* Read pages as far as the end of their section, the footer not included. */
gboolean stasis_qemu_pages_take (StasisQemuInput *input, StasisQemuPages *self, GError **error);

G_END_DECLS
