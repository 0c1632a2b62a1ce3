/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-params-test.c: tests of src/driver/migrate-params.c
 */

#include "config.h"

#include "driver/migrate-params.h"

#include <stasis/error.h>
#include <string.h>

typedef StasisMigrateRequest Request;

static void
set_list (char ***list, const char *words)
{
  g_strfreev (*list);
  *list = g_strsplit (words, ",", -1);
}

#define SETTER(name, ...) \
  static void name (Request *r) { __VA_ARGS__; }

SETTER (set_nothing, (void) r)
SETTER (set_unknown_method, set_list (&r->compression, "gzip"))
SETTER (set_twice, set_list (&r->compression, "xbzrle,xbzrle"))
SETTER (set_xbzrle, set_list (&r->compression, "xbzrle"))
SETTER (set_zstd, set_list (&r->compression, "zstd"))
SETTER (set_mt, set_list (&r->compression, "mt"); r->comp_mt_level = 9)
SETTER (set_both, set_list (&r->compression, "zlib,zstd"))
SETTER (set_mt_level, r->comp_mt_level = 1)
SETTER (set_mt_level_10, r->comp_mt_level = 10)
SETTER (set_zlib_level, r->zlib_level = 3)
SETTER (set_zstd_level, r->zstd_level = 0)
SETTER (set_zstd_21, r->zstd_level = 21)
SETTER (set_cache, r->xbzrle_cache = 8192)
SETTER (set_cache_5000, r->xbzrle_cache = 5000)
SETTER (set_cache_small, r->xbzrle_cache = 2048)
SETTER (set_initial, r->auto_converge_initial = 20)
SETTER (set_initial_0, r->auto_converge_initial = 0)
SETTER (set_increment_100, r->auto_converge_increment = 100)
SETTER (set_connections, r->parallel_connections = 4)
SETTER (set_connections_0, r->parallel_connections = 0)
SETTER (set_connections_256, r->parallel_connections = 256)
SETTER (set_post_bandwidth, r->postcopy_bandwidth = 10)
SETTER (set_huge_bandwidth, r->bandwidth = G_MAXUINT64)
SETTER (set_passes, r->postcopy_passes = 1)
SETTER (set_after, r->postcopy_after_ms = 1000)
SETTER (set_downtime, r->max_downtime_ms = 2000001)
SETTER (set_tls_name, r->tls_destination = g_strdup ("b"))
SETTER (set_persistent, r->persistent_xml = g_strdup ("<domain/>"))
SETTER (set_disks, set_list (&r->disks, "vda"))
SETTER (set_zeroes, set_list (&r->disks_detect_zeroes, "vda"))
SETTER (set_uri, r->uri = g_strdup ("tcp:b"))
SETTER (set_rdma, r->uri = g_strdup ("rdma://b"))
SETTER (set_listen, r->listen_address = g_strdup ("::"))
SETTER (set_port, r->disks_port = 49153)
SETTER (set_port_70000, r->disks_port = 70000)
SETTER (set_ports, r->disks_port = 49153; r->disks_uri = g_strdup ("tcp://b:1"))

typedef struct
{
  const char *test;
  guint flags;
  void (*set) (Request *);
  const char *one;   /* NULL: it is fine */
  const char *other; /* (nullable) what the message names too */
} Case;

#define LIVE      STASIS_MIGRATE_LIVE
#define P2P       STASIS_MIGRATE_P2P
#define TUNNELLED (STASIS_MIGRATE_P2P | STASIS_MIGRATE_TUNNELLED)
#define PERSIST   STASIS_MIGRATE_PERSIST_DEST
#define ALL       STASIS_MIGRATE_COPY_STORAGE_ALL
#define INC       STASIS_MIGRATE_COPY_STORAGE_INC
#define OFFLINE   (STASIS_MIGRATE_OFFLINE | STASIS_MIGRATE_PERSIST_DEST)
#define POSTCOPY  STASIS_MIGRATE_POSTCOPY
#define PARALLEL  STASIS_MIGRATE_PARALLEL
#define TLS       STASIS_MIGRATE_TLS
#define ZEROCOPY  STASIS_MIGRATE_ZEROCOPY
#define CONVERGE  STASIS_MIGRATE_AUTO_CONVERGE
#define COMPRESS  STASIS_MIGRATE_COMPRESSED

static const Case cases[] = {
  { "default", 0, set_nothing, NULL, NULL },
  { "plain", LIVE | P2P | PERSIST | STASIS_MIGRATE_UNDEFINE_SOURCE, set_uri, NULL, NULL },
  { "all-together", LIVE | P2P | ALL | PARALLEL | TLS | CONVERGE | COMPRESS, set_zstd, NULL, NULL },
  { "tunnel", LIVE | TUNNELLED | ALL, set_nothing, NULL, NULL },
  { "zerocopy", LIVE | PARALLEL | ZEROCOPY, set_connections, NULL, NULL },
  { "offline", OFFLINE, set_nothing, NULL, NULL },
  { "cache", LIVE | COMPRESS, set_cache, NULL, NULL },
  { "mt", LIVE, set_mt, NULL, NULL },
  { "zstd-by-default", LIVE | COMPRESS | PARALLEL, set_zstd_level, NULL, NULL },
  { "rdma", STASIS_MIGRATE_RDMA_PIN_ALL, set_nothing, "--rdma-pin-all", "not supported" },
  { "flag", 1u << 21, set_nothing, "0x200000", NULL },
  { "tunnel-alone", STASIS_MIGRATE_TUNNELLED, set_nothing, "--tunnelled", "--p2p" },
  { "tunnel-parallel", TUNNELLED | PARALLEL, set_nothing, "--tunnelled", "--parallel" },
  { "tunnel-postcopy", TUNNELLED | POSTCOPY, set_nothing, "--tunnelled", "--postcopy" },
  { "tunnel-tls", TUNNELLED | TLS, set_nothing, "--tunnelled", "--tls" },
  { "tunnel-uri", TUNNELLED, set_uri, "--migrateuri", "--tunnelled" },
  { "tunnel-listen", TUNNELLED, set_listen, "--listen-address", "--tunnelled" },
  { "tunnel-port", TUNNELLED | ALL, set_port, "--disks-port", "--tunnelled" },
  { "all-inc", ALL | INC, set_nothing, "--copy-storage-all", "--copy-storage-inc" },
  { "parallel-postcopy", PARALLEL | POSTCOPY, set_nothing, "--parallel", "--postcopy" },
  { "zerocopy-alone", ZEROCOPY, set_nothing, "--zerocopy", "--parallel" },
  { "zerocopy-tls", ZEROCOPY | PARALLEL | TLS, set_nothing, "--zerocopy", "--tls" },
  { "zerocopy-zstd", ZEROCOPY | PARALLEL, set_zstd, "--zerocopy", "--comp-methods" },
  { "offline-alone", STASIS_MIGRATE_OFFLINE, set_nothing, "--offline", "--persistent" },
  { "offline-live", OFFLINE | LIVE, set_nothing, "--offline", "--live" },
  { "offline-copy", OFFLINE | ALL, set_nothing, "--offline", "--copy-storage-all" },
  { "resume-alone", STASIS_MIGRATE_POSTCOPY_RESUME, set_nothing, "--postcopy-resume",
    "--postcopy" },
  { "sync-alone", STASIS_MIGRATE_SYNC_WRITES, set_nothing, "--copy-storage-synchronous-writes",
    "--copy-storage-all" },
  { "unknown-method", COMPRESS, set_unknown_method, "--comp-methods", "gzip" },
  { "twice", COMPRESS, set_twice, "--comp-methods", "twice" },
  { "xbzrle-parallel", PARALLEL, set_xbzrle, "xbzrle", "--parallel" },
  { "zstd-alone", COMPRESS, set_zstd, "zstd", "--parallel" },
  { "two-methods", PARALLEL, set_both, "zlib", "zstd" },
  { "mt-level-alone", COMPRESS, set_mt_level, "--comp-mt-level", "--comp-methods mt" },
  { "mt-level", 0, set_mt_level_10, "--comp-mt-level", "0 to 9" },
  { "zlib-level-alone", PARALLEL | COMPRESS, set_zlib_level, "--comp-zlib-level", "zlib" },
  { "zstd-level", PARALLEL, set_zstd_21, "--comp-zstd-level", "0 to 20" },
  { "cache-alone", 0, set_cache, "--comp-xbzrle-cache", "xbzrle" },
  { "cache-odd", COMPRESS, set_cache_5000, "--comp-xbzrle-cache", "power of two" },
  { "cache-small", COMPRESS, set_cache_small, "--comp-xbzrle-cache", "4096" },
  { "initial-alone", LIVE, set_initial, "--auto-converge-initial", "--auto-converge" },
  { "initial", CONVERGE, set_initial_0, "--auto-converge-initial", "1 to 99" },
  { "increment", CONVERGE, set_increment_100, "--auto-converge-increment", "1 to 99" },
  { "connections-alone", LIVE, set_connections, "--parallel-connections", "--parallel" },
  { "connections-0", PARALLEL, set_connections_0, "--parallel-connections", "1 to 255" },
  { "connections-256", PARALLEL, set_connections_256, "--parallel-connections", "1 to 255" },
  { "postcopy-bandwidth", LIVE, set_post_bandwidth, "--postcopy-bandwidth", "--postcopy" },
  { "bandwidth", LIVE, set_huge_bandwidth, "--bandwidth", "at most" },
  { "downtime", LIVE, set_downtime, "--max-downtime", "2000000" },
  { "passes-alone", LIVE, set_passes, "--postcopy-after-precopy", "--postcopy" },
  { "after-alone", LIVE, set_after, "--timeout-postcopy", "--postcopy" },
  { "tls-name-alone", LIVE, set_tls_name, "--tls-destination", "--tls" },
  { "persistent-alone", LIVE, set_persistent, "--persistent-xml", "--persistent" },
  { "disks-alone", LIVE, set_disks, "--migrate-disks", "--copy-storage-all" },
  { "zeroes-alone", LIVE, set_zeroes, "--migrate-disks-detect-zeroes", "--copy-storage-all" },
  { "rdma-uri", LIVE, set_rdma, "--migrateuri", "RDMA" },
  { "port", ALL, set_port_70000, "--disks-port", "65535" },
  { "ports", ALL, set_ports, "--disks-port", "--disks-uri" },
};

static void
test_case (gconstpointer data)
{
  const Case *c = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisMigrateRequest) request = stasis_migrate_request_new ();
  c->set (request);
  const gboolean is_fine = stasis_migrate_params_check (c->flags, request, &error);
  if (c->one == NULL)
    {
      g_assert_no_error (error);
      g_assert_true (is_fine);
      return;
    }
  g_assert_false (is_fine);
  g_assert_nonnull (error);
  g_test_message ("%s", error->message);
  g_assert_true (error->domain == STASIS_ERROR);
  g_assert_nonnull (strstr (error->message, c->one));
  if (c->other != NULL)
    g_assert_nonnull (strstr (error->message, c->other));
}

static void
test_no_request (void)
{
  g_assert_true (stasis_migrate_params_check (STASIS_MIGRATE_LIVE, NULL, NULL));
  g_assert_false (stasis_migrate_params_check (STASIS_MIGRATE_ZEROCOPY, NULL, NULL));
}

static void
test_copy (void)
{
  g_autoptr (StasisMigrateRequest) request = stasis_migrate_request_new ();
  set_zstd (request);
  set_uri (request);
  set_disks (request);
  g_autoptr (StasisMigrateRequest) copy = stasis_migrate_request_copy (request);
  g_assert_cmpstr (copy->uri, ==, "tcp:b");
  g_assert_true (copy->uri != request->uri);
  g_assert_cmpstr (copy->disks[0], ==, "vda");
  g_assert_cmpstr (copy->compression[0], ==, "zstd");
  g_assert_cmpint (copy->zlib_level, ==, STASIS_MIGRATE_UNSET);
  stasis_migrate_request_free (NULL);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strconcat ("/driver/migrate-params/", cases[i].test, NULL);
      g_test_add_data_func (path, &cases[i], test_case);
    }
  g_test_add_func ("/driver/migrate-params/no-request", test_no_request);
  g_test_add_func ("/driver/migrate-params/copy", test_copy);
  return g_test_run ();
}
