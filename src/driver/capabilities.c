/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * capabilities.c: what this host offers, as libvirt's capabilities XML
 */

#include "config.h"

#include <sys/utsname.h>
#include <unistd.h>

#include "driver/driver-private.h"

/* The machine's own id as a UUID; a host without one has none to tell. */
static char *
host_uuid (void)
{
  g_autofree char *text = NULL;
  gsize length = 0;
  if (!g_file_get_contents ("/etc/machine-id", &text, &length, NULL) || length < 32)
    return NULL;
  return g_strdup_printf ("%.8s-%.4s-%.4s-%.4s-%.12s", text, text + 8, text + 12, text + 16,
                          text + 20);
}

static void
append_host (GString *xml)
{
  struct utsname name;
  uname (&name);
  g_string_append (xml, "  <host>\n");
  g_autofree char *uuid = host_uuid ();
  if (uuid != NULL)
    g_string_append_printf (xml, "    <uuid>%s</uuid>\n", uuid);
  g_string_append_printf (xml, "    <cpu>\n      <arch>%s</arch>\n", name.machine);
  g_string_append_printf (xml, "      <topology sockets='1' dies='1' cores='%u' threads='1'/>\n",
                          g_get_num_processors ());
  g_string_append (xml, "    </cpu>\n  </host>\n\n");
}

static void
append_machines (GString *xml, const StasisQemuCaps *caps)
{
  for (guint i = 0; i < stasis_qemu_caps_n_machines (caps); i++)
    {
      const char *alias = NULL;
      const char *machine = stasis_qemu_caps_machine (caps, i, &alias);
      g_autofree char *name = g_markup_escape_text (machine, -1);
      if (alias != NULL)
        {
          g_autofree char *short_name = g_markup_escape_text (alias, -1);
          g_string_append_printf (xml, "      <machine canonical='%s'>%s</machine>\n", name,
                                  short_name);
        }
      g_string_append_printf (xml, "      <machine>%s</machine>\n", name);
    }
}

/**
 * stasis_driver_get_capabilities:
 * @self: a driver
 * @error: return location
 *
 * Returns: (transfer full): libvirt's capabilities XML, for the default emulator
 */
char *
stasis_driver_get_capabilities (StasisDriver *self, GError **error)
{
  const StasisDriverOps *ops = stasis_driver_get_ops (self);
  if (ops != NULL)
    return ops->get_capabilities (self, error);

  g_autoptr (StasisQemuCaps) caps = stasis_driver_get_caps (self, self->host->emulator, error);
  if (caps == NULL)
    return NULL;

  g_autoptr (GString) xml = g_string_new ("<capabilities>\n\n");
  append_host (xml);
  g_autofree char *emulator = g_markup_escape_text (self->host->emulator, -1);
  g_string_append (xml, "  <guest>\n    <os_type>hvm</os_type>\n    <arch name='x86_64'>\n"
                        "      <wordsize>64</wordsize>\n");
  g_string_append_printf (xml, "      <emulator>%s</emulator>\n", emulator);
  append_machines (xml, caps);
  g_string_append (xml, "      <domain type='qemu'/>\n");
  if (access ("/dev/kvm", R_OK | W_OK) == 0)
    g_string_append (xml, "      <domain type='kvm'/>\n");
  g_string_append (xml, "    </arch>\n  </guest>\n\n</capabilities>\n");
  return g_string_free (g_steal_pointer (&xml), FALSE);
}
