/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device-xml-fuzz.c: any octets as one device that comes to a domain
 *
 * What is accepted is found again, can be replaced by itself, and leaves the domain as it was.
 */

#include "config.h"

#include "conf/device-def.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

static const char domain[]
    = "<domain type='qemu'><name>d</name><memory>65536</memory>"
      "<uuid>01234567-89ab-cdef-0123-456789abcdef</uuid>"
      "<os><type arch='x86_64' machine='pc-q35-10.0'>hvm</type></os><devices>"
      "<controller type='pci' index='1' model='pcie-root-port'/>"
      "<controller type='pci' index='2' model='pcie-root-port'/>"
      "<controller type='scsi' index='0' model='virtio-scsi'/></devices></domain>";

static const char *
canonical_machine (const char *emulator, const char *machine, gpointer data)
{
  return machine;
}

static void
come_and_go (const StasisDeviceDef *device, const StasisConfContext *context)
{
  g_autoptr (GError) error = NULL;
  StasisDevicePlace place;
  g_autoptr (StasisDomainDef) def
      = stasis_domain_def_parse (domain, -1, NULL, context, STASIS_DOMAIN_PARSE_DEFAULT, &error);
  g_assert_no_error (error);
  stasis_domain_def_append_device (def, device, &place);
  if (!stasis_domain_def_complete (def, context, STASIS_DOMAIN_PARSE_ACTIVE, &error))
    {
      g_assert_true (error->domain == STASIS_CONF_ERROR);
      return;
    }
  g_autofree char *xml = stasis_domain_def_format (def, STASIS_DOMAIN_FORMAT_ACTIVE);
  g_autoptr (StasisDomainDef) again
      = stasis_domain_def_parse (xml, -1, NULL, context, STASIS_DOMAIN_PARSE_ACTIVE, &error);
  g_assert_no_error (error);
  g_autofree char *name = stasis_device_def_describe (device);
  if (stasis_domain_def_match_device (def, device, &place) == 0)
    return;
  stasis_domain_def_replace_device (def, &place, device);
  stasis_domain_def_remove_device (def, &place);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  const StasisConfContext context = { .canonical_machine = canonical_machine };
  g_autofree char *xml = g_strndup ((const char *) data, size);
  for (int active = 0; active < 2; active++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (StasisDeviceDef) device = stasis_device_def_parse (xml, active != 0, &error);
      if (device != NULL)
        come_and_go (device, &context);
      else
        g_assert_true (error != NULL && error->domain == STASIS_CONF_ERROR);
    }
  return 0;
}
