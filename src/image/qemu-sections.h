/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu-sections.h: the sections of QEMU's stream from the list of RAMBlocks to its end
 */

#pragma once

#include <gio/gio.h>

#include "image/qemu-head.h"
#include "image/qemu-input.h"
#include "image/qemu-pages.h"

G_BEGIN_DECLS

/* { 0 } is a good start; end with stasis_qemu_sections_clear(). */
typedef struct
{
  GByteArray *commands; /* (owned) between the parts of the RAM, as they came */
  GByteArray *rest;     /* (owned) from the first device to the end, as it came */
  guint64 rest_offset;  /* in the input */
} StasisQemuSections;

void stasis_qemu_sections_clear (StasisQemuSections *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (StasisQemuSections, stasis_qemu_sections_clear)

/* Finish the section that lists the blocks: pages, end, footer. */
gboolean stasis_qemu_sections_take_list_end (StasisQemuInput *input, guint32 ram_id,
                                             StasisQemuPages *pages, GError **error);

/* Read the parts of the RAM, then all that is left. */
gboolean stasis_qemu_sections_take (StasisQemuInput *input, guint32 ram_id, StasisQemuPages *pages,
                                    StasisQemuSections *self, GError **error);

/* Append a plain stream as far as its first page: @head without mapped-ram, the list of @map, and
 * the beginning of a part of the RAM; and what follows its last page. */
void stasis_qemu_sections_append_front (const StasisQemuHead *head, const StasisImageRamMap *map,
                                        GByteArray *out);
void stasis_qemu_sections_append_back (const StasisQemuSections *self, guint32 ram_id,
                                       GByteArray *out);

/* Read the parts of the RAM, and find where the last one of them begins, which need not be an END:
 * what follows are devices then. */
gboolean stasis_qemu_sections_find_last (StasisQemuInput *input, guint32 ram_id,
                                         StasisQemuPages *pages, guint64 *out_offset,
                                         GError **error);

G_END_DECLS
