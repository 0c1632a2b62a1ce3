/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * events-qemu-test.c: tests of src/remote/events-qemu.c
 */

#include "config.h"

#include "remote/events-qemu.h"

#include <string.h>

typedef struct
{
  const char *event;
  gint32 number; /* 0: nothing is told */
  gint32 procedure;
  const char *layout;
  const char *text; /* (nullable) of the first string */
  gint64 last;      /* the last value, where it is a number */
} Case;

static const Case cases[] = {
  { "{\"qemu\":\"RESET\",\"at\":1,\"data\":{\"guest\":true}}", 1, 319, "iD", NULL, 0 },
  { "{\"qemu\":\"RTC_CHANGE\",\"data\":{\"offset\":-7}}", 2, 320, "iDl", NULL, -7 },
  { "{\"qemu\":\"WATCHDOG\",\"data\":{\"action\":\"pause\"}}", 3, 321, "iDi", NULL, 1 },
  { "{\"qemu\":\"WATCHDOG\",\"data\":{\"action\":\"inject-nmi\"}}", 3, 321, "iDi", NULL, 6 },
  { "{\"qemu\":\"WATCHDOG\",\"data\":{\"action\":\"sing\"}}", 3, 321, "iDi", NULL, 0 },
  { "{\"qemu\":\"BLOCK_IO_ERROR\",\"data\":{\"action\":\"stop\",\"nospace\":true}}", 4, 322,
    "iDssi", "/path", 1 },
  { "{\"qemu\":\"DEVICE_TRAY_MOVED\",\"data\":{\"tray-open\":true,\"id\":\"x\"}}", 10, 328, "iDsi",
    "alias", 0 },
  { "{\"qemu\":\"DEVICE_TRAY_MOVED\",\"data\":{\"tray-open\":false}}", 10, 328, "iDsi", "alias",
    1 },
  { "{\"qemu\":\"WAKEUP\"}", 11, 329, "iiD", NULL, 0 },
  { "{\"qemu\":\"SUSPEND\"}", 12, 330, "iiD", NULL, 0 },
  { "{\"qemu\":\"SUSPEND_DISK\"}", 14, 332, "iiD", NULL, 0 },
  { "{\"qemu\":\"BALLOON_CHANGE\",\"data\":{\"actual\":1048576}}", 13, 331, "iDU", NULL, 1024 },
  { "{\"qemu\":\"DEVICE_DELETED\",\"data\":{\"device\":\"net0\",\"path\":\"/m\"}}", 15, 333, "iDs",
    "net0", 0 },
  { "{\"qemu\":\"DEVICE_DELETED\",\"data\":{\"path\":\"/m\"}}", 0, 0, NULL, NULL, 0 },
  { "{\"qemu\":\"VSERPORT_CHANGE\",\"data\":{\"open\":true,\"id\":\"x\"}}", 18, 348, "iDii", NULL,
    2 },
  { "{\"qemu\":\"MIGRATION_PASS\",\"data\":{\"pass\":3}}", 20, 359, "iDi", NULL, 3 },
  { "{\"qemu\":\"STOP\"}", 0, 0, NULL, NULL, 0 },
  { "{\"qemu\":7}", 0, 0, NULL, NULL, 0 },
  { "{}", 0, 0, NULL, NULL, 0 },
  { "{\"qemu\":\"BALLOON_CHANGE\",\"data\":[]}", 13, 331, "iDU", NULL, 0 },
};

static void
check_last (const Case *test, const StasisEventPacket *packet)
{
  const gsize last = strlen (test->layout) - 1;
  const StasisWireValue *value = &packet->values[last];
  if (test->layout[last] == 'i')
    g_assert_cmpint (value->i, ==, test->last);
  else if (strchr ("lU", test->layout[last]) != NULL)
    g_assert_cmpint (value->l, ==, test->last);
}

static void
check (const Case *test, const StasisEventDevice *device)
{
  g_autoptr (StasisJson) event = stasis_json_parse (test->event, -1, NULL);
  StasisEventPacket packets[STASIS_EVENT_PACKETS_MAX];
  const guint count = stasis_events_of_qemu (event, device, packets);
  g_assert_cmpuint (count, ==, test->number == 0 ? 0 : test->number == 4 ? 2 : 1);
  for (guint i = 0; i < count; i++)
    {
      StasisEventPacket *packet = &packets[i];
      g_assert_cmpuint (strlen (packet->layout), <=, STASIS_EVENT_PACKET_VALUES);
      g_assert_cmpint (packet->layout[packet->domain_at], ==, 'D');
      packet->values[packet->domain_at].domain
          = stasis_wire_domain_new ("name", (const guint8 *) "0123456789abcdef", 1);
      g_autoptr (GByteArray) octets = g_byte_array_new ();
      stasis_wire_encode (octets, packet->layout, packet->values);
      g_assert_cmpuint (octets->len, >, 24);
      if (i == 0)
        {
          g_assert_cmpint (packet->event, ==, test->number);
          g_assert_cmpint (packet->procedure, ==, test->procedure);
          g_assert_cmpstr (packet->layout, ==, test->layout);
          check_last (test, packet);
          if (test->text != NULL && device != NULL)
            g_assert_cmpstr (packet->values[2].s, ==, test->text);
        }
      stasis_wire_clear (packet->layout, packet->values);
    }
}

/* As libvirt numbers them; a device that is not known is nameless. */
static void
test_known (void)
{
  StasisEventDevice device = { (char *) "alias", (char *) "/path", TRUE };
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      check (&cases[i], &device);
      if (cases[i].number != 18)
        check (&cases[i], NULL);
    }
}

/* The second says why. */
static void
test_reason (void)
{
  static const struct
  {
    const char *event;
    const char *reason;
  } errors[]
      = { { "{\"qemu\":\"BLOCK_IO_ERROR\",\"data\":{\"nospace\":true,\"action\":\"report\"}}",
            "enospc" },
          { "{\"qemu\":\"BLOCK_IO_ERROR\",\"data\":{\"action\":\"report\"}}", "" } };
  for (gsize i = 0; i < G_N_ELEMENTS (errors); i++)
    {
      g_autoptr (StasisJson) event = stasis_json_parse (errors[i].event, -1, NULL);
      StasisEventPacket packets[STASIS_EVENT_PACKETS_MAX];
      g_assert_cmpuint (stasis_events_of_qemu (event, NULL, packets), ==, 2);
      g_assert_cmpint (packets[1].event, ==, 6);
      g_assert_cmpint (packets[1].procedure, ==, 324);
      g_assert_cmpint (packets[1].values[4].i, ==, 2);
      g_assert_cmpstr (packets[1].values[5].s, ==, errors[i].reason);
      stasis_wire_clear (packets[0].layout, packets[0].values);
      stasis_wire_clear (packets[1].layout, packets[1].values);
    }
}

/* Only of those does a device have to be looked for. */
static void
test_device (void)
{
  const char *node = NULL;
  const char *alias = NULL;
  g_autoptr (StasisJson) error = stasis_json_parse (
      "{\"qemu\":\"BLOCK_IO_ERROR\",\"data\":{\"node-name\":\"disk-vda-format\"}}", -1, NULL);
  g_assert_true (stasis_events_need_device (error, &node, &alias));
  g_assert_cmpstr (node, ==, "disk-vda-format");
  g_assert_null (alias);
  g_autoptr (StasisJson) port = stasis_json_parse (
      "{\"qemu\":\"VSERPORT_CHANGE\",\"data\":{\"id\":\"channel0\",\"open\":true}}", -1, NULL);
  g_assert_true (stasis_events_need_device (port, &node, &alias));
  g_assert_cmpstr (alias, ==, "channel0");
  g_assert_null (node);
  g_autoptr (StasisJson) reset = stasis_json_parse ("{\"qemu\":\"RESET\"}", -1, NULL);
  g_assert_false (stasis_events_need_device (reset, &node, &alias));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/remote/events-qemu/known", test_known);
  g_test_add_func ("/remote/events-qemu/reason", test_reason);
  g_test_add_func ("/remote/events-qemu/device", test_device);
  return g_test_run ();
}
