/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-def.c: parse, print, copy and free domain definitions
 */

#include "config.h"

#include "conf/domain-def.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "conf/device-def.h"
#include "conf/domain-internal.h"
#include "conf/domain-schema.h"

StasisDomainDef *
stasis_domain_def_new (void)
{
  return stasis_schema_new (&stasis_domain_schema);
}

void
stasis_domain_def_free (StasisDomainDef *def)
{
  stasis_schema_free (&stasis_domain_schema, def);
}

StasisDomainDef *
stasis_domain_def_copy (const StasisDomainDef *def)
{
  StasisDomainDef *copy = stasis_domain_def_new ();
  stasis_schema_copy (&stasis_domain_schema, copy, def);
  return copy;
}

/* Everything after the XML has been read.  The order matters: defaults decide which devices
 * there are, those need addresses, and the checks look at the whole. */
gboolean
stasis_domain_def_complete (StasisDomainDef *def, const StasisConfContext *context,
                            StasisDomainParseFlags flags, GError **error)
{
  if ((flags & STASIS_DOMAIN_PARSE_AS_IS) != 0)
    return TRUE;

  return stasis_domain_fill_defaults (def, context, flags, error)
         && stasis_domain_validate (def, error) && stasis_domain_add_implicit (def, error)
         && stasis_domain_assign_addresses (def, error);
}

StasisDomainDef *
stasis_domain_def_parse (const char *xml, gssize length, const char *source_name,
                         const StasisConfContext *context, StasisDomainParseFlags flags,
                         GError **error)
{
  static const StasisConfContext no_context = { 0 };
  const gsize size = length >= 0 ? (gsize) length : strlen (xml);

  g_autoptr (StasisDomainDef) def = stasis_domain_def_new ();
  if (!stasis_schema_parse (&stasis_domain_schema, def, "domain", xml, size, source_name,
                            (flags & STASIS_DOMAIN_PARSE_ACTIVE) != 0, error))
    return NULL;

  if (!stasis_domain_def_complete (def, context != NULL ? context : &no_context, flags, error))
    {
      stasis_domain_def_place_error (xml, (gssize) size, source_name, error);
      return NULL;
    }
  return g_steal_pointer (&def);
}

char *
stasis_domain_def_format (const StasisDomainDef *def, StasisDomainFormatFlags flags)
{
  guint hidden = 0;
  if ((flags & STASIS_DOMAIN_FORMAT_ACTIVE) == 0)
    hidden |= STASIS_FIELD_RUNTIME;
  if ((flags & STASIS_DOMAIN_FORMAT_SECURE) == 0)
    hidden |= STASIS_FIELD_SECRET;
  return stasis_schema_format (&stasis_domain_schema, def, "domain", hidden);
}

gboolean
stasis_domain_def_is_q35 (const StasisDomainDef *def)
{
  const char *machine = def->os.machine;
  return machine != NULL && (strcmp (machine, "q35") == 0 || g_str_has_prefix (machine, "pc-q35-"));
}
