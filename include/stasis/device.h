/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device.h: devices, memory and processors of a domain, also while it runs
 */

#pragma once

#include <stasis/domain.h>

G_BEGIN_DECLS

#pragma GCC visibility push(default)

/**
 * StasisAffectFlags:
 * @STASIS_AFFECT_CURRENT: the running domain, or the definition where it does not run
 * @STASIS_AFFECT_LIVE: the running domain
 * @STASIS_AFFECT_CONFIG: the persistent definition, for the next start
 * @STASIS_AFFECT_MAXIMUM: what there may be at most, not what there is (memory, processors)
 * @STASIS_AFFECT_FORCE: although the guest holds on to it (media)
 *
 * What a change is made to; LIVE and CONFIG together are both.
 */
typedef enum /*< flags >*/
{
  STASIS_AFFECT_CURRENT = 0,
  STASIS_AFFECT_LIVE = 1 << 0,
  STASIS_AFFECT_CONFIG = 1 << 1,
  STASIS_AFFECT_MAXIMUM = 1 << 2,
  STASIS_AFFECT_FORCE = 1 << 3,
} StasisAffectFlags;

/* @xml: one device as it stands in <devices>. */
gboolean stasis_domain_attach_device (StasisDomain *self, const char *xml, StasisAffectFlags flags,
                                      GCancellable *cancellable, GError **error);
gboolean stasis_domain_detach_device (StasisDomain *self, const char *xml, StasisAffectFlags flags,
                                      gboolean *out_is_gone, GCancellable *cancellable,
                                      GError **error);
gboolean stasis_domain_detach_device_alias (StasisDomain *self, const char *alias,
                                            StasisAffectFlags flags, gboolean *out_is_gone,
                                            GCancellable *cancellable, GError **error);
gboolean stasis_domain_update_device (StasisDomain *self, const char *xml, StasisAffectFlags flags,
                                      GCancellable *cancellable, GError **error);

gboolean stasis_domain_set_memory (StasisDomain *self, guint64 kib, StasisAffectFlags flags,
                                   GCancellable *cancellable, GError **error);
gboolean stasis_domain_set_vcpus (StasisDomain *self, guint count, StasisAffectFlags flags,
                                  GCancellable *cancellable, GError **error);
gboolean stasis_domain_get_vcpus (StasisDomain *self, StasisAffectFlags flags, guint *out_count,
                                  GError **error);

#pragma GCC visibility pop

G_END_DECLS
