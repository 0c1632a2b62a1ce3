/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command-test.c: command lines against golden files; what is refused; what a domain needs
 *
 * STASIS_TEST_UPDATE=1 writes the golden files anew.
 */

#include "config.h"

#include "driver/command.h"

#include <glib/gstdio.h>
#include <string.h>

#include <stasis/error.h>

#include "command-fixture.h"

#define NOW 1000000000 /* 2001-09-09T01:46:40Z */

static StasisCommandHost
make_host (const GPtrArray *resources)
{
  return (StasisCommandHost){ .resources = resources,
                              .monitor_fd = 10,
                              .supervisor_fd = 11,
                              .socket_folder = "/run/domain",
                              .now = NOW };
}

static char *
golden_path (const char *xml_path)
{
  g_autofree char *stem = g_strndup (xml_path, strlen (xml_path) - strlen (".xml"));
  return g_strconcat (stem, ".args", NULL);
}

static void
test_golden (gconstpointer data)
{
  const char *path = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisQemuCaps) caps = fixture_caps ("qemu-10.0");
  g_autoptr (StasisDomainDef) def = fixture_definition (path, caps, &error);
  g_assert_no_error (error);
  g_autoptr (GPtrArray) resources = fixture_resources (def);
  const StasisCommandHost host = make_host (resources);
  g_auto (GStrv) argv = stasis_command_build (def, caps, &host, &error);
  g_assert_no_error (error);

  g_autofree char *text = fixture_format (argv);
  g_autofree char *golden = golden_path (path);
  if (g_getenv ("STASIS_TEST_UPDATE") != NULL)
    g_assert_true (g_file_set_contents (golden, text, -1, NULL));
  g_autofree char *expected = NULL;
  g_assert_true (g_file_get_contents (golden, &expected, NULL, &error));
  g_assert_cmpstr (text, ==, expected);
}

/* Of the command line nothing changes but the memory's object. */
static void
check_mapped (const char *emulator, const StasisCommandRam *ram, const char *expected)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path
      = g_test_build_filename (G_TEST_DIST, "data", "driver", "command", "q35-plain.xml", NULL);
  g_autoptr (StasisQemuCaps) caps = fixture_caps (emulator);
  g_autoptr (StasisDomainDef) def = fixture_definition (path, caps, &error);
  g_assert_no_error (error);
  g_assert_true (stasis_command_ram_is_plain (def));
  g_autoptr (GPtrArray) resources = fixture_resources (def);
  StasisCommandHost host = make_host (resources);
  g_auto (GStrv) plain = stasis_command_build (def, caps, &host, &error);
  host.mapped_ram = ram;
  g_auto (GStrv) mapped = stasis_command_build (def, caps, &host, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_strv_length (plain), ==, g_strv_length (mapped));

  guint n_changed = 0;
  for (gsize i = 0; mapped[i] != NULL; i++)
    if (!g_str_equal (plain[i], mapped[i]))
      {
        n_changed++;
        g_assert_nonnull (strstr (plain[i], "\"qom-type\":\"memory-backend-ram\""));
        g_assert_true (g_str_has_prefix (mapped[i], expected));
      }
  g_assert_cmpuint (n_changed, ==, 1);
}

static void
test_mapped_ram (void)
{
  const StasisCommandRam ram = { .fd = 33, .offset = 1 << 20 };
  check_mapped ("qemu-10.0", &ram,
                "{\"qom-type\":\"memory-backend-file\",\"mem-path\":\"/proc/self/fd/33\","
                "\"offset\":1048576,\"share\":false,\"readonly\":true,\"rom\":\"off\","
                "\"x-use-canonical-path-for-ramblock-id\":false,\"id\":\"pc.ram\",");
}

/* Neither offset nor rom. */
static void
test_flat_ram (void)
{
  const StasisCommandRam ram = { .fd = 33, .is_flat = TRUE };
  check_mapped ("qemu-7.2", &ram,
                "{\"qom-type\":\"memory-backend-file\",\"mem-path\":\"/proc/self/fd/33\","
                "\"share\":false,\"readonly\":false,"
                "\"x-use-canonical-path-for-ramblock-id\":false,\"id\":\"pc.ram\",");
}

/* The older QEMU has all that the golden files use. */
static void
test_older (gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisQemuCaps) caps = fixture_caps ("qemu-7.2");
  g_autoptr (StasisDomainDef) def = fixture_definition (data, caps, &error);
  g_assert_no_error (error);
  g_autoptr (GPtrArray) resources = fixture_resources (def);
  const StasisCommandHost host = make_host (resources);
  g_auto (GStrv) argv = stasis_command_build (def, caps, &host, &error);
  g_assert_no_error (error);
  g_assert_nonnull (argv);
}

static char *
make_xml (const char *type, const char *machine, const char *top, const char *devices)
{
  return g_strdup_printf (
      "<domain type='%s'><name>x</name><uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid>"
      "<memory unit='MiB'>64</memory><vcpu>1</vcpu>"
      "<os><type arch='x86_64' machine='%s'>hvm</type></os>"
      "%s<devices>%s</devices></domain>",
      type, machine, top, devices);
}

static StasisDomainDef *
parse (const char *xml, const StasisQemuCaps *caps)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = NULL;
  const int fd = g_file_open_tmp ("stasis-command-XXXXXX", &path, &error);
  g_assert_no_error (error);
  g_assert_true (g_close (fd, NULL));
  g_assert_true (g_file_set_contents (path, xml, -1, NULL));
  StasisDomainDef *def = fixture_definition (path, caps, &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_unlink (path), ==, 0);
  return def;
}

typedef struct
{
  const char *name;
  const char *type;
  const char *machine;
  const char *top;
  const char *devices;
  const char *message;
} Refusal;

#define SPICE "<graphics type='spice' autoport='yes'/>"

static const Refusal refusals[] = {
  { "spice", "qemu", "q35", "", SPICE, "/domain/devices/graphics[1]/@type: 'spice'" },
  { "spice-graphics", "qemu", "q35", "", SPICE "<audio id='1' type='none'/>",
    "/domain/devices/graphics[1]/@type: 'spice'" },
  { "spice-audio", "qemu", "q35", "", "<graphics type='vnc'/><audio id='1' type='spice'/>",
    "/domain/devices/audio[1]/@type: 'spice'" },
  { "spicevmc", "qemu", "q35", "",
    SPICE "<channel type='spicevmc'><target type='virtio' name='com.redhat.spice.0'/></channel>",
    "/domain/devices/channel[1]/@type: 'spicevmc'" },
  { "no-such-device", "qemu", "pc", "", "<graphics type='vnc'/><video><model type='qxl'/></video>",
    "/domain/devices/video[1]: QEMU 10.0.2 as installed has no device 'qxl-vga'" },
  { "read-only-ide", "qemu", "pc", "",
    "<disk type='file' device='disk'><source file='/a'/><target dev='hda' bus='ide'/><readonly/>"
    "</disk>",
    "/domain/devices/disk[1]/readonly" },
  { "queues", "qemu", "pc", "",
    "<interface type='user'><model type='virtio'/><driver queues='4'/></interface>",
    "/domain/devices/interface[1]/driver/@queues" },
  { "host-passthrough", "qemu", "pc", "<cpu mode='host-passthrough'/>", "",
    "/domain/cpu/@mode: 'host-passthrough'" },
  { "match-minimum", "qemu", "pc", "<cpu match='minimum'><model>qemu64</model></cpu>", "",
    "/domain/cpu/@match: 'minimum'" },
  { "cache-passthrough", "qemu", "pc",
    "<cpu><model>qemu64</model><cache mode='passthrough'/></cpu>", "",
    "/domain/cpu/cache/@mode: 'passthrough'" },
  { "timezone", "qemu", "pc", "<clock offset='timezone' timezone='Mars/Olympus'/>", "",
    "/domain/clock" },
  { "rtc-merge", "qemu", "pc", "<clock offset='utc'><timer name='rtc' tickpolicy='merge'/></clock>",
    "", "/domain/clock/timer[1]/@tickpolicy: timer 'rtc' has no policy 'merge'" },
  { "pit-merge", "kvm", "pc",
    "<clock offset='utc'><timer name='rtc'/><timer name='pit' tickpolicy='merge'/></clock>", "",
    "/domain/clock/timer[2]/@tickpolicy: timer 'pit' has no policy 'merge'" },
  { "tsc-mode", "kvm", "pc", "<clock offset='utc'><timer name='tsc' mode='emulate'/></clock>", "",
    "/domain/clock/timer[1]/@mode: 'emulate'" },
  { "watchdog-dump", "qemu", "pc", "", "<watchdog model='i6300esb' action='dump'/>",
    "/domain/devices/watchdog[1]: 'dump'" },
  { "itco-on-pc", "qemu", "pc", "", "<watchdog model='itco'/>",
    "/domain/devices/watchdog[1]: 'itco'" },
};

static void
test_refusal (gconstpointer data)
{
  const Refusal *refusal = data;
  g_autoptr (StasisQemuCaps) caps = fixture_caps ("qemu-10.0");
  g_autofree char *xml = make_xml (refusal->type, refusal->machine, refusal->top, refusal->devices);
  g_autoptr (StasisDomainDef) def = parse (xml, caps);
  g_autoptr (GPtrArray) resources = fixture_resources (def);
  const StasisCommandHost host = make_host (resources);
  g_autoptr (GError) error = NULL;

  g_assert_null (stasis_command_build (def, caps, &host, &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED);
  g_test_message ("%s", error->message);
  g_assert_true (g_str_has_prefix (error->message, refusal->message));
}

#define DISK \
  "<disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='none'/>" \
  "<source file='/a'/><target dev='vda' bus='virtio'/></disk>"

/* What the driver forgot to open is an error, not a crash or a path on the command line. */
static void
test_not_opened (void)
{
  g_autoptr (StasisQemuCaps) caps = fixture_caps ("qemu-10.0");
  g_autofree char *xml = make_xml ("qemu", "pc", "", DISK);
  g_autoptr (StasisDomainDef) def = parse (xml, caps);
  g_autoptr (GPtrArray) resources = stasis_resources_list (def);
  const StasisCommandHost host = make_host (resources);
  g_autoptr (GError) error = NULL;

  g_assert_null (stasis_command_build (def, caps, &host, &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_FAILED);
  g_assert_nonnull (strstr (error->message, "disk:vda"));
}

static gboolean
has_pair (char **argv, const char *option, const char *value)
{
  for (char **arg = argv; *arg != NULL; arg++)
    if (g_str_equal (*arg, option) && g_strcmp0 (arg[1], value) == 0)
      return TRUE;
  return FALSE;
}

static void
test_incoming (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisQemuCaps) caps = fixture_caps ("qemu-10.0");
  g_autofree char *xml = make_xml ("qemu", "pc", "", "");
  g_autoptr (StasisDomainDef) def = parse (xml, caps);
  g_autoptr (GPtrArray) resources = stasis_resources_list (def);
  StasisCommandHost host = make_host (resources);

  g_auto (GStrv) cold = stasis_command_build (def, caps, &host, &error);
  g_assert_no_error (error);
  g_assert_false (has_pair (cold, "-incoming", "defer"));
  host.is_incoming = TRUE;
  g_auto (GStrv) warm = stasis_command_build (def, caps, &host, &error);
  g_assert_no_error (error);
  g_assert_true (has_pair (warm, "-incoming", "defer"));
}

typedef struct
{
  const char *key;
  StasisResourceKind kind;
  const char *path;
} Need;

static const Need needs[] = {
  { "loader", STASIS_RESOURCE_LOADER, "/fw" },
  { "nvram", STASIS_RESOURCE_NVRAM, "/vars" },
  { "kernel", STASIS_RESOURCE_BLOB, "/k" },
  { "disk:vda", STASIS_RESOURCE_DISK, "/a" },
  { "tap:net0", STASIS_RESOURCE_TAP, NULL },
  { "vhost:net0", STASIS_RESOURCE_VHOST, NULL },
  { "chardev:charserial0", STASIS_RESOURCE_OUTPUT, "/s" },
  { "log:charserial0", STASIS_RESOURCE_OUTPUT, "/l" },
  { "chardev:charchannel0", STASIS_RESOURCE_LISTEN, NULL },
};

/* All that is needed, in the order of the XML, once each. */
static void
test_resources (void)
{
  g_autoptr (StasisQemuCaps) caps = fixture_caps ("qemu-10.0");
  g_autofree char *xml = g_strdup (
      "<domain type='qemu'><name>x</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>"
      "<os><type arch='x86_64' machine='q35'>hvm</type>"
      "<loader readonly='yes' "
      "type='pflash'>/fw</loader><nvram>/vars</nvram><kernel>/k</kernel></os>"
      "<devices>" DISK "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>"
      "<interface type='bridge'><source bridge='br0'/><model type='virtio'/>"
      "<mtu size='9000'/></interface><interface type='user'/>"
      "<serial type='file'><source path='/s' append='on'/><log file='/l'/></serial>"
      "<channel type='unix'><source mode='bind'/><target type='virtio' name='a'/></channel>"
      "<channel type='unix'><source mode='connect' path='/c'/><target type='virtio' name='b'/>"
      "</channel></devices></domain>");
  g_autoptr (StasisDomainDef) def = parse (xml, caps);
  g_autoptr (GPtrArray) resources = stasis_resources_list (def);

  for (guint i = 0; i < MIN (resources->len, G_N_ELEMENTS (needs)); i++)
    {
      const StasisResource *resource = resources->pdata[i];
      g_assert_cmpstr (resource->key, ==, needs[i].key);
      g_assert_cmpint (resource->kind, ==, needs[i].kind);
      g_assert_cmpstr (resource->path, ==, needs[i].path);
      g_assert_cmpint (resource->fd, ==, -1);
      g_assert_cmpint (resource->fdset, ==, -1);
    }
  g_assert_cmpuint (resources->len, ==, G_N_ELEMENTS (needs));

  const StasisResource *disk = stasis_resources_find (resources, "disk:vda");
  g_assert_cmpstr (disk->format, ==, "qcow2");
  g_assert_true (disk->direct);
  g_assert_false (disk->readonly);
  const StasisResource *tap = stasis_resources_find (resources, "tap:net0");
  g_assert_cmpstr (tap->bridge, ==, "br0");
  g_assert_cmpint (tap->mtu, ==, 9000);
  g_assert_true (stasis_resources_find (resources, "loader")->readonly);
  g_assert_true (stasis_resources_find (resources, "chardev:charserial0")->append);
  g_assert_null (stasis_resources_find (resources, "disk:sda"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_autoptr (GPtrArray) paths = fixture_list ("driver/command");
  for (guint i = 0; i < paths->len; i++)
    {
      g_autofree char *base = g_path_get_basename (paths->pdata[i]);
      g_autofree char *golden = g_strconcat ("/driver/command/golden/", base, NULL);
      g_autofree char *older = g_strconcat ("/driver/command/older/", base, NULL);
      g_test_add_data_func (golden, paths->pdata[i], test_golden);
      g_test_add_data_func (older, paths->pdata[i], test_older);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (refusals); i++)
    {
      g_autofree char *path = g_strconcat ("/driver/command/refused/", refusals[i].name, NULL);
      g_test_add_data_func (path, &refusals[i], test_refusal);
    }
  g_test_add_func ("/driver/command/not-opened", test_not_opened);
  g_test_add_func ("/driver/command/incoming", test_incoming);
  g_test_add_func ("/driver/command/mapped-ram", test_mapped_ram);
  g_test_add_func ("/driver/command/flat-ram", test_flat_ram);
  g_test_add_func ("/driver/command/resources", test_resources);
  return g_test_run ();
}
