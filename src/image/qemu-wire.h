/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu-wire.h: the numbers and names of QEMU's migration stream
 *
 * Read in QEMU's tree at 7.2, 9.0 and 10.0: migration/savevm.c (sections), migration/ram.c (RAM).
 * Integers are big-endian.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define STASIS_QEMU_MAGIC   0x5145564du /* "QEVM" */
#define STASIS_QEMU_VERSION 3u

/* What a section begins with. */
typedef enum
{
  STASIS_QEMU_EOF = 0x00,
  STASIS_QEMU_SECTION_START = 0x01,
  STASIS_QEMU_SECTION_PART = 0x02,
  STASIS_QEMU_SECTION_END = 0x03,
  STASIS_QEMU_SECTION_FULL = 0x04,
  STASIS_QEMU_SUBSECTION = 0x05,
  STASIS_QEMU_DESCRIPTION = 0x06, /* of the devices, JSON */
  STASIS_QEMU_CONFIGURATION = 0x07,
  STASIS_QEMU_COMMAND = 0x08,
  STASIS_QEMU_FOOTER = 0x7e,
} StasisQemuSection;

/* The one command that does not ask for an answer; since 10.0, before the last part of the RAM. */
#define STASIS_QEMU_COMMAND_SWITCHOVER_START 11u

/* In the bits of a page's address that are below the page size. */
#define STASIS_QEMU_RAM_VERSION       4u
#define STASIS_QEMU_RAM_ZERO          0x002u
#define STASIS_QEMU_RAM_MEM_SIZE      0x004u
#define STASIS_QEMU_RAM_PAGE          0x008u
#define STASIS_QEMU_RAM_EOS           0x010u
#define STASIS_QEMU_RAM_CONTINUE      0x020u
#define STASIS_QEMU_RAM_XBZRLE        0x040u
#define STASIS_QEMU_RAM_HOOK          0x080u
#define STASIS_QEMU_RAM_COMPRESS_PAGE 0x100u
#define STASIS_QEMU_RAM_MULTIFD_FLUSH 0x200u

#define STASIS_QEMU_MAPPED_RAM_VERSION     1u
#define STASIS_QEMU_MAPPED_RAM_HEADER_SIZE 28u /* of a RAMBlock, behind name and length */

#define STASIS_QEMU_MACHINE_MAX      256u
#define STASIS_QEMU_CAPABILITIES_MAX 64u
#define STASIS_QEMU_SUBSECTIONS_MAX  8u
#define STASIS_QEMU_REST_MAX         (256u * 1024 * 1024) /* what follows the last RAM section */
#define STASIS_QEMU_PAGE_BITS        12u

G_END_DECLS
