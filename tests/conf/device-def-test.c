/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device-def-test.c: tests of conf/device-def.c, and of the names that devices keep
 */

#include "config.h"

#include "conf/device-def.h"

#include <string.h>

#include "conf-test.h"

#define DOMAIN(devices) \
  "<domain type='kvm'><name>d</name><memory>65536</memory>" \
  "<os><type arch='x86_64' machine='q35'>hvm</type></os><devices>" devices "</devices></domain>"
#define PORT(index) "<controller type='pci' index='" index "' model='pcie-root-port'/>"
#define PORTS       PORT ("1") PORT ("2") PORT ("3") PORT ("4") PORT ("5") PORT ("6")
#define NIC(mac) \
  "<interface type='user'><mac address='52:54:00:00:00:" mac "'/><model " \
  "type='virtio'/></interface>"
#define DISK \
  "<disk type='file' device='disk'><source file='/a'/><target dev='vdb' bus='virtio'/></disk>"

static StasisDeviceDef *
parse (const char *xml)
{
  g_autoptr (GError) error = NULL;
  StasisDeviceDef *device = stasis_device_def_parse (xml, /* is_active= */ TRUE, &error);
  g_assert_no_error (error);
  return device;
}

static void
complete (StasisDomainDef *def)
{
  g_autoptr (GError) error = NULL;
  stasis_domain_def_complete (def, &conf_test_context, STASIS_DOMAIN_PARSE_ACTIVE, &error);
  g_assert_no_error (error);
}

/* A device that comes gets a place of its own; the others keep theirs. */
static void
test_append (void)
{
  g_autoptr (StasisDomainDef) def = conf_test_parse (DOMAIN (PORTS NIC ("01")));
  g_autoptr (StasisDeviceDef) device = parse (DISK);
  const StasisInterfaceDef *nic = g_ptr_array_index (def->interfaces, 0);
  const gint64 bus = nic->info.address.bus;
  const guint n_controllers = def->controllers->len;
  StasisDevicePlace place;

  stasis_domain_def_append_device (def, device, &place);
  complete (def);
  const StasisDiskDef *disk = place.item;
  g_assert_cmpstr (place.kind, ==, "disk");
  g_assert_cmpstr (disk->info.alias, ==, "virtio-disk1");
  g_assert_cmpint (disk->info.address.type, ==, STASIS_ADDRESS_PCI);
  g_assert_cmpint (disk->info.address.bus, !=, bus);
  g_assert_cmpint (nic->info.address.bus, ==, bus);
  g_assert_cmpuint (def->controllers->len, ==, n_controllers);

  g_autofree char *xml = stasis_domain_def_format (def, STASIS_DOMAIN_FORMAT_INACTIVE);
  g_autoptr (StasisDomainDef) again = conf_test_parse (xml);
  g_autoptr (GError) error = NULL;
  stasis_domain_def_check_abi (def, again, &error);
  g_assert_no_error (error);
}

/* Those that stay keep their names, and one that comes gets another. */
static void
test_aliases (void)
{
  g_autoptr (StasisDomainDef) def = conf_test_parse (DOMAIN (PORTS NIC ("01") NIC ("02")));
  g_autoptr (StasisDeviceDef) first = parse (NIC ("01"));
  g_autoptr (StasisDeviceDef) third = parse (NIC ("03"));
  StasisDevicePlace place;

  g_assert_cmpuint (stasis_domain_def_match_device (def, first, &place), ==, 1);
  g_assert_cmpstr (place.info->alias, ==, "net0");
  stasis_domain_def_remove_device (def, &place);
  complete (def);
  g_assert_true (stasis_domain_def_find_alias (def, "net1", &place));
  g_assert_cmpstr (((StasisInterfaceDef *) place.item)->mac, ==, "52:54:00:00:00:02");
  stasis_domain_def_append_device (def, third, &place);
  complete (def);
  g_assert_cmpstr (place.info->alias, ==, "net2");

  g_autofree char *xml = stasis_domain_def_format (def, STASIS_DOMAIN_FORMAT_ACTIVE);
  g_autoptr (StasisDomainDef) live = stasis_domain_def_parse (xml, -1, NULL, &conf_test_context,
                                                              STASIS_DOMAIN_PARSE_ACTIVE, NULL);
  g_assert_true (stasis_domain_def_find_alias (live, "net2", &place));
  g_assert_false (stasis_domain_def_find_alias (live, "net0", &place));
}

static void
test_match (void)
{
  g_autoptr (StasisDomainDef) def = conf_test_parse (DOMAIN (
      PORTS DISK NIC ("01") NIC ("02") "<rng model='virtio'><backend model='builtin'/></rng>"));
  const struct
  {
    const char *xml;
    guint n_found;
  } cases[] = {
    { "<disk><target dev='vdb'/></disk>", 1 },
    { "<disk><target dev='vdc'/></disk>", 0 },
    { "<interface type='user'><mac address='52:54:00:00:00:02'/></interface>", 1 },
    { "<interface type='user'><mac address='52:54:00:00:00:02'/><alias name='net0'/></interface>",
      0 },
    { "<interface type='user'><alias name='net1'/></interface>", 1 },
    { "<rng model='virtio'><backend model='builtin'/><alias name='rng0'/></rng>", 1 },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (StasisDeviceDef) device = parse (cases[i].xml);
      StasisDevicePlace place;
      g_test_message ("%s", cases[i].xml);
      g_assert_cmpuint (stasis_domain_def_match_device (def, device, &place), ==, cases[i].n_found);
    }
}

static void
test_replace (void)
{
  g_autoptr (StasisDomainDef) def = conf_test_parse (DOMAIN (PORTS NIC ("01")));
  g_autoptr (StasisDeviceDef) device
      = parse ("<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/>"
               "<link state='down'/></interface>");
  g_autoptr (StasisDomainDef) before = stasis_domain_def_copy (def);
  g_autoptr (GError) error = NULL;
  StasisDevicePlace place;

  g_assert_cmpuint (stasis_domain_def_match_device (def, device, &place), ==, 1);
  stasis_domain_def_replace_device (def, &place, device);
  complete (def);
  g_assert_cmpint (((StasisInterfaceDef *) place.item)->link, ==, STASIS_LINK_DOWN);
  g_assert_cmpstr (place.info->alias, ==, "net0");
  stasis_domain_def_check_abi (before, def, &error);
  g_assert_no_error (error);
}

static void
test_refused (void)
{
  static const struct
  {
    const char *xml;
    const char *word;
  } cases[] = {
    { "", "" },
    { "<disk", "" },
    { "<hostdev mode='subsystem'/>", "hostdev" },
    { "<disk><colour/></disk>", "colour" },
    { "<disk/><disk/>", "" },
    { "<domain type='kvm'/>", "domain" },
    { "<!DOCTYPE d [<!ENTITY e 'x'>]><disk>&e;</disk>", "" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      g_assert_null (stasis_device_def_parse (cases[i].xml, FALSE, &error));
      g_assert_true (error != NULL && error->domain == STASIS_CONF_ERROR);
      g_assert_nonnull (strstr (error->message, cases[i].word));
    }
  g_autofree char *large = g_strnfill (STASIS_DOMAIN_SIZE_MAX + 1, ' ');
  g_autoptr (GError) error = NULL;
  g_assert_null (stasis_device_def_parse (large, FALSE, &error));
  g_assert_nonnull (error);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/conf/device-def/append", test_append);
  g_test_add_func ("/conf/device-def/aliases", test_aliases);
  g_test_add_func ("/conf/device-def/match", test_match);
  g_test_add_func ("/conf/device-def/replace", test_replace);
  g_test_add_func ("/conf/device-def/refused", test_refused);
  return g_test_run ();
}
