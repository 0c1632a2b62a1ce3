/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-abi.c: would a guest notice that its definition has been exchanged?
 *
 * The tables say of each field whether the guest sees it; this is only the message.
 */

#include "config.h"

#include "conf/domain-def.h"

#include <glib/gi18n-lib.h>

#include "conf/domain-schema.h"

gboolean
stasis_domain_def_check_abi (const StasisDomainDef *now, const StasisDomainDef *wanted,
                             GError **error)
{
  g_autoptr (GPtrArray) differences = g_ptr_array_new_with_free_func (g_free);
  stasis_schema_compare (&stasis_domain_schema, now, wanted, "/domain", differences);
  if (differences->len == 0)
    return TRUE;

  g_ptr_array_add (differences, NULL);
  g_autofree char *list = g_strjoinv ("\n", (char **) differences->pdata);
  g_set_error (error, STASIS_CONF_ERROR, STASIS_CONF_ERROR_ABI,
               _ ("the guest would notice these differences:\n%1$s"), list);
  return FALSE;
}
