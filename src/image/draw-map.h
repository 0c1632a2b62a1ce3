/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * draw-map.h: a picture of a guest's memory, as it lies in an image
 */

#pragma once

#include <gio/gio.h>

#include "image/ram-map.h"

G_BEGIN_DECLS

typedef enum
{
  STASIS_PAGE_ZERO,       /* not stored, zero in the guest */
  STASIS_PAGE_PARENT,     /* not stored, as in the parent */
  STASIS_PAGE_STORED,     /* as it is */
  STASIS_PAGE_COMPRESSED, /* in a compressed chunk */
  STASIS_PAGE_CHANGED,    /* other than in the parent */
  STASIS_PAGE_N_KINDS,
} StasisPageKind;

typedef struct _StasisMemoryPicture StasisMemoryPicture;

/* An empty picture.  @title: what it is of, for people. */
StasisMemoryPicture *stasis_memory_picture_new (const char *title) G_GNUC_WARN_UNUSED_RESULT;

/* It is of an incremental image: pages that are not marked are in the parent, not zero. */
void stasis_memory_picture_set_incremental (StasisMemoryPicture *self);

/* Add a RAMBlock, with no page marked; its index. */
guint stasis_memory_picture_add_block (StasisMemoryPicture *self, const char *name,
                                       guint64 used_length);

/* Pages [@page, @page + @n) of a block are of that kind.  No page is marked twice; what lies behind
 * the block's end is left out. */
void stasis_memory_picture_mark (StasisMemoryPicture *self, guint block, guint64 page, guint64 n,
                                 StasisPageKind kind);

/* All pages of a block whose bit is set are stored. */
void stasis_memory_picture_mark_bits (StasisMemoryPicture *self, guint block, const guint8 *bits);

/* What kind a page is that has data; @block is the index in the picture. */
typedef StasisPageKind (*StasisPageKindFunc) (guint block, guint64 page, gpointer data);

/* Add all blocks of a mapped body, from their bitmaps in the file.  @kind (nullable: stored) is
 * asked for each page with data. */
gboolean stasis_memory_picture_add_map (StasisMemoryPicture *self, int fd,
                                        const StasisImageRamMap *map, StasisPageKindFunc kind,
                                        gpointer data, GCancellable *cancellable, GError **error);

GBytes *stasis_memory_picture_to_svg (const StasisMemoryPicture *self) G_GNUC_WARN_UNUSED_RESULT;
GBytes *stasis_memory_picture_to_png (const StasisMemoryPicture *self,
                                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* NULL is fine. */
void stasis_memory_picture_free (StasisMemoryPicture *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisMemoryPicture, stasis_memory_picture_free)

G_END_DECLS
