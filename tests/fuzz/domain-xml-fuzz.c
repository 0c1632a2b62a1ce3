/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-xml-fuzz.c: any octets as a domain definition
 *
 * What is accepted must survive its own printing: the same text, the same guest.
 */

#include "config.h"

#include "conf/domain-def.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

static const char *
canonical_machine (const char *emulator, const char *machine, gpointer data)
{
  if (machine == NULL)
    return "pc-i440fx-10.0";
  return g_strcmp0 (machine, "q35") == 0 ? "pc-q35-10.0" : machine;
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  const StasisConfContext context = { .canonical_machine = canonical_machine };
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisDomainDef) def = stasis_domain_def_parse (
      (const char *) data, (gssize) size, "fuzz", &context, STASIS_DOMAIN_PARSE_DEFAULT, &error);
  if (def == NULL)
    {
      g_assert_true (error != NULL && error->domain == STASIS_CONF_ERROR);
      return 0;
    }

  g_autofree char *once = stasis_domain_def_format (def, STASIS_DOMAIN_FORMAT_INACTIVE);
  g_autoptr (StasisDomainDef) again
      = stasis_domain_def_parse (once, -1, "again", &context, STASIS_DOMAIN_PARSE_DEFAULT, &error);
  g_assert_no_error (error);
  g_autofree char *twice = stasis_domain_def_format (again, STASIS_DOMAIN_FORMAT_INACTIVE);
  g_assert_cmpstr (once, ==, twice);
  stasis_domain_def_check_abi (def, again, &error);
  g_assert_no_error (error);
  return 0;
}
