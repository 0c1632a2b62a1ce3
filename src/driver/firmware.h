/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * firmware.h: finding the firmware behind <os firmware='efi'>
 */

#pragma once

#include "conf/domain-def.h"
#include "driver/paths.h"

G_BEGIN_DECLS

/* Fill in loader and NVRAM where the definition asks for a kind of firmware and names no file,
 * from the host's firmware descriptors (QEMU's docs/interop/firmware.json), and the path of the
 * domain's own NVRAM where it has a writable store and names none. */
gboolean stasis_firmware_resolve (StasisDomainDef *def, const StasisPaths *paths, GError **error);

/* Make the domain's NVRAM file from its template, unless it is there. */
gboolean stasis_firmware_make_nvram (const StasisDomainDef *def, GError **error);

G_END_DECLS
