/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu-address-test.c: tests of src/monitor/qemu-address.c
 */

#include "config.h"

#include "monitor/qemu-address.h"

typedef struct
{
  const char *name;
  StasisQemuAddress address;
  const char *json;
  const char *legacy;
  const char *uri;
} Case;

static const Case cases[] = {
  { "unix",
    { STASIS_QEMU_ADDRESS_UNIX, "/run/a b", NULL },
    "{\"type\":\"unix\",\"path\":\"/run/a b\"}",
    "{\"type\":\"unix\",\"data\":{\"path\":\"/run/a b\"}}",
    "unix:/run/a b" },
  { "inet",
    { STASIS_QEMU_ADDRESS_INET, "there", "49152" },
    "{\"type\":\"inet\",\"host\":\"there\",\"port\":\"49152\"}",
    "{\"type\":\"inet\",\"data\":{\"host\":\"there\",\"port\":\"49152\"}}",
    "tcp:there:49152" },
  { "inet6",
    { STASIS_QEMU_ADDRESS_INET, "fe80::1", "0" },
    "{\"type\":\"inet\",\"host\":\"fe80::1\",\"port\":\"0\"}",
    "{\"type\":\"inet\",\"data\":{\"host\":\"fe80::1\",\"port\":\"0\"}}",
    "tcp:[fe80::1]:0" },
  { "fd",
    { STASIS_QEMU_ADDRESS_FD, "out", NULL },
    "{\"type\":\"fd\",\"str\":\"out\"}",
    "{\"type\":\"fd\",\"data\":{\"str\":\"out\"}}",
    "fd:out" },
  { "vsock",
    { STASIS_QEMU_ADDRESS_VSOCK, "2", "7" },
    "{\"type\":\"vsock\",\"cid\":\"2\",\"port\":\"7\"}",
    "{\"type\":\"vsock\",\"data\":{\"cid\":\"2\",\"port\":\"7\"}}",
    "vsock:2:7" },
};

static void
test_case (gconstpointer data)
{
  const Case *one = data;
  g_autoptr (StasisJson) json = stasis_qemu_address_to_json (&one->address);
  g_autofree char *text = stasis_json_to_string (json);
  g_assert_cmpstr (text, ==, one->json);
  g_autoptr (StasisJson) legacy = stasis_qemu_address_to_legacy_json (&one->address);
  g_autofree char *legacy_text = stasis_json_to_string (legacy);
  g_assert_cmpstr (legacy_text, ==, one->legacy);
  g_autofree char *uri = stasis_qemu_address_to_uri (&one->address);
  g_assert_cmpstr (uri, ==, one->uri);

  g_autoptr (StasisQemuAddress) back = stasis_qemu_address_from_json (json);
  g_assert_nonnull (back);
  g_assert_cmpint (back->type, ==, one->address.type);
  g_assert_cmpstr (back->name, ==, one->address.name);
  g_assert_cmpstr (back->port, ==, one->address.port);
}

/* What QEMU could say, and does not. */
static void
test_refused (gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisJson) json = stasis_json_parse (data, -1, &error);
  g_assert_no_error (error);
  g_assert_null (stasis_qemu_address_from_json (json));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strconcat ("/monitor/qemu-address/", cases[i].name, NULL);
      g_test_add_data_func (path, &cases[i], test_case);
    }
  const char *refuse = "/monitor/qemu-address/refuse/";
  const struct
  {
    const char *name;
    const char *json;
  } refused[] = { { "no-object", "7" },
                  { "no-type", "{}" },
                  { "unknown", "{\"type\":\"pigeon\",\"path\":\"x\"}" },
                  { "no-path", "{\"type\":\"unix\"}" },
                  { "path-of-another-type", "{\"type\":\"unix\",\"path\":3}" },
                  { "no-port", "{\"type\":\"inet\",\"host\":\"x\"}" } };
  for (gsize i = 0; i < G_N_ELEMENTS (refused); i++)
    {
      g_autofree char *path = g_strconcat (refuse, refused[i].name, NULL);
      g_test_add_data_func (path, refused[i].json, test_refused);
    }
  return g_test_run ();
}
