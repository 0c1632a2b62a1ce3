/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-abi-test.c: tests of src/conf/domain-abi.c
 */

#include "config.h"

#include "conf-test.h"

#include <string.h>

/* In the definition that libvirt made of libvirt/@sample.xml, @find becomes @replace. */
typedef struct
{
  const char *name;
  const char *sample;
  const char *find;
  const char *replace;
  const char *difference; /* a line of the message; NULL: the guest does not notice */
} Case;

static const Case cases[] = {
  { "same", "q35-devices", "", "", NULL },
  { "disk-moved", "pc-features", "<source dev='/dev/null'/>", "<source dev='/dev/zero'/>", NULL },
  { "renamed", "pc-features", "<name>pc-features</name>", "<name>other</name>", NULL },
  { "other-title", "pc-features", "A title", "Another", NULL },
  { "metadata-gone", "pc-features", "<x:z a=\"b\">text</x:z>", "", NULL },
  { "other-cache", "pc-features", "cache='none'", "cache='directsync'", NULL },
  { "other-bridge", "pc-devices", "bridge='br0'", "bridge='br1'", NULL },
  { "other-serial-path", "pc-devices", "/var/tmp/serial.log", "/var/tmp/serial2.log", NULL },
  { "other-vnc-address", "pc-devices", "127.0.0.1", "::1", NULL },
  { "hugepages", "pc-plain", "<vcpu ", "<memoryBacking><hugepages/></memoryBacking><vcpu ", NULL },
  { "boot-order", "pc-devices", "<boot dev='cdrom'/>", "", NULL },
  { "uuid", "pc-plain", "000000000001", "000000000009",
    "/domain/uuid: '11111111-2222-3333-4444-000000000001' -> "
    "'11111111-2222-3333-4444-000000000009'" },
  { "memory", "pc-plain", "<memory unit='KiB'>262144", "<memory unit='KiB'>262148",
    "/domain/memory: '262144 KiB' -> '262148 KiB'" },
  { "vcpus", "pc-plain", ">2</vcpu>", ">3</vcpu>", "/domain/vcpu: '2' -> '3'" },
  { "machine", "pc-plain", "pc-i440fx-10.0", "pc-i440fx-7.2",
    "/domain/os/type/@machine: 'pc-i440fx-10.0' -> 'pc-i440fx-7.2'" },
  { "cpu-model", "pc-cpu", "Nehalem", "Westmere", "/domain/cpu/model: 'Nehalem' -> 'Westmere'" },
  { "cpu-feature", "pc-cpu", "<feature policy='disable' name='vmx'/>", "",
    "/domain/cpu/feature[1]: 'present' -> nothing" },
  { "feature", "pc-kernel", "<apic/>", "", "/domain/features/apic: 'present' -> nothing" },
  { "timer", "pc-cpu", "<timer name='hpet' present='no'/>", "<timer name='hpet' present='yes'/>",
    "/domain/clock/timer[3]/@present: 'no' -> 'yes'" },
  { "disk-bus", "pc-devices", "<target dev='sda' bus='sata'/>", "<target dev='sda' bus='scsi'/>",
    "target/@bus: 'sata' -> 'scsi'" },
  { "disk-serial", "pc-devices", "ABC-1", "ABC-2",
    "/domain/devices/disk[2]/serial: 'ABC-1' -> 'ABC-2'" },
  { "pci-slot", "pc-fixed", "slot='0x03' function", "slot='0x09' function",
    "/address/@slot: '0x03' -> '0x09'" },
  { "mac", "pc-devices", "52:54:00:00:00:01", "52:54:00:00:00:99",
    "/domain/devices/interface[1]/mac/@address: '52:54:00:00:00:01' -> '52:54:00:00:00:99'" },
  { "nic-model", "pc-devices", "<model type='e1000'/>", "<model type='rtl8139'/>",
    "/domain/devices/interface[2]/model/@type: 'e1000' -> 'rtl8139'" },
  { "channel-name", "pc-devices", "org.qemu.guest_agent.0", "org.example.0",
    "/domain/devices/channel[1]/target/@name: 'org.qemu.guest_agent.0' -> 'org.example.0'" },
  { "balloon", "pc-no-usb", "<memballoon model='none'/>", "<memballoon model='virtio'/>",
    "/domain/devices/memballoon[1]/@model: 'none' -> 'virtio'" },
};

static char *
replace (const char *text, const char *find, const char *with)
{
  if (*find == '\0')
    return g_strdup (text);
  const char *at = strstr (text, find);
  g_assert_nonnull (at);
  return g_strdup_printf ("%.*s%s%s", (int) (at - text), text, with, at + strlen (find));
}

static void
test_case (gconstpointer data)
{
  const Case *c = data;
  g_autofree char *file = g_strdup_printf ("libvirt/%s.expected.xml", c->sample);
  g_autofree char *xml = conf_test_read (file);
  g_autofree char *changed = replace (xml, c->find, c->replace);
  g_autoptr (StasisDomainDef) now = conf_test_parse (xml);
  g_autoptr (StasisDomainDef) wanted = conf_test_parse (changed);
  g_autoptr (GError) error = NULL;

  const gboolean same = stasis_domain_def_check_abi (now, wanted, &error);
  if (c->difference == NULL)
    {
      g_assert_no_error (error);
      g_assert_true (same);
      return;
    }
  g_assert_false (same);
  g_assert_error (error, STASIS_CONF_ERROR, STASIS_CONF_ERROR_ABI);
  if (strstr (error->message, c->difference) == NULL)
    g_error ("'%s' does not contain '%s'", error->message, c->difference);
}

/* All of them, not just the first. */
static void
test_every_difference (void)
{
  g_autofree char *xml = conf_test_read ("libvirt/pc-devices.expected.xml");
  g_autofree char *once = replace (xml, "ABC-1", "ABC-2");
  g_autofree char *twice = replace (once, "52:54:00:00:00:01", "52:54:00:00:00:99");
  g_autoptr (StasisDomainDef) now = conf_test_parse (xml);
  g_autoptr (StasisDomainDef) wanted = conf_test_parse (twice);
  g_autoptr (GError) error = NULL;

  g_assert_false (stasis_domain_def_check_abi (now, wanted, &error));
  g_auto (GStrv) lines = g_strsplit (error->message, "\n", -1);
  g_assert_cmpuint (g_strv_length (lines), ==, 3);
  g_assert_nonnull (strstr (lines[1], "serial"));
  g_assert_nonnull (strstr (lines[2], "mac"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strdup_printf ("/conf/domain-abi/check/%s", cases[i].name);
      g_test_add_data_func (path, &cases[i], test_case);
    }
  g_test_add_func ("/conf/domain-abi/check/every-difference", test_every_difference);

  return g_test_run ();
}
