/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-plan-test.c: tests of src/driver/migrate-plan.c
 */

#include "config.h"

#include <stasis/error.h>
#include <string.h>

#include "driver/migrate-params.h"
#include "driver/migration-end.h"

#define OLD \
  "xbzrle,compress,auto-converge,events,postcopy-ram,return-path," \
  "pause-before-switchover,multifd,postcopy-blocktime,late-block-activate," \
  "zero-copy-send,postcopy-preempt"
#define NEW \
  "xbzrle,auto-converge,events,postcopy-ram,return-path,pause-before-switchover," \
  "multifd,postcopy-blocktime,late-block-activate,zero-copy-send,postcopy-preempt," \
  "switchover-ack"

static GHashTable *
make_set (const char *words)
{
  GHashTable *set = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_auto (GStrv) list = g_strsplit (words, ",", -1);
  for (gsize i = 0; list[i] != NULL; i++)
    g_hash_table_add (set, g_strdup (list[i]));
  return set;
}

static StasisMigratePlan *
make_plan (StasisMigrateSide side, guint flags, const StasisMigrateRequest *request,
           const char *knows, const StasisJson *parameters)
{
  g_autoptr (GHashTable) set = make_set (knows);
  return stasis_migrate_plan_new (side, flags, request, set, parameters);
}

static void
assert_capabilities (const StasisMigratePlan *plan, const char *expected)
{
  g_ptr_array_add (plan->capabilities, NULL);
  g_autofree char *text = g_strjoinv (",", (char **) plan->capabilities->pdata);
  g_ptr_array_set_size (plan->capabilities, (gint) plan->capabilities->len - 1);
  g_assert_cmpstr (text, ==, expected);
}

static void
assert_parameters (const StasisMigratePlan *plan, const char *expected)
{
  g_autofree char *text = stasis_json_to_string (plan->parameters);
  g_assert_cmpstr (text, ==, expected);
}

static void
assert_possible (const StasisMigratePlan *plan)
{
  g_autoptr (GError) error = NULL;
  stasis_migrate_plan_check (plan, "the source's QEMU 10.0", &error);
  g_assert_no_error (error);
}

static void
assert_impossible (const StasisMigratePlan *plan, const char *option, const char *reason)
{
  g_autoptr (GError) error = NULL;
  g_assert_false (stasis_migrate_plan_check (plan, "the source's QEMU 7.2", &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, option));
  g_assert_nonnull (strstr (error->message, reason));
}

static void
test_plain (void)
{
  g_autoptr (StasisMigratePlan) source
      = make_plan (STASIS_MIGRATE_SIDE_SOURCE, STASIS_MIGRATE_LIVE, NULL, NEW, NULL);
  assert_capabilities (source, "events,return-path,pause-before-switchover,switchover-ack");
  assert_parameters (source, "{\"max-bandwidth\":0}");
  g_assert_cmpuint (source->lacks->len, ==, 0);
  g_autoptr (StasisMigratePlan) dest
      = make_plan (STASIS_MIGRATE_SIDE_DEST, STASIS_MIGRATE_LIVE, NULL, NEW, NULL);
  assert_capabilities (dest, "events,return-path,late-block-activate,switchover-ack");
  assert_parameters (dest, "{}");
}

/* What nobody asked for is left out where it is not there, and said. */
static void
test_old (void)
{
  g_autoptr (StasisMigratePlan) plan
      = make_plan (STASIS_MIGRATE_SIDE_SOURCE, STASIS_MIGRATE_LIVE, NULL, OLD, NULL);
  g_assert_cmpuint (plan->lacks->len, ==, 1);
  const StasisMigrateLack *lack = g_ptr_array_index (plan->lacks, 0);
  g_assert_null (lack->option);
  g_assert_nonnull (strstr (lack->reason, "switchover-ack"));
  assert_possible (plan);
}

static void
test_parallel (void)
{
  g_autoptr (StasisMigrateRequest) request = stasis_migrate_request_new ();
  request->compression = g_strsplit ("zstd", ",", -1);
  request->zstd_level = 3;
  request->parallel_connections = 4;
  request->bandwidth = 100;
  request->max_downtime_ms = 50;
  const guint flags = STASIS_MIGRATE_LIVE | STASIS_MIGRATE_PARALLEL;
  g_autoptr (StasisMigratePlan) source
      = make_plan (STASIS_MIGRATE_SIDE_SOURCE, flags, request, NEW, NULL);
  g_assert_true (stasis_migrate_plan_has (source, "multifd"));
  assert_parameters (source, "{\"multifd-compression\":\"zstd\",\"multifd-zstd-level\":3,"
                             "\"max-bandwidth\":104857600,\"downtime-limit\":50,"
                             "\"multifd-channels\":4}");
  g_autoptr (StasisMigratePlan) dest
      = make_plan (STASIS_MIGRATE_SIDE_DEST, flags, request, NEW, NULL);
  g_assert_true (stasis_migrate_plan_has (dest, "multifd"));
  assert_parameters (dest, "{\"multifd-compression\":\"zstd\",\"multifd-channels\":4}");
}

static void
test_xbzrle (void)
{
  g_autoptr (StasisMigrateRequest) request = stasis_migrate_request_new ();
  request->xbzrle_cache = 65536;
  g_autoptr (StasisMigratePlan) plan
      = make_plan (STASIS_MIGRATE_SIDE_SOURCE, STASIS_MIGRATE_COMPRESSED, request, NEW, NULL);
  g_assert_true (stasis_migrate_plan_has (plan, "xbzrle"));
  assert_parameters (plan, "{\"xbzrle-cache-size\":65536,\"max-bandwidth\":0}");
}

static void
test_mt (void)
{
  g_autoptr (StasisMigrateRequest) request = stasis_migrate_request_new ();
  request->compression = g_strsplit ("mt", ",", -1);
  request->comp_mt_threads = 2;
  request->comp_mt_dthreads = 1;
  g_autoptr (StasisMigratePlan) old
      = make_plan (STASIS_MIGRATE_SIDE_DEST, STASIS_MIGRATE_COMPRESSED, request, OLD, NULL);
  g_assert_true (stasis_migrate_plan_has (old, "compress"));
  g_assert_false (stasis_migrate_plan_has (old, "xbzrle"));
  assert_parameters (old, "{\"decompress-threads\":1}");
  g_autoptr (StasisMigratePlan) new
      = make_plan (STASIS_MIGRATE_SIDE_SOURCE, STASIS_MIGRATE_COMPRESSED, request, NEW, NULL);
  assert_impossible (new, "--comp-methods mt", "'compress'");
}

static void
test_postcopy (void)
{
  g_autoptr (StasisMigratePlan) dest = make_plan (
      STASIS_MIGRATE_SIDE_DEST, STASIS_MIGRATE_LIVE | STASIS_MIGRATE_POSTCOPY, NULL, NEW, NULL);
  g_assert_true (stasis_migrate_plan_has (dest, "postcopy-ram"));
  g_assert_true (stasis_migrate_plan_has (dest, "postcopy-preempt"));
  g_assert_true (stasis_migrate_plan_has (dest, "postcopy-blocktime"));
  g_autoptr (StasisMigratePlan) lacking = make_plan (
      STASIS_MIGRATE_SIDE_SOURCE, STASIS_MIGRATE_POSTCOPY, NULL, "events,return-path", NULL);
  assert_impossible (lacking, "--postcopy", "'postcopy-ram'");
}

/* QEMU's own list of parameters counts. */
static void
test_parameters (void)
{
  g_autoptr (StasisMigrateRequest) request = stasis_migrate_request_new ();
  request->switchover_bandwidth = 1000;
  g_autoptr (StasisJson) knows = stasis_json_parse ("{\"max-bandwidth\":1}", -1, NULL);
  g_autoptr (StasisMigratePlan) plan
      = make_plan (STASIS_MIGRATE_SIDE_SOURCE, 0, request, OLD, knows);
  assert_parameters (plan, "{\"max-bandwidth\":0}");
  assert_impossible (plan, "--available-switchover-bandwidth", "avail-switchover-bandwidth");
}

/* What is noted of a QEMU before, and given back. */
static void
assert_given_back (const StasisMigratePlan *plan)
{
  g_autoptr (StasisJson) noted = stasis_migration_pick_parameters (plan->parameters);
  for (guint i = 0; i < stasis_json_object_size (plan->parameters); i++)
    {
      const char *name = stasis_json_object_key (plan->parameters, i);
      if (stasis_json_get (noted, name) == NULL)
        g_error ("'%s' is set, and nobody sets it back", name);
    }
}

static void
test_given_back (void)
{
  g_autoptr (StasisMigrateRequest) request = stasis_migrate_request_new ();
  request->bandwidth = request->postcopy_bandwidth = request->switchover_bandwidth = 1;
  request->max_downtime_ms = request->xbzrle_cache = 4096;
  request->tls_destination = g_strdup ("there");
  request->comp_mt_level = request->comp_mt_threads = request->comp_mt_dthreads = 1;
  request->auto_converge_initial = request->auto_converge_increment = 1;
  request->parallel_connections = request->zlib_level = request->zstd_level = 1;
  for (guint i = 0; i < 4; i++)
    {
      static const char *const methods[] = { "xbzrle", "mt", "zlib", "zstd" };
      const guint flags = STASIS_MIGRATE_COMPRESSED | (i > 1 ? STASIS_MIGRATE_PARALLEL : 0);
      g_strfreev (request->compression);
      request->compression = g_strsplit (methods[i], ",", -1);
      g_autoptr (StasisMigratePlan) source
          = make_plan (STASIS_MIGRATE_SIDE_SOURCE, flags, request, OLD, NULL);
      g_autoptr (StasisMigratePlan) dest
          = make_plan (STASIS_MIGRATE_SIDE_DEST, flags, request, OLD, NULL);
      assert_given_back (source);
      assert_given_back (dest);
    }
}

static void
test_restrict (void)
{
  static const char *const chosen[] = { "events", "return-path", "multifd", NULL };
  static const char *const fewer[] = { "events", "return-path", NULL };
  const guint flags = STASIS_MIGRATE_PARALLEL | STASIS_MIGRATE_AUTO_CONVERGE;
  g_autoptr (StasisMigratePlan) plan
      = make_plan (STASIS_MIGRATE_SIDE_SOURCE, flags, NULL, NEW, NULL);
  g_assert_cmpuint (plan->needed->len, ==, 1); /* auto-converge is the source's own business */
  g_assert_cmpstr (g_ptr_array_index (plan->needed, 0), ==, "multifd");
  g_assert_cmpuint (plan->offers->len, ==, 3);
  g_assert_cmpstr (g_ptr_array_index (plan->offers, 2), ==, "switchover-ack");
  stasis_migrate_plan_restrict (plan, chosen);
  assert_capabilities (plan, "events,return-path,pause-before-switchover,auto-converge,multifd");
  assert_possible (plan);
  stasis_migrate_plan_restrict (plan, fewer);
  assert_impossible (plan, "--parallel", "the destination lacks");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/driver/migrate-plan/plain", test_plain);
  g_test_add_func ("/driver/migrate-plan/old", test_old);
  g_test_add_func ("/driver/migrate-plan/parallel", test_parallel);
  g_test_add_func ("/driver/migrate-plan/xbzrle", test_xbzrle);
  g_test_add_func ("/driver/migrate-plan/mt", test_mt);
  g_test_add_func ("/driver/migrate-plan/postcopy", test_postcopy);
  g_test_add_func ("/driver/migrate-plan/parameters", test_parameters);
  g_test_add_func ("/driver/migrate-plan/given-back", test_given_back);
  g_test_add_func ("/driver/migrate-plan/restrict", test_restrict);
  return g_test_run ();
}
