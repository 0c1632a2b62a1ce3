/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * known-hosts-fuzz.c: any text as a known_hosts file
 */

#include "config.h"

#include "transport/known-hosts.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

/* An ed25519 key of the corpus. */
#define KEY "AAAAC3NzaC1lZDI1NTE5AAAAIJx0xNbEbkkeO5hpqg1EFbNzRMfrhDDUH2cSwJSVGmxC"

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  gsize key_size;
  guchar *octets = g_base64_decode (KEY, &key_size);
  g_autoptr (GBytes) key = g_bytes_new_take (octets, key_size);
  g_autoptr (StasisKnownHosts) hosts = stasis_known_hosts_parse ("file", (const char *) data, size);
  static const char *const names[] = { "host.example", "[host.example]:2222" };
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      const char *path;
      guint line;
      const StasisKnownHost known = stasis_known_hosts_check (hosts, names[i], key, &path, &line);
      g_assert_true ((known == STASIS_KNOWN_HOST_UNKNOWN) == (path == NULL));
      g_assert_true ((path == NULL) == (line == 0));
      g_autoptr (GPtrArray) kinds = stasis_known_hosts_kinds (hosts, names[i]);
      g_assert_true (known != STASIS_KNOWN_HOST_MATCH || kinds->len > 0);
    }
  g_autoptr (GBytes) whole = g_bytes_new (data, size);
  g_autofree char *kind = stasis_known_hosts_kind (whole);
  g_assert_true (kind == NULL || *kind != '\0');
  return 0;
}
