/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-address.c: addresses
 */

#include "config.h"

#include "conf/domain-internal.h"

gboolean
stasis_domain_assign_addresses (StasisDomainDef *def, GError **error)
{
  return TRUE;
}
void
stasis_domain_def_assign_aliases (StasisDomainDef *def)
{
}
