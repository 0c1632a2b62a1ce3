/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * instant-flat.h: an instant restore by a flat file, for emulators that cannot map from an image
 */

#pragma once

#include "driver/instant.h"

G_BEGIN_DECLS

/* FALSE, with the reason in @self, where the definition says what the memory is made of. */
gboolean stasis_instant_check_definition (StasisInstant *self, const StasisDomainDef *def);

/* When what is mapped is verified. */
StasisMemoryCheck stasis_instant_choose_check (StasisRestoreFlags flags, gboolean is_stamped);

/* As stasis_instant_prepare(), where QEMU cannot map memory from within a file. */
gboolean stasis_instant_flat_prepare (StasisInstant *self, const StasisInstantRequest *request,
                                      GCancellable *cancellable, GError **error);

G_END_DECLS
