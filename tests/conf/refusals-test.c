/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * refusals-test.c: what src/conf refuses, and that it says what and where
 */

#include "config.h"

#include "conf-test.h"

#include <string.h>

/* A case puts @devices and @rest into a small domain, one element a line:
 *   1 <domain>, 2 name, 3 memory, 4 os, 5 @rest, 6 <devices>, 7 @devices */
typedef struct
{
  const char *name;
  const char *rest;
  const char *devices;
  int code;
  const char *message; /* a part of it */
} Case;

#define DISK   "<disk type='file'><source file='/a'/><target dev='vda' bus='virtio'/>"
#define UNSUPP STASIS_CONF_ERROR_UNSUPPORTED
#define INVAL  STASIS_CONF_ERROR_INVALID

static const Case cases[] = {
  { "unknown-element", "<foo/>", "", UNSUPP, "d.xml:5: /domain/foo: element 'foo'" },
  { "unknown-attribute", "<cpu bar='1'/>", "", UNSUPP, "d.xml:5: /domain/cpu/@bar: attribute" },
  { "unknown-attribute-in-disk", "", DISK "<driver foo='1'/></disk>", UNSUPP,
    "d.xml:7: /domain/devices/disk/driver/@foo" },
  { "second-disk-is-counted", "", DISK "</disk><disk><foo/></disk>", UNSUPP,
    "/domain/devices/disk[2]/foo" },
  { "text-where-none-belongs", "<features>acpi</features>", "", UNSUPP, "/domain/features: text" },
  { "tpm", "", "<tpm model='tpm-crb'/>", UNSUPP, "device 'tpm' is not supported yet" },
  { "filesystem", "", "<filesystem/>", UNSUPP, "device 'filesystem' is not supported yet" },
  { "hostdev", "", "<hostdev/>", UNSUPP, "device 'hostdev' is not supported yet" },
  { "numa", "<cpu><numa/></cpu>", "", UNSUPP, "/domain/cpu/numa: element 'numa'" },
  { "network-disk", "", "<disk type='network'/>", UNSUPP,
    "/domain/devices/disk/@type: 'network' is not supported (known: file, block)" },
  { "backing-attribute-of-other-type", "",
    "<disk type='block'><source file='/a'/><target dev='vda'/></disk>", UNSUPP,
    "/domain/devices/disk/source/@file" },
  { "foreign-namespace", "<x:y xmlns:x='urn:x'/>", "", UNSUPP, "elements of namespace 'urn:x'" },
  { "qemu-capabilities", "<q:capabilities xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'/>",
    "", UNSUPP, "namespace" },
  { "twice", "<cpu/><cpu/>", "", INVAL, "given more than once" },
  { "vnc-password", "", "<graphics type='vnc' passwd='s3cret'/>", 0, NULL },
  { "long-vnc-password", "", "<graphics type='vnc' passwd='123456789'/>", INVAL,
    "d.xml:7: /domain/devices/graphics[1]/@passwd: longer" },
  { "spice-password", "", "<graphics type='spice' passwd='x'/>", UNSUPP, "graphics/@passwd" },
  { "hex-vcpu", "<vcpu>0x10</vcpu>", "", INVAL, "d.xml:5: /domain/vcpu: '0x10' is not a number" },
  { "hex-memory", "<currentMemory>0x100</currentMemory>", "", INVAL, "'0x100' is not a size" },
  { "hex-unit", "",
    "<disk><source file='/a'/><target dev='hda'/><address type='drive' unit='0x1'/></disk>", INVAL,
    "'0x1' is not a number" },
  { "hex-pci", "",
    DISK "<address type='pci' domain='0x0' bus='0X00' slot='0x1e' function='0x0'/></disk>", 0,
    NULL },
  { "line-of-second-disk", "",
    DISK "</disk>\n<disk>\n<source file='/b'/>\n<target dev='vda'/>\n</disk>", INVAL,
    "d.xml:10: /domain/devices/disk[2]/target/@dev: 'vda' is used twice" },
  { "line-of-what-is-missing", "", DISK "</disk>\n<disk>\n<target dev='vdb'/></disk>", INVAL,
    "d.xml:8: /domain/devices/disk[2]/source: " },
  { "line-of-qemu-env",
    "<q:commandline xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'>\n<q:env name='a'/>\n"
    "<q:env name=''/></q:commandline>",
    "", INVAL, "d.xml:7: /domain/qemu:commandline/qemu:env[2]: no name" },
  { "line-of-boot-order", "",
    DISK "<boot order='1'/></disk>\n<interface type='user'>\n<boot order='1'/></interface>", INVAL,
    "d.xml:9: /domain/devices/interface[1]/boot/@order: '1' is used twice" },
  { "line-of-pci-address", "",
    DISK "<address type='pci' slot='0x1e'/></disk>\n<memballoon>\n"
         "<address type='pci' slot='0x1e'/></memballoon>",
    INVAL, "d.xml:9: /domain/devices/memballoon[1]/address: PCI address" },
  { "line-of-usb-address", "",
    "<input type='tablet' bus='usb'>\n<address type='usb' bus='0' port='1.x'/></input>", INVAL,
    "d.xml:8: /domain/devices/input[1]/address: USB address" },
  { "bandwidth", "", "<interface type='user'><bandwidth/></interface>", UNSUPP, "bandwidth" },
  { "lxc", "<os><type>exe</type></os>", "", INVAL, "given more than once" },
  { "bad-number", "<vcpu>two</vcpu>", "", INVAL, "/domain/vcpu: 'two' is not a number" },
  { "huge-number", "<vcpu>99999999999999999999</vcpu>", "", INVAL, "is not a number" },
  { "bad-size", "<currentMemory unit='XiB'>1</currentMemory>", "", INVAL, "is not a size" },
  { "overflowing-size", "<currentMemory unit='TiB'>99999999999</currentMemory>", "", INVAL,
    "is not a size" },
  { "current-memory", "<currentMemory>99999999</currentMemory>", "", INVAL, "currentMemory" },
  { "topology", "<cpu><topology sockets='1' cores='2' threads='1'/></cpu>", "", INVAL,
    "do not multiply to 1 vcpus" },
  { "huge-topology",
    "<cpu><topology sockets='2147483647' cores='2147483647' threads='2147483647'/></cpu>", "",
    INVAL, "do not multiply" },
  { "vcpus", "<vcpu>0</vcpu>", "", INVAL, "/domain/vcpu: 0" },
  { "uuid", "<uuid>123</uuid>", "", INVAL, "'123' is not a UUID" },
  { "target-twice", "", DISK "</disk>" DISK "</disk>", INVAL,
    "disk[2]/target/@dev: 'vda' is used" },
  { "no-source", "", "<disk><target dev='vda'/></disk>", INVAL, "needs a file or a device" },
  { "relative-source", "", "<disk><source file='a'/><target dev='vda'/></disk>", INVAL,
    "'a' is not an absolute path" },
  { "native-without-direct", "", DISK "<driver io='native'/></disk>", INVAL, "'native' needs" },
  { "cdrom-on-virtio", "", "<disk device='cdrom'><target dev='vda' bus='virtio'/></disk>", INVAL,
    "no 'cdrom' on bus 'virtio'" },
  { "pci-address-twice", "",
    "<interface type='user'><address type='pci' slot='5'/></interface>"
    "<interface type='user'><address type='pci' slot='5'/></interface>",
    INVAL, "PCI address 0000:00:05.0 is used twice" },
  { "pci-address-nowhere", "", "<interface type='user'><address type='pci' slot='40'/></interface>",
    INVAL, "does not exist" },
  { "pci-domain", "",
    "<interface type='user'><address type='pci' domain='1' slot='4'/></interface>", INVAL,
    "does not exist" },
  { "wrong-address-type", "", "<interface type='user'><address type='drive' unit='4'/></interface>",
    INVAL, "interface[1]/address/@type: 'drive'" },
  { "same-drive", "",
    "<disk><source file='/a'/><target dev='hda'/><address type='drive' unit='0'/></disk>"
    "<disk><source file='/a'/><target dev='hdb'/><address type='drive' unit='0'/></disk>",
    INVAL, "another disk has this place" },
  { "no-such-drive", "",
    "<disk><source file='/a'/><target dev='hda'/><address type='drive' unit='7'/></disk>", INVAL,
    "no such place" },
  { "usb-without-usb", "", "<controller type='usb' model='none'/><input type='tablet' bus='usb'/>",
    INVAL, "no USB port" },
  { "usb-port-twice", "",
    "<input type='tablet' bus='usb'><address type='usb' bus='0' port='1'/></input>"
    "<input type='mouse' bus='usb'><address type='usb' bus='0' port='1'/></input>",
    INVAL, "USB address 0:1 is used twice" },
  { "usb-port-nonsense", "",
    "<input type='tablet' bus='usb'><address type='usb' bus='0' port='1.x'/></input>", INVAL,
    "does not exist" },
  { "channel-port-twice", "",
    "<channel type='pty'><target type='virtio' name='a'/>"
    "<address type='virtio-serial' port='3'/></channel>"
    "<channel type='pty'><target type='virtio' name='b'/>"
    "<address type='virtio-serial' port='3'/></channel>",
    INVAL, "the port is used twice" },
  { "spicevmc-without-spice", "", "<channel type='spicevmc'><target type='virtio'/></channel>",
    INVAL, "needs <graphics" },
  { "stdio", "", "<serial type='stdio'/>", UNSUPP, "'stdio' is not supported" },
  { "multicast-mac", "", "<interface type='user'><mac address='01:00:00:00:00:00'/></interface>",
    INVAL, "multicast" },
  { "bad-mac", "", "<interface type='user'><mac address='hello'/></interface>", INVAL,
    "'hello' is not a MAC address" },
  { "unmapped-network", "", "<interface type='network'><source network='lan'/></interface>", UNSUPP,
    "no bridge is configured for network 'lan'" },
  { "boot-order-alone", "", DISK "<boot order='1'/></disk>", 0, NULL },
  { "boot-order-twice", "",
    DISK "<boot order='1'/></disk><interface type='user'><boot order='1'/></interface>", INVAL,
    "'1' is used twice" },
  { "two-balloons", "", "<memballoon/><memballoon/>", INVAL, "there can be only one" },
  { "model-of-other-type", "", "<controller type='usb' model='virtio-scsi'/>", INVAL,
    "'virtio-scsi' is no model of type 'usb'" },
  { "controller-twice", "",
    "<controller type='sata' index='0'/><controller type='sata' index='0'/>", INVAL,
    "such a controller already" },
  { "pcie-root-on-pc", "", "<controller type='pci' index='0' model='pcie-root'/>", INVAL,
    "'pci-root' with index 0" },
};

static char *
domain (const char *rest, const char *devices)
{
  return g_strdup_printf ("<domain type='qemu'>\n<name>d</name>\n<memory>65536</memory>\n"
                          "<os><type machine='pc'>hvm</type></os>\n%s\n<devices>\n%s\n</devices>\n"
                          "</domain>\n",
                          rest, devices);
}

static void
test_case (gconstpointer data)
{
  const Case *c = data;
  g_autofree char *xml = domain (c->rest, c->devices);
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisDomainDef) def = stasis_domain_def_parse (xml, -1, "d.xml", &conf_test_context,
                                                             STASIS_DOMAIN_PARSE_DEFAULT, &error);

  if (c->message == NULL)
    {
      g_assert_no_error (error);
      g_assert_nonnull (def);
      return;
    }
  g_assert_null (def);
  g_assert_error (error, STASIS_CONF_ERROR, c->code);
  /* Each one with its line: "d.xml:7: ". */
  g_assert_true (g_regex_match_simple ("^d\\.xml:[1-9][0-9]*: /", error->message, 0, 0));
  if (strstr (error->message, c->message) == NULL)
    g_error ("'%s' does not contain '%s'", error->message, c->message);
}

static void
assert_refused (const char *xml, gssize length, int code, const char *message)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisDomainDef) def = stasis_domain_def_parse (xml, length, NULL, &conf_test_context,
                                                             STASIS_DOMAIN_PARSE_DEFAULT, &error);
  g_assert_null (def);
  g_assert_error (error, STASIS_CONF_ERROR, code);
  g_assert_nonnull (strstr (error->message, message));
}

static void
test_doctype (void)
{
  assert_refused ("<!DOCTYPE domain SYSTEM \"http://example.com/d.dtd\">\n<domain/>", -1,
                  STASIS_CONF_ERROR_UNSUPPORTED, "document type");
  assert_refused ("<!DOCTYPE d [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>\n"
                  "<domain><name>&x;</name></domain>",
                  -1, STASIS_CONF_ERROR_UNSUPPORTED, "document type");
}

static void
test_laughs (void)
{
  g_autoptr (GString) xml = g_string_new ("<?xml version='1.0'?>\n<!DOCTYPE d [\n"
                                          "<!ENTITY a0 'ha ha ha ha ha ha ha ha'>\n");
  for (int i = 1; i < 30; i++)
    g_string_append_printf (xml, "<!ENTITY a%d '&a%d;&a%d;&a%d;&a%d;'>\n", i, i - 1, i - 1, i - 1,
                            i - 1);
  g_string_append (xml, "]>\n<domain type='&a29;'><name>&a29;</name></domain>");

  const gint64 begin = g_get_monotonic_time ();
  assert_refused (xml->str, -1, STASIS_CONF_ERROR_UNSUPPORTED, "document type");
  g_assert_cmpint (g_get_monotonic_time () - begin, <, 2 * G_USEC_PER_SEC);
}

static void
test_deep (void)
{
  g_autoptr (GString) xml = g_string_new ("<domain>");
  for (int i = 0; i < 100000; i++)
    g_string_append (xml, "<a>");
  assert_refused (xml->str, -1, STASIS_CONF_ERROR_LIMIT, "too deep");
}

static void
test_wide (void)
{
  g_autoptr (GString) xml = g_string_new ("<domain>");
  for (int i = 0; i < 100000; i++)
    g_string_append (xml, "<a/>");
  assert_refused (xml->str, -1, STASIS_CONF_ERROR_LIMIT, "too many");
}

static void
test_long (void)
{
  g_autofree char *blanks = g_strnfill (STASIS_DOMAIN_SIZE_MAX + 1, ' ');
  assert_refused (blanks, -1, STASIS_CONF_ERROR_LIMIT, "too long");
}

static void
test_not_xml (void)
{
  assert_refused ("", -1, STASIS_CONF_ERROR_SYNTAX, "");
  assert_refused ("hello", -1, STASIS_CONF_ERROR_SYNTAX, "line 1: not well-formed XML");
  assert_refused ("<domain>\n<name></domain>", -1, STASIS_CONF_ERROR_SYNTAX, "line 2: ");
  assert_refused ("<network/>", -1, STASIS_CONF_ERROR_INVALID, "must be 'domain'");
  assert_refused ("\0\0\0\0", 4, STASIS_CONF_ERROR_SYNTAX, "");
  assert_refused ("<domain>&lt;&#0;</domain>", -1, STASIS_CONF_ERROR_SYNTAX, "");
  assert_refused ("<domain>&undeclared;</domain>", -1, STASIS_CONF_ERROR_SYNTAX, "");
}

/* Every prefix of a good definition fails cleanly. */
static void
test_prefixes (void)
{
  g_autofree char *xml = conf_test_read ("libvirt/pc-features.xml");
  const gsize length = strlen (g_strchomp (xml));

  for (gsize i = 0; i < length; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (StasisDomainDef) def = stasis_domain_def_parse (
          xml, (gssize) i, NULL, &conf_test_context, STASIS_DOMAIN_PARSE_DEFAULT, &error);
      g_assert_null (def);
      g_assert_error (error, STASIS_CONF_ERROR, STASIS_CONF_ERROR_SYNTAX);
    }
}

static void
test_names (void)
{
  static const char *const names[]
      = { "",           ".",          "..",         "a/b",      "/",
          "a&#10;b",    "   ",        "a&#x7f;b",   "a&#x9b;b", "a&#x202e;b",
          "a&#x2066;b", "a&#x200b;b", "a&#x2028;b", "&#xfeff;a" };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *xml = g_strdup_printf (
          "<domain type='qemu'><name>%s</name><memory>65536</memory></domain>", names[i]);
      assert_refused (xml, -1, STASIS_CONF_ERROR_INVALID, "/domain/name");
    }
}

static void
test_machine (void)
{
  assert_refused ("<domain type='qemu'><name>d</name><memory>1</memory>"
                  "<os><type machine='microvm'>hvm</type></os></domain>",
                  -1, STASIS_CONF_ERROR_UNSUPPORTED, "no machine type 'microvm'");
  assert_refused ("<domain type='qemu'><name>d</name><memory>1</memory>"
                  "<os><type arch='aarch64'>hvm</type></os></domain>",
                  -1, STASIS_CONF_ERROR_UNSUPPORTED, "'aarch64' is not supported");
  assert_refused ("<domain type='xen'><name>d</name></domain>", -1, STASIS_CONF_ERROR_UNSUPPORTED,
                  "'xen' is not supported");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strdup_printf ("/conf/refusals/%s", cases[i].name);
      g_test_add_data_func (path, &cases[i], test_case);
    }
  g_test_add_func ("/conf/refusals/xml/doctype", test_doctype);
  g_test_add_func ("/conf/refusals/xml/billion-laughs", test_laughs);
  g_test_add_func ("/conf/refusals/xml/deep", test_deep);
  g_test_add_func ("/conf/refusals/xml/wide", test_wide);
  g_test_add_func ("/conf/refusals/xml/long", test_long);
  g_test_add_func ("/conf/refusals/xml/not-xml", test_not_xml);
  g_test_add_func ("/conf/refusals/xml/prefixes", test_prefixes);
  g_test_add_func ("/conf/refusals/names", test_names);
  g_test_add_func ("/conf/refusals/machine", test_machine);

  return g_test_run ();
}
