/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * parse-new.c: a definition that is new here, which has to be one that can be started
 *
 * Whether it can is for those to say who make QEMU's command line: they are asked, with resources
 * that nobody has opened, and what they make is thrown away.
 */

#include "config.h"

#include "driver/parse-new.h"

#include "driver/command.h"
#include "driver/live-def.h"

/* As if everything on the host were there. */
static GPtrArray *
pretend_resources (const StasisDomainDef *def)
{
  GPtrArray *resources = stasis_resources_list (def);
  for (guint i = 0; i < resources->len; i++)
    {
      StasisResource *resource = g_ptr_array_index (resources, i);
      resource->fd = (int) i;
      resource->fdset = i;
      if (resource->kind == STASIS_RESOURCE_DISK && resource->format == NULL)
        resource->format = g_strdup ("raw");
    }
  return resources;
}

/* Ask them. */
gboolean
stasis_driver_check_startable (StasisDriver *self, const StasisDomainDef *def, GError **error)
{
  g_autoptr (StasisQemuCaps) caps = stasis_driver_get_caps (self, def->emulator, error);
  if (caps == NULL)
    return FALSE;
  g_autoptr (StasisDomainDef) copy = stasis_domain_def_copy (def);
  stasis_live_def_prepare (copy, "/");
  g_autoptr (GPtrArray) resources = pretend_resources (copy);
  const StasisCommandHost host
      = { .resources = resources, .monitor_fd = -1, .supervisor_fd = -1, .socket_folder = "/" };
  g_auto (GStrv) args = stasis_command_build (copy, caps, &host, error);
  return args != NULL;
}

/* Parse, and look whether it could be started. */
StasisDomainDef *
stasis_driver_parse_new (StasisDriver *self, const char *xml, const char *source_name,
                         GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (StasisDomainDef) def
      = stasis_driver_parse (self, xml, source_name, STASIS_DOMAIN_PARSE_DEFAULT, error);
  if (def == NULL)
    return NULL;
  if (!stasis_driver_check_startable (self, def, &local))
    {
      stasis_domain_def_place_error (xml, -1, source_name, &local);
      g_propagate_error (error, g_steal_pointer (&local));
      return NULL;
    }
  return g_steal_pointer (&def);
}
