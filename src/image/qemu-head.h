/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu-head.h: what QEMU's stream begins with: magic, configuration, head of the RAM
 */

#pragma once

#include <gio/gio.h>

#include "image/qemu-input.h"
#include "image/qemu-wire.h"
#include "image/ram-map.h"

G_BEGIN_DECLS

/* { 0 } is a good start; end with stasis_qemu_head_clear(). */
typedef struct
{
  char machine[STASIS_QEMU_MACHINE_MAX + 1];
  gboolean has_page_bits;  /* they are 12 */
  GPtrArray *capabilities; /* (owned, nullable) of char *, without mapped-ram */
  gboolean mapped_ram;     /* that capability is there */
  gboolean has_uuid;
  guint8 uuid[16];
  guint32 ram_id; /* of the section "ram" */
  guint64 ram_total;
} StasisQemuHead;

void stasis_qemu_head_clear (StasisQemuHead *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (StasisQemuHead, stasis_qemu_head_clear)

/* Magic and version alone. */
gboolean stasis_qemu_head_take_magic (StasisQemuInput *input, GError **error);

/* As far as the total of the RAM; STASIS_IMAGE_ERROR_CORRUPT or UNSUPPORTED.  The blocks follow. */
gboolean stasis_qemu_head_take (StasisQemuInput *input, StasisQemuHead *self, GError **error);

/* The same; STASIS_IMAGE_ERROR_UNSUPPORTED where it was written with mapped-ram. */
gboolean stasis_qemu_head_take_plain (StasisQemuInput *input, StasisQemuHead *self, GError **error);

/* The blocks of a stream without mapped-ram: names, which differ, and used lengths. */
StasisImageRamMap *stasis_qemu_head_take_blocks (StasisQemuInput *input, const StasisQemuHead *self,
                                                 GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* TRUE where a block may have that length, @left being what the blocks still have to add up to. */
gboolean stasis_qemu_head_check_length (guint64 used_length, guint64 left);

/* Append what stasis_qemu_head_take() reads, with or without mapped-ram. */
void stasis_qemu_head_append (const StasisQemuHead *self, gboolean mapped_ram, GByteArray *out);

/* Append a length octet and a name; an integer. */
void stasis_qemu_append_name (GByteArray *out, const char *name);
void stasis_qemu_append_u8 (GByteArray *out, guint8 value);
void stasis_qemu_append_u32 (GByteArray *out, guint32 value);
void stasis_qemu_append_u64 (GByteArray *out, guint64 value);

/* Append the end of a RAM section (EOS and footer), and one without pages. */
void stasis_qemu_append_ram_end (GByteArray *out, guint32 ram_id);
void stasis_qemu_append_ram_section (GByteArray *out, guint8 section, guint32 ram_id);

G_END_DECLS
