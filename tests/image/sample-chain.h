/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sample-chain.h: small incremental images for tests
 */

#pragma once

#include "image/reader.h"

G_BEGIN_DECLS

#define SAMPLE_CHAIN_END 0xffu

/* Make an image at @path, on top of the one at @parent (nullable: a whole one), with the blocks of
 * sample_write_mapped_ram() and a body of the @kind MAPPED_RAM or PACKED_RAM.  @pages, of pc.ram:
 * 0: not in it, 1: zero, else filled with that octet; SAMPLE_CHAIN_END ends the list. */
void sample_chain_make (const char *path, const char *parent, StasisImageBodyKind kind,
                        const guint8 *pages);

G_END_DECLS
