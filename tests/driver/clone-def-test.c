/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * clone-def-test.c: tests of src/driver/clone-def.c
 */

#include "config.h"

#include "driver/clone-def.h"

#include <stasis/error.h>
#include <string.h>

#include "scratch.h"

#define UUID "11111111-2222-4333-8444-555555555555"

static StasisDomainDef *
with_devices (const char *devices)
{
  g_autofree char *rest = g_strdup_printf ("<devices>%s</devices>", devices);
  return scratch_domain ("pc", "", "", rest);
}

static void
assert_refused (const char *devices, const char *what)
{
  g_autoptr (StasisDomainDef) def = with_devices (devices);
  g_autoptr (GError) error = NULL;
  g_assert_false (stasis_clone_def_check (def, &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED);
  g_assert_nonnull (strstr (error->message, what));
}

static void
test_refused (void)
{
  assert_refused ("<serial type='tcp'><source mode='bind' host='h' service='77'/></serial>",
                  "port 77");
  assert_refused ("<serial type='file'><source path='/dev/full'/></serial>", "'/dev/full'");
  assert_refused ("<serial type='pty'><log file='/dev/full'/></serial>", "'/dev/full'");
  assert_refused ("<graphics type='vnc' websocket='5701'/>", "5701");
}

static void
test_accepted (void)
{
  g_autoptr (StasisDomainDef) def
      = with_devices ("<serial type='tcp'><source mode='connect' host='h' service='77'/></serial>"
                      "<serial type='file'><source path='/dev/null'/></serial>"
                      "<serial type='file'><source path='/not/there'/></serial>"
                      "<graphics type='vnc' websocket='-1'/>");
  g_autoptr (GError) error = NULL;
  stasis_clone_def_check (def, &error);
  g_assert_no_error (error);
}

/* What other domains of the host would have in common with it. */
static void
test_own (void)
{
  g_autoptr (StasisDomainDef) def = with_devices (
      "<disk type='file' device='disk'><source file='/d/a'/><target dev='vda' bus='virtio'/></disk>"
      "<disk type='file' device='disk'><source file='/d/b'/><target dev='vdb' bus='virtio'/>"
      "<readonly/></disk>"
      "<disk type='file' device='cdrom'><source file='/d/c'/><target dev='hda' bus='ide'/></disk>"
      "<serial type='file'><source path='/s/out'/></serial>"
      "<serial type='file'><source path='/dev/null'/></serial>"
      "<channel type='unix'><source mode='bind' path='/s/sock'/>"
      "<target type='virtio' name='a'/></channel>"
      "<channel type='unix'><source mode='connect' path='/s/server'/><log file='/s/log'/>"
      "<target type='virtio' name='b'/></channel>"
      "<channel type='unix'><target type='virtio' name='c'/></channel>"
      "<graphics type='vnc' port='5907' autoport='no'/>");
  g_autoptr (StasisDomainDef) clone = stasis_clone_def_new (def, "try", UUID, "/o");

  const StasisDiskDef *disk = g_ptr_array_index (clone->disks, 0);
  g_assert_cmpstr (disk->source, ==, "/o/vda.qcow2");
  g_assert_cmpint (disk->format, ==, STASIS_DISK_FORMAT_QCOW2);
  g_assert_cmpstr (((StasisDiskDef *) g_ptr_array_index (clone->disks, 1))->source, ==, "/d/b");
  g_assert_cmpstr (((StasisDiskDef *) g_ptr_array_index (clone->disks, 2))->source, ==, "/d/c");

  const StasisChardevDef *out = g_ptr_array_index (clone->serials, 0);
  const StasisChardevDef *nothing = g_ptr_array_index (clone->serials, 1);
  g_assert_cmpstr (out->source_path, ==, "/s/out.try");
  g_assert_cmpstr (nothing->source_path, ==, "/dev/null");
  const StasisChardevDef *bound = g_ptr_array_index (clone->channels, 0);
  const StasisChardevDef *client = g_ptr_array_index (clone->channels, 1);
  const StasisChardevDef *automatic = g_ptr_array_index (clone->channels, 2);
  g_assert_cmpstr (bound->source_path, ==, "/s/sock.try");
  g_assert_cmpstr (client->source_path, ==, "/s/server");
  g_assert_cmpstr (client->log_file, ==, "/s/log.try");
  g_assert_null (automatic->source_path);

  const StasisGraphicsDef *graphics = g_ptr_array_index (clone->graphics, 0);
  g_assert_cmpint (graphics->autoport, ==, STASIS_TRISTATE_ON);
  g_assert_cmpint (graphics->port, ==, STASIS_UNSET);
}

static void
test_identity (void)
{
  g_autoptr (StasisDomainDef) def = with_devices ("");
  g_autoptr (StasisDomainDef) without = stasis_clone_def_new (def, "try", UUID, NULL);
  g_assert_cmpstr (without->name, ==, "try");
  g_assert_cmpstr (without->uuid, ==, UUID);
  g_assert_null (without->genid);
  g_assert_cmpstr (def->name, ==, "web");

  def->genid = g_strdup (UUID);
  g_autoptr (StasisDomainDef) with = stasis_clone_def_new (def, "try", UUID, NULL);
  g_assert_nonnull (with->genid);
  g_assert_cmpstr (with->genid, !=, UUID);
}

static void
test_interfaces (void)
{
  static const char devices[]
      = "<interface type='user'><mac address='52:54:00:00:00:01'/><model "
        "type='virtio'/></interface>"
        "<interface type='bridge'><mac address='52:54:00:00:00:02'/><source bridge='br0'/>"
        "<target dev='mine'/><model type='e1000'/></interface>";
  g_autoptr (StasisDomainDef) def = with_devices (devices);
  g_autoptr (StasisDomainDef) clone = stasis_clone_def_new (def, "try", UUID, NULL);
  const StasisInterfaceDef *apart = g_ptr_array_index (clone->interfaces, 0);
  const StasisInterfaceDef *shared = g_ptr_array_index (clone->interfaces, 1);
  g_assert_true (g_str_has_prefix (apart->mac, "52:54:00:"));
  g_assert_cmpstr (apart->mac, !=, "52:54:00:00:00:01");
  g_assert_cmpint (apart->link, !=, STASIS_LINK_DOWN);
  g_assert_cmpstr (shared->mac, ==, "52:54:00:00:00:02");
  g_assert_cmpint (shared->link, ==, STASIS_LINK_DOWN);
  g_assert_null (shared->target);

  g_autoptr (GPtrArray) warnings = stasis_clone_def_warnings (def);
  g_assert_cmpuint (warnings->len, ==, 2);
  const char *first = g_ptr_array_index (warnings, 0);
  const char *second = g_ptr_array_index (warnings, 1);
  g_assert_nonnull (strstr (first, "52:54:00:00:00:01"));
  g_assert_null (strstr (first, "link"));
  g_assert_nonnull (strstr (second, "52:54:00:00:00:02"));
  g_assert_nonnull (strstr (second, "link is down"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/driver/clone-def/refused", test_refused);
  g_test_add_func ("/driver/clone-def/accepted", test_accepted);
  g_test_add_func ("/driver/clone-def/own", test_own);
  g_test_add_func ("/driver/clone-def/identity", test_identity);
  g_test_add_func ("/driver/clone-def/interfaces", test_interfaces);
  return g_test_run ();
}
