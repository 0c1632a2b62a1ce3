/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command-print.c: print the command line of a definition, for tests/driver/compare-libvirt.py
 *
 *   command-print CAPABILITIES.json DEFINITION.xml
 */

#include "config.h"

#include "command-fixture.h"

int
main (int argc, char **argv)
{
  if (argc != 3)
    {
      g_printerr ("usage: command-print CAPABILITIES.json DEFINITION.xml\n");
      return 2;
    }

  g_autoptr (GError) error = NULL;
  g_autofree char *caps_path = g_canonicalize_filename (argv[1], NULL);
  g_autoptr (StasisQemuCaps) caps = fixture_caps (caps_path);
  g_autoptr (StasisDomainDef) def = fixture_definition (argv[2], caps, &error);
  g_autoptr (GPtrArray) resources = def != NULL ? fixture_resources (def) : NULL;
  const StasisCommandHost host = { .resources = resources,
                                   .monitor_fd = 10,
                                   .supervisor_fd = 11,
                                   .socket_folder = "/run/domain",
                                   .now = 1000000000 };
  g_auto (GStrv) args = def != NULL ? stasis_command_build (def, caps, &host, &error) : NULL;
  if (args == NULL)
    {
      g_printerr ("%s\n", error->message);
      return 1;
    }
  g_autofree char *text = fixture_format (args);
  g_print ("%s", text);
  return 0;
}
