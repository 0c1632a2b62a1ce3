/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-def-test.c: tests of src/conf/domain-def.c against what libvirt makes of the same XML
 */

#include "config.h"

#include "conf-test.h"
#include "conf/domain-internal.h"

#include <string.h>

/* libvirt indents what is in <metadata> anew; we keep it as it is written. */
static char *
format_without_metadata (const StasisDomainDef *def)
{
  g_autoptr (StasisDomainDef) copy = stasis_domain_def_copy (def);
  g_clear_pointer (&copy->metadata, g_free);
  return stasis_domain_def_format (copy, STASIS_DOMAIN_FORMAT_INACTIVE);
}

static StasisDomainDef *
parse_file (const char *name, const char *suffix)
{
  g_autofree char *file = g_strconcat (name, suffix, NULL);
  g_autofree char *xml = conf_test_read (file);
  return conf_test_parse (xml);
}

/* Same devices at the same addresses in the same order, same defaults. */
static void
test_like_libvirt (gconstpointer name)
{
  g_autoptr (StasisDomainDef) ours = parse_file (name, ".xml");
  g_autoptr (StasisDomainDef) theirs = parse_file (name, ".expected.xml");
  g_autofree char *our_text = format_without_metadata (ours);
  g_autofree char *their_text = format_without_metadata (theirs);
  g_autoptr (GError) error = NULL;

  g_assert_cmpstr (our_text, ==, their_text);
  stasis_domain_def_check_abi (theirs, ours, &error);
  g_assert_no_error (error);
}

/* What libvirt printed, word by word but for three habits: a port of -1, the old spelling of a
 * listening address, and a mode that it leaves out. */
static char *
without_habits (const char *text)
{
  static const char *const habits[]
      = { " port='-1'", " listen='[^']*'(?= |>|/)", " *<source mode='bind'/>\n" };
  char *result = g_strdup (text);

  for (gsize i = 0; i < G_N_ELEMENTS (habits); i++)
    {
      g_autoptr (GRegex) regex = g_regex_new (habits[i], 0, 0, NULL);
      char *next = g_regex_replace_literal (regex, result, -1, 0, "", 0, NULL);
      g_free (result);
      result = next;
    }
  return result;
}

static void
test_prints_like_libvirt (gconstpointer name)
{
  g_autofree char *file = g_strconcat (name, ".expected.xml", NULL);
  g_autofree char *theirs = conf_test_read (file);
  if (strstr (theirs, "<metadata>") != NULL)
    {
      g_test_skip ("libvirt indents metadata anew");
      return;
    }

  g_autoptr (StasisDomainDef) def = conf_test_parse (theirs);
  g_autofree char *ours = stasis_domain_def_format (def, STASIS_DOMAIN_FORMAT_INACTIVE);
  g_autofree char *ours_bare = without_habits (ours);
  g_autofree char *theirs_bare = without_habits (theirs);
  g_assert_cmpstr (ours_bare, ==, theirs_bare);
}

static void
test_round_trip (gconstpointer name)
{
  g_autoptr (StasisDomainDef) def = parse_file (name, ".xml");
  g_autoptr (StasisDomainDef) copy = stasis_domain_def_copy (def);
  g_autofree char *once = stasis_domain_def_format (def, STASIS_DOMAIN_FORMAT_INACTIVE);
  g_autofree char *copied = stasis_domain_def_format (copy, STASIS_DOMAIN_FORMAT_INACTIVE);
  g_autoptr (StasisDomainDef) again = conf_test_parse (once);
  g_autofree char *twice = stasis_domain_def_format (again, STASIS_DOMAIN_FORMAT_INACTIVE);
  g_autoptr (GError) error = NULL;

  g_assert_cmpstr (once, ==, twice);
  g_assert_cmpstr (once, ==, copied);
  stasis_domain_def_check_abi (def, again, &error);
  g_assert_no_error (error);

  g_autofree char *live = stasis_domain_def_format (def, STASIS_DOMAIN_FORMAT_ACTIVE);
  g_autoptr (StasisDomainDef) revived = stasis_domain_def_parse (
      live, -1, NULL, &conf_test_context, STASIS_DOMAIN_PARSE_ACTIVE, &error);
  g_assert_no_error (error);
  g_autofree char *live_again = stasis_domain_def_format (revived, STASIS_DOMAIN_FORMAT_ACTIVE);
  g_assert_cmpstr (live, ==, live_again);
}

/* The names that libvirt gave to the devices of a running guest. */
static void
test_aliases (gconstpointer name)
{
  g_autoptr (StasisDomainDef) ours = parse_file (name, ".xml");
  g_autofree char *file = g_strconcat (name, ".active.xml", NULL);
  g_autofree char *xml = conf_test_read (file);
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisDomainDef) theirs
      = stasis_domain_def_parse (xml, -1, file, &conf_test_context,
                                 STASIS_DOMAIN_PARSE_ACTIVE | STASIS_DOMAIN_PARSE_AS_IS, &error);
  g_assert_no_error (error);

  g_autoptr (GPtrArray) our_infos = stasis_domain_list_infos (ours);
  g_autoptr (GPtrArray) their_infos = stasis_domain_list_infos (theirs);
  g_assert_cmpuint (our_infos->len, ==, their_infos->len);
  for (guint i = 0; i < our_infos->len; i++)
    {
      const StasisDeviceInfo *our = our_infos->pdata[i];
      const StasisDeviceInfo *their = their_infos->pdata[i];
      g_assert_cmpstr (our->alias, ==, their->alias);
    }
}

/* What "virsh dumpxml" says of a running guest is a definition too: runtime fields go, the guest
 * stays the same. */
static void
test_live (gconstpointer name)
{
  g_autoptr (StasisDomainDef) ours = parse_file (name, ".xml");
  g_autoptr (StasisDomainDef) theirs = parse_file (name, ".active.xml");
  const StasisChardevDef *channel = theirs->channels->pdata[0];
  g_autofree char *text = stasis_domain_def_format (theirs, STASIS_DOMAIN_FORMAT_INACTIVE);
  g_autoptr (GError) error = NULL;

  g_assert_null (channel->source_path);
  g_assert_null (strstr (text, "<alias"));
  g_assert_null (strstr (text, "/dev/pts/"));

  /* A live definition names the features that the CPU turned out to have; nothing else differs. */
  if (!stasis_domain_def_check_abi (theirs, ours, &error))
    {
      g_auto (GStrv) lines = g_strsplit (error->message, "\n", -1);
      for (guint i = 1; lines[i] != NULL; i++)
        g_assert_true (g_str_has_prefix (lines[i], "/domain/cpu/feature["));
    }
}

/* What newer versions of libvirt write. */
static void
test_newer_libvirt (void)
{
  g_autoptr (StasisDomainDef) def = parse_file ("newer-libvirt", ".xml");
  const StasisWatchdogDef *watchdog = def->watchdogs->pdata[0];

  g_assert_cmpint (def->cpu.clusters, ==, 1);
  g_assert_cmpint (def->os.nvram_template_format, ==, STASIS_DISK_FORMAT_RAW);
  g_assert_cmpint (watchdog->model, ==, STASIS_WATCHDOG_ITCO);
}

static void
test_user_alias (void)
{
  g_autoptr (StasisDomainDef) def = parse_file ("libvirt/q35-given", ".xml");
  const StasisInterfaceDef *interface = def->interfaces->pdata[3];
  g_autofree char *text = stasis_domain_def_format (def, STASIS_DOMAIN_FORMAT_INACTIVE);

  g_assert_cmpstr (interface->info.alias, ==, "ua-net");
  g_assert_nonnull (strstr (text, "<alias name='ua-net'/>"));
  g_assert_null (strstr (text, "net0"));
}

static void
test_runtime_fields (void)
{
  g_autoptr (StasisDomainDef) def = parse_file ("libvirt/pc-kernel", ".xml");
  StasisChardevDef *serial = def->serials->pdata[0];
  def->id = 7;
  serial->source_path = g_strdup ("/dev/pts/3");

  g_autofree char *live = stasis_domain_def_format (def, STASIS_DOMAIN_FORMAT_ACTIVE);
  g_assert_nonnull (strstr (live, " id='7'"));
  g_assert_nonnull (strstr (live, "<source path='/dev/pts/3'/>"));
  g_assert_nonnull (strstr (live, "<alias name='virtio-disk0'/>"));

  g_autoptr (StasisDomainDef) again = conf_test_parse (live);
  const StasisChardevDef *read_back = again->serials->pdata[0];
  g_assert_cmpint (again->id, ==, STASIS_UNSET);
  g_assert_null (read_back->source_path);
}

static void
test_metadata (void)
{
  static const char xml[]
      = "<domain type='qemu' xmlns:m='http://example.com/m'><name>d</name><memory>65536</memory>"
        "<metadata>\n  <m:a b=\"c\">1 &lt; 2</m:a>\n</metadata>"
        "<os><type>hvm</type></os></domain>";
  g_autoptr (StasisDomainDef) def = conf_test_parse (xml);
  g_autofree char *text = stasis_domain_def_format (def, STASIS_DOMAIN_FORMAT_INACTIVE);

  g_assert_nonnull (strstr (def->metadata, "\n  <m:a b=\"c\">1 &lt; 2</m:a>\n</metadata>"));
  g_assert_nonnull (strstr (def->metadata, "http://example.com/m"));
  g_autoptr (StasisDomainDef) again = conf_test_parse (text);
  g_assert_cmpstr (again->metadata, ==, def->metadata);
}

static void
test_network (void)
{
  g_autoptr (StasisDomainDef) def = parse_file ("virt-install/network", ".xml");
  const StasisInterfaceDef *interface = def->interfaces->pdata[0];
  g_assert_cmpstr (interface->bridge, ==, "virbr0");

  g_autofree char *text = stasis_domain_def_format (def, STASIS_DOMAIN_FORMAT_INACTIVE);
  g_assert_nonnull (strstr (text, "<source network='default'/>"));
}

static const char *
nothing_known (const char *emulator, const char *machine, gpointer data)
{
  return NULL;
}

static const char *
no_bridge (const char *network, gpointer data)
{
  return NULL;
}

/* A running domain stays readable when the host has changed under it. */
static void
test_changed_host (void)
{
  const StasisConfContext context
      = { .canonical_machine = nothing_known, .network_bridge = no_bridge };
  g_autoptr (StasisDomainDef) def = parse_file ("virt-install/network", ".xml");
  g_autofree char *live = stasis_domain_def_format (def, STASIS_DOMAIN_FORMAT_ACTIVE);
  g_autoptr (GError) error = NULL;

  g_autoptr (StasisDomainDef) again
      = stasis_domain_def_parse (live, -1, NULL, &context, STASIS_DOMAIN_PARSE_ACTIVE, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (again->os.machine, ==, "pc-q35-10.0");
  g_assert_cmpstr (((StasisInterfaceDef *) again->interfaces->pdata[0])->bridge, ==, "virbr0");

  g_autoptr (StasisDomainDef) inactive
      = stasis_domain_def_parse (live, -1, NULL, &context, STASIS_DOMAIN_PARSE_DEFAULT, &error);
  g_assert_null (inactive);
  g_assert_error (error, STASIS_CONF_ERROR, STASIS_CONF_ERROR_UNSUPPORTED);
}

static void
test_generated (void)
{
  static const char xml[] = "<domain type='kvm'><name>d</name><memory>65536</memory>"
                            "<devices><interface type='user'/></devices></domain>";
  g_autoptr (StasisDomainDef) a = conf_test_parse (xml);
  g_autoptr (StasisDomainDef) b = conf_test_parse (xml);
  const StasisInterfaceDef *interface = a->interfaces->pdata[0];

  g_assert_true (g_uuid_string_is_valid (a->uuid));
  g_assert_cmpstr (a->uuid, !=, b->uuid);
  g_assert_true (g_str_has_prefix (interface->mac, "52:54:00:"));
  g_assert_cmpstr (a->os.machine, ==, "pc-i440fx-10.0");
  g_assert_cmpstr (a->emulator, ==, "/usr/bin/qemu-system-x86_64");
}

/* A socket's place that was generated is the running instance's; one that was named is not. */
static void
test_automatic_path (void)
{
  g_autoptr (StasisDomainDef) def
      = conf_test_parse ("<domain type='qemu'><name>x</name><memory>262144</memory>"
                         "<os><type arch='x86_64' machine='q35'>hvm</type></os><devices>"
                         "<serial type='unix'><source mode='bind'/></serial>"
                         "<serial type='unix'><source mode='bind' path='/named.sock'/></serial>"
                         "</devices></domain>");
  StasisChardevDef *serial = g_ptr_array_index (def->serials, 0);
  g_assert_null (serial->source_path);
  serial->source_path = g_strdup ("/generated.sock");
  serial->path_is_automatic = TRUE;

  g_autoptr (StasisDomainDef) copy = stasis_domain_def_copy (def);
  const StasisDomainFormatFlags flags[]
      = { STASIS_DOMAIN_FORMAT_INACTIVE,
          STASIS_DOMAIN_FORMAT_INACTIVE | STASIS_DOMAIN_FORMAT_MIGRATABLE };
  for (gsize i = 0; i < G_N_ELEMENTS (flags); i++)
    {
      g_autofree char *text = stasis_domain_def_format (copy, flags[i]);
      g_assert_null (strstr (text, "/generated.sock"));
      g_assert_nonnull (strstr (text, "/named.sock"));
      g_autoptr (StasisDomainDef) again = conf_test_parse (text);
      const StasisChardevDef *back = g_ptr_array_index (again->serials, 0);
      g_assert_cmpint (back->type, ==, STASIS_CHARDEV_UNIX);
      g_assert_null (back->source_path);
    }
  g_autofree char *active = stasis_domain_def_format (copy, STASIS_DOMAIN_FORMAT_ACTIVE);
  g_assert_nonnull (strstr (active, "path='/generated.sock'"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  conf_test_add_files ("/conf/domain-def/parse/like-libvirt", "libvirt", ".expected.xml",
                       test_like_libvirt);
  conf_test_add_files ("/conf/domain-def/parse/like-libvirt", "virt-install", ".expected.xml",
                       test_like_libvirt);
  conf_test_add_files ("/conf/domain-def/parse/like-libvirt", "random", ".expected.xml",
                       test_like_libvirt);
  conf_test_add_files ("/conf/domain-def/parse/live", "live", ".active.xml", test_live);
  conf_test_add_files ("/conf/domain-def/format/round-trip", "random", ".xml", test_round_trip);
  conf_test_add_files ("/conf/domain-def/format/like-libvirt", "libvirt", ".expected.xml",
                       test_prints_like_libvirt);
  conf_test_add_files ("/conf/domain-def/format/round-trip", "libvirt", ".xml", test_round_trip);
  conf_test_add_files ("/conf/domain-def/format/round-trip", "virt-install", ".xml",
                       test_round_trip);
  conf_test_add_files ("/conf/domain-def/aliases", "live", ".active.xml", test_aliases);
  g_test_add_func ("/conf/domain-def/parse/newer-libvirt", test_newer_libvirt);
  g_test_add_func ("/conf/domain-def/aliases/of-the-user", test_user_alias);
  g_test_add_func ("/conf/domain-def/format/runtime-fields", test_runtime_fields);
  g_test_add_func ("/conf/domain-def/format/automatic-path", test_automatic_path);
  g_test_add_func ("/conf/domain-def/parse/metadata", test_metadata);
  g_test_add_func ("/conf/domain-def/parse/network", test_network);
  g_test_add_func ("/conf/domain-def/parse/changed-host", test_changed_host);
  g_test_add_func ("/conf/domain-def/parse/generated", test_generated);

  return g_test_run ();
}
