/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-migrate-info-test.c: tests of src/monitor/commands-migrate-info.c
 */

#include "config.h"

#include "monitor/commands-migrate-info.h"

static StasisMigrationInfo *
parse (const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisJson) json = stasis_json_parse (text, -1, &error);
  g_assert_no_error (error);
  return stasis_migration_info_from_json (json);
}

static void
assert_ram (const StasisMigrationInfo *info)
{
  g_assert_cmpuint (info->ram_transferred, ==, 10);
  g_assert_cmpuint (info->ram_remaining, ==, 11);
  g_assert_cmpuint (info->ram_total, ==, 12);
  g_assert_cmpuint (info->ram_duplicate, ==, 13);
  g_assert_cmpuint (info->ram_normal, ==, 14);
  g_assert_cmpuint (info->ram_normal_bytes, ==, 15);
  g_assert_cmpuint (info->ram_page_size, ==, 4096);
  g_assert_cmpuint (info->dirty_pages_rate, ==, 16);
  g_assert_cmpuint (info->dirty_sync_count, ==, 17);
  g_assert_cmpfloat (info->mbps, ==, 1.5);
  g_assert_cmpuint (info->multifd_bytes, ==, 18);
  g_assert_cmpuint (info->ram_precopy_bytes, ==, 19);
  g_assert_cmpuint (info->ram_downtime_bytes, ==, 20);
  g_assert_cmpuint (info->ram_postcopy_bytes, ==, 21);
  g_assert_cmpuint (info->postcopy_requests, ==, 22);
  g_assert_cmpuint (info->pages_per_second, ==, 23);
}

static void
assert_methods (const StasisMigrationInfo *info)
{
  g_assert_true (info->has_xbzrle);
  g_assert_cmpuint (info->xbzrle.cache_size, ==, 30);
  g_assert_cmpuint (info->xbzrle.bytes, ==, 31);
  g_assert_cmpuint (info->xbzrle.pages, ==, 32);
  g_assert_cmpuint (info->xbzrle.cache_misses, ==, 33);
  g_assert_cmpuint (info->xbzrle.overflows, ==, 34);
  g_assert_cmpfloat (info->xbzrle.cache_miss_rate, ==, 0.25);
  g_assert_cmpfloat (info->xbzrle.encoding_rate, ==, 2.5);
  g_assert_true (info->has_compression);
  g_assert_cmpuint (info->compression.pages, ==, 40);
  g_assert_cmpuint (info->compression.busy, ==, 41);
  g_assert_cmpuint (info->compression.compressed_size, ==, 42);
  g_assert_cmpfloat (info->compression.busy_rate, ==, 0.5);
  g_assert_cmpfloat (info->compression.compression_rate, ==, 3.5);
}

static void
test_everything (void)
{
  g_autoptr (StasisMigrationInfo) info = parse (
      "{\"status\":\"postcopy-active\",\"total-time\":1,\"expected-downtime\":2,\"downtime\":3,"
      "\"setup-time\":4,\"cpu-throttle-percentage\":20,\"postcopy-blocktime\":5,"
      "\"error-desc\":\"why\",\"blocked-reasons\":[\"a\",\"b\"],"
      "\"ram\":{\"transferred\":10,\"remaining\":11,\"total\":12,\"duplicate\":13,\"normal\":14,"
      "\"normal-bytes\":15,\"page-size\":4096,\"dirty-pages-rate\":16,\"dirty-sync-count\":17,"
      "\"mbps\":1.5,\"multifd-bytes\":18,\"precopy-bytes\":19,\"downtime-bytes\":20,"
      "\"postcopy-bytes\":21,\"postcopy-requests\":22,\"pages-per-second\":23},"
      "\"xbzrle-cache\":{\"cache-size\":30,\"bytes\":31,\"pages\":32,\"cache-miss\":33,"
      "\"cache-miss-rate\":0.25,\"encoding-rate\":2.5,\"overflow\":34},"
      "\"compression\":{\"pages\":40,\"busy\":41,\"busy-rate\":0.5,\"compressed-size\":42,"
      "\"compression-rate\":3.5},"
      "\"socket-address\":[{\"type\":\"inet\",\"host\":\"::\",\"port\":\"49152\"},"
      "{\"type\":\"pigeon\"}]}");
  g_assert_cmpint (info->status, ==, STASIS_MIGRATION_POSTCOPY_ACTIVE);
  g_assert_cmpuint (info->total_time_ms, ==, 1);
  g_assert_cmpuint (info->expected_downtime_ms, ==, 2);
  g_assert_cmpuint (info->downtime_ms, ==, 3);
  g_assert_cmpuint (info->setup_time_ms, ==, 4);
  g_assert_cmpuint (info->cpu_throttle, ==, 20);
  g_assert_cmpuint (info->postcopy_blocktime_ms, ==, 5);
  g_assert_cmpstr (info->error_desc, ==, "why");
  g_assert_cmpuint (g_strv_length (info->blocked_reasons), ==, 2);
  g_assert_cmpstr (info->blocked_reasons[1], ==, "b");
  assert_ram (info);
  assert_methods (info);

  /* What we do not know is left out. */
  g_assert_cmpuint (info->listens_at->len, ==, 1);
  const StasisQemuAddress *address = g_ptr_array_index (info->listens_at, 0);
  g_assert_cmpint (address->type, ==, STASIS_QEMU_ADDRESS_INET);
  g_assert_cmpstr (address->name, ==, "::");
  g_assert_cmpstr (address->port, ==, "49152");
}

static void
test_nothing (void)
{
  g_autoptr (StasisMigrationInfo) info = parse ("{}");
  g_assert_cmpint (info->status, ==, STASIS_MIGRATION_NONE);
  g_assert_cmpuint (info->ram_total, ==, 0);
  g_assert_false (info->has_xbzrle);
  g_assert_false (info->has_compression);
  g_assert_null (info->error_desc);
  g_assert_null (info->blocked_reasons);
  g_assert_cmpuint (info->listens_at->len, ==, 0);
}

/* Members of other types than QEMU's are as those that are not there. */
static void
test_nonsense (void)
{
  g_autoptr (StasisMigrationInfo) info = parse (
      "{\"status\":7,\"ram\":[],\"total-time\":-1,\"cpu-throttle-percentage\":18446744073709551615,"
      "\"error-desc\":{},\"blocked-reasons\":[7],\"socket-address\":{\"type\":\"unix\"},"
      "\"xbzrle-cache\":true}");
  g_assert_cmpint (info->status, ==, STASIS_MIGRATION_UNKNOWN);
  g_assert_cmpuint (info->total_time_ms, ==, 0);
  g_assert_cmpuint (info->cpu_throttle, <=, 100);
  g_assert_null (info->error_desc);
  g_assert_cmpstr (info->blocked_reasons[0], ==, "");
  g_assert_cmpuint (info->listens_at->len, ==, 0);
  g_assert_cmpuint (info->xbzrle.pages, ==, 0);

  g_autoptr (StasisMigrationInfo) list = parse ("[]");
  g_assert_cmpint (list->status, ==, STASIS_MIGRATION_NONE);
}

/* Where the guest may run at both ends. */
static void
test_shared (void)
{
  static const char *const shared[]
      = { "postcopy-device",        "postcopy-active",  "postcopy-paused",
          "postcopy-recover-setup", "postcopy-recover", "colo",
          "postcopy-of-the-future" };
  static const char *const own[]
      = { "none",      "setup",  "cancelling",     "cancelled", "active",
          "completed", "failed", "pre-switchover", "device",    "wait-unplug" };
  for (gsize i = 0; i < G_N_ELEMENTS (shared); i++)
    g_assert_true (
        stasis_migration_status_is_shared (stasis_migration_status_from_string (shared[i])));
  for (gsize i = 0; i < G_N_ELEMENTS (own); i++)
    g_assert_false (
        stasis_migration_status_is_shared (stasis_migration_status_from_string (own[i])));
}

static void
test_states (void)
{
  for (guint i = STASIS_MIGRATION_NONE; i <= STASIS_MIGRATION_WAIT_UNPLUG; i++)
    g_assert_cmpint (stasis_migration_status_from_string (stasis_migration_status_to_string (i)),
                     ==, i);
  g_assert_cmpint (stasis_migration_status_from_string ("lost"), ==, STASIS_MIGRATION_UNKNOWN);
  g_assert_cmpstr (stasis_migration_status_to_string (1000), ==, "unknown");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/monitor/commands-migrate-info/everything", test_everything);
  g_test_add_func ("/monitor/commands-migrate-info/nothing", test_nothing);
  g_test_add_func ("/monitor/commands-migrate-info/nonsense", test_nonsense);
  g_test_add_func ("/monitor/commands-migrate-info/shared", test_shared);
  g_test_add_func ("/monitor/commands-migrate-info/states", test_states);
  return g_test_run ();
}
