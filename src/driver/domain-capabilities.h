/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-capabilities.h: what a domain can have on this host, as libvirt's domain capabilities XML
 */

#pragma once

#include <stasis/stasis.h>

G_BEGIN_DECLS

/* Each NULL: the default. */
typedef struct
{
  const char *emulator;
  const char *arch;
  const char *machine;
  const char *type; /* "kvm", "qemu" */
} StasisDomainCapabilities;

/* (transfer full) */
char *stasis_driver_get_domain_capabilities (StasisDriver *self,
                                             const StasisDomainCapabilities *wanted,
                                             GError **error);

G_END_DECLS
