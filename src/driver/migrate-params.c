/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-params.c: does what users choose of a migration make sense?
 *
 * Tables, most of it: which options cannot go together, which need another, and what the numbers
 * are between.  QEMU's own rules stand here too (multifd knows no xbzrle and, up to 10.0, no
 * postcopy), for it tells them in words that do not name the option.
 */

#include "config.h"

#include "driver/migrate-params.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#define ALL_FLAGS   (((guint) STASIS_MIGRATE_ZEROCOPY << 1) - 1)
#define COPY        (STASIS_MIGRATE_COPY_STORAGE_ALL | STASIS_MIGRATE_COPY_STORAGE_INC)
#define LIMIT_MIB   (G_MAXUINT64 >> 21) /* MiB/s that are a gint64 of octets */
#define DOWNTIME_MS 2000000u            /* QEMU's limit */
#define PAGE        4096u

typedef struct
{
  guint flag;
  const char *option;
} Option;

static const Option options[] = {
  { STASIS_MIGRATE_LIVE, "--live" },
  { STASIS_MIGRATE_P2P, "--p2p" },
  { STASIS_MIGRATE_TUNNELLED, "--tunnelled" },
  { STASIS_MIGRATE_PERSIST_DEST, "--persistent" },
  { STASIS_MIGRATE_UNDEFINE_SOURCE, "--undefinesource" },
  { STASIS_MIGRATE_PAUSED, "--suspend" },
  { STASIS_MIGRATE_COPY_STORAGE_ALL, "--copy-storage-all" },
  { STASIS_MIGRATE_COPY_STORAGE_INC, "--copy-storage-inc" },
  { STASIS_MIGRATE_CHANGE_PROTECTION, "--change-protection" },
  { STASIS_MIGRATE_UNSAFE, "--unsafe" },
  { STASIS_MIGRATE_OFFLINE, "--offline" },
  { STASIS_MIGRATE_COMPRESSED, "--compressed" },
  { STASIS_MIGRATE_ABORT_ON_ERROR, "--abort-on-error" },
  { STASIS_MIGRATE_AUTO_CONVERGE, "--auto-converge" },
  { STASIS_MIGRATE_RDMA_PIN_ALL, "--rdma-pin-all" },
  { STASIS_MIGRATE_POSTCOPY, "--postcopy" },
  { STASIS_MIGRATE_TLS, "--tls" },
  { STASIS_MIGRATE_PARALLEL, "--parallel" },
  { STASIS_MIGRATE_SYNC_WRITES, "--copy-storage-synchronous-writes" },
  { STASIS_MIGRATE_POSTCOPY_RESUME, "--postcopy-resume" },
  { STASIS_MIGRATE_ZEROCOPY, "--zerocopy" },
};

/* Both are given: refused. */
static const guint exclusive[][2] = {
  { STASIS_MIGRATE_COPY_STORAGE_ALL, STASIS_MIGRATE_COPY_STORAGE_INC },
  { STASIS_MIGRATE_TUNNELLED, STASIS_MIGRATE_PARALLEL },
  { STASIS_MIGRATE_TUNNELLED, STASIS_MIGRATE_POSTCOPY },
  { STASIS_MIGRATE_TUNNELLED, STASIS_MIGRATE_TLS },
  { STASIS_MIGRATE_TUNNELLED, STASIS_MIGRATE_ZEROCOPY },
  { STASIS_MIGRATE_PARALLEL, STASIS_MIGRATE_POSTCOPY },
  { STASIS_MIGRATE_ZEROCOPY, STASIS_MIGRATE_TLS },
  { STASIS_MIGRATE_ZEROCOPY, STASIS_MIGRATE_COMPRESSED },
  { STASIS_MIGRATE_OFFLINE, STASIS_MIGRATE_LIVE },
  { STASIS_MIGRATE_OFFLINE, STASIS_MIGRATE_TUNNELLED },
  { STASIS_MIGRATE_OFFLINE, STASIS_MIGRATE_COPY_STORAGE_ALL },
  { STASIS_MIGRATE_OFFLINE, STASIS_MIGRATE_COPY_STORAGE_INC },
  { STASIS_MIGRATE_OFFLINE, STASIS_MIGRATE_POSTCOPY },
  { STASIS_MIGRATE_OFFLINE, STASIS_MIGRATE_PAUSED },
};

/* The first is given, and the second is not: refused. */
static const guint required[][2] = {
  { STASIS_MIGRATE_TUNNELLED, STASIS_MIGRATE_P2P },
  { STASIS_MIGRATE_OFFLINE, STASIS_MIGRATE_PERSIST_DEST },
  { STASIS_MIGRATE_POSTCOPY_RESUME, STASIS_MIGRATE_POSTCOPY },
  { STASIS_MIGRATE_ZEROCOPY, STASIS_MIGRATE_PARALLEL },
};

static gboolean G_GNUC_PRINTF (2, 3) refuse (GError **error, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *message = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT, message);
  return FALSE;
}

static const char *
option_of (guint flag)
{
  for (gsize i = 0; i < G_N_ELEMENTS (options); i++)
    if (options[i].flag == flag)
      return options[i].option;
  return "?";
}

static gboolean
refuse_both (const char *one, const char *other, GError **error)
{
  return refuse (error, _ ("%1$s and %2$s cannot go together"), one, other);
}

static gboolean
refuse_alone (const char *one, const char *other, GError **error)
{
  return refuse (error, _ ("%1$s needs %2$s"), one, other);
}

static gboolean
check_flags (guint flags, GError **error)
{
  if ((flags & ~ALL_FLAGS) != 0)
    return refuse (error, _ ("a migration knows no such flags: %#x"), flags & ~ALL_FLAGS);
  if ((flags & STASIS_MIGRATE_RDMA_PIN_ALL) != 0)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                   _ ("%s: migration over RDMA is not supported"),
                   option_of (STASIS_MIGRATE_RDMA_PIN_ALL));
      return FALSE;
    }
  for (gsize i = 0; i < G_N_ELEMENTS (exclusive); i++)
    if ((flags & exclusive[i][0]) != 0 && (flags & exclusive[i][1]) != 0)
      return refuse_both (option_of (exclusive[i][0]), option_of (exclusive[i][1]), error);
  for (gsize i = 0; i < G_N_ELEMENTS (required); i++)
    if ((flags & required[i][0]) != 0 && (flags & required[i][1]) == 0)
      return refuse_alone (option_of (required[i][0]), option_of (required[i][1]), error);
  if ((flags & STASIS_MIGRATE_SYNC_WRITES) != 0 && (flags & COPY) == 0)
    return refuse_alone (option_of (STASIS_MIGRATE_SYNC_WRITES),
                         "--copy-storage-all / --copy-storage-inc", error);
  return TRUE;
}

static gboolean
has_method (const StasisMigrateRequest *request, const char *method)
{
  return request->compression != NULL
         && g_strv_contains ((const char *const *) request->compression, method);
}

/* Without a word xbzrle is meant, or zstd over several connections. */
static gboolean
check_methods (guint flags, const StasisMigrateRequest *request, GError **error)
{
  static const char *const methods[] = { "xbzrle", "zlib", "zstd", "mt", NULL };
  const gboolean is_parallel = (flags & STASIS_MIGRATE_PARALLEL) != 0;
  for (gsize i = 0; request->compression != NULL && request->compression[i] != NULL; i++)
    {
      const char *method = request->compression[i];
      const gboolean is_of_multifd = g_str_equal (method, "zlib") || g_str_equal (method, "zstd");
      if (!g_strv_contains (methods, method))
        return refuse (error,
                       _ ("--comp-methods: there is no method '%s'; there are: xbzrle, zlib, zstd, "
                          "mt"),
                       method);
      for (gsize j = 0; j < i; j++)
        if (g_str_equal (request->compression[j], method))
          return refuse (error, _ ("--comp-methods: '%s' stands there twice"), method);
      if (is_of_multifd && !is_parallel)
        return refuse (error, _ ("--comp-methods %1$s needs %2$s"), method, "--parallel");
      if (!is_of_multifd && is_parallel)
        return refuse (error, _ ("--comp-methods %1$s and %2$s cannot go together"), method,
                       "--parallel");
    }
  if (has_method (request, "zlib") && has_method (request, "zstd"))
    return refuse (error, _ ("--comp-methods: 'zlib' and 'zstd' cannot go together"));
  if ((flags & STASIS_MIGRATE_ZEROCOPY) != 0 && request->compression != NULL
      && request->compression[0] != NULL)
    return refuse_both ("--zerocopy", "--comp-methods", error);
  return TRUE;
}

static gboolean
check_range (const char *option, gint value, gint low, gint high, GError **error)
{
  return value == STASIS_MIGRATE_UNSET || (value >= low && value <= high)
         || refuse (error, _ ("%1$s is a number from %2$d to %3$d, not %4$d"), option, low, high,
                    value);
}

static gboolean
check_ranges (const StasisMigrateRequest *r, GError **error)
{
  return check_range ("--comp-mt-level", r->comp_mt_level, 0, 9, error)
         && check_range ("--comp-mt-threads", r->comp_mt_threads, 1, 255, error)
         && check_range ("--comp-mt-dthreads", r->comp_mt_dthreads, 1, 255, error)
         && check_range ("--comp-zlib-level", r->zlib_level, 0, 9, error)
         && check_range ("--comp-zstd-level", r->zstd_level, 0, 20, error)
         && check_range ("--auto-converge-initial", r->auto_converge_initial, 1, 99, error)
         && check_range ("--auto-converge-increment", r->auto_converge_increment, 1, 99, error)
         && check_range ("--parallel-connections", r->parallel_connections, 1, 255, error)
         && (r->disks_port == 0 || check_range ("--disks-port", r->disks_port, 1, 65535, error));
}

static gboolean
check_limit (const char *option, guint64 value, guint64 high, GError **error)
{
  return value <= high
         || refuse (error,
                    _ ("%1$s is at most %2$" G_GINT64_MODIFIER "u, not %3$" G_GINT64_MODIFIER "u"),
                    option, high, value);
}

static gboolean
check_limits (const StasisMigrateRequest *r, GError **error)
{
  if (r->xbzrle_cache != 0
      && (r->xbzrle_cache < PAGE || (r->xbzrle_cache & (r->xbzrle_cache - 1)) != 0))
    return refuse (error, _ ("--comp-xbzrle-cache is a power of two, %u or more"), PAGE);
  return check_limit ("--bandwidth", r->bandwidth, LIMIT_MIB, error)
         && check_limit ("--postcopy-bandwidth", r->postcopy_bandwidth, LIMIT_MIB, error)
         && check_limit ("--available-switchover-bandwidth", r->switchover_bandwidth, LIMIT_MIB,
                         error)
         && check_limit ("--max-downtime", r->max_downtime_ms, DOWNTIME_MS, error);
}

/* What is set only where something else is. */
typedef struct
{
  gboolean is_set;
  const char *option;
  gboolean is_there;
  const char *needs;
} Need;

static gboolean
check_needs (guint flags, const StasisMigrateRequest *r, GError **error)
{
  const gboolean has_xbzrle = has_method (r, "xbzrle")
                              || ((flags & STASIS_MIGRATE_COMPRESSED) != 0
                                  && (r->compression == NULL || r->compression[0] == NULL)
                                  && (flags & STASIS_MIGRATE_PARALLEL) == 0);
  const gboolean has_mt = has_method (r, "mt");
  const gboolean converges = (flags & STASIS_MIGRATE_AUTO_CONVERGE) != 0;
  const gboolean has_zstd
      = has_method (r, "zstd")
        || ((flags & STASIS_MIGRATE_COMPRESSED) != 0 && (flags & STASIS_MIGRATE_PARALLEL) != 0
            && !has_method (r, "zlib"));
  const Need needs[] = {
    { r->comp_mt_level >= 0, "--comp-mt-level", has_mt, "--comp-methods mt" },
    { r->comp_mt_threads >= 0, "--comp-mt-threads", has_mt, "--comp-methods mt" },
    { r->comp_mt_dthreads >= 0, "--comp-mt-dthreads", has_mt, "--comp-methods mt" },
    { r->xbzrle_cache != 0, "--comp-xbzrle-cache", has_xbzrle, "--comp-methods xbzrle" },
    { r->zlib_level >= 0, "--comp-zlib-level", has_method (r, "zlib"), "--comp-methods zlib" },
    { r->zstd_level >= 0, "--comp-zstd-level", has_zstd, "--comp-methods zstd" },
    { r->auto_converge_initial >= 0, "--auto-converge-initial", converges, "--auto-converge" },
    { r->auto_converge_increment >= 0, "--auto-converge-increment", converges, "--auto-converge" },
    { r->parallel_connections >= 0, "--parallel-connections",
      (flags & STASIS_MIGRATE_PARALLEL) != 0, "--parallel" },
    { r->postcopy_bandwidth != 0, "--postcopy-bandwidth", (flags & STASIS_MIGRATE_POSTCOPY) != 0,
      "--postcopy" },
    { r->postcopy_passes != 0, "--postcopy-after-precopy", (flags & STASIS_MIGRATE_POSTCOPY) != 0,
      "--postcopy" },
    { r->postcopy_after_ms != 0, "--timeout-postcopy", (flags & STASIS_MIGRATE_POSTCOPY) != 0,
      "--postcopy" },
    { r->tls_destination != NULL, "--tls-destination", (flags & STASIS_MIGRATE_TLS) != 0, "--tls" },
    { r->persistent_xml != NULL, "--persistent-xml", (flags & STASIS_MIGRATE_PERSIST_DEST) != 0,
      "--persistent" },
    { r->disks != NULL, "--migrate-disks", (flags & COPY) != 0,
      "--copy-storage-all / --copy-storage-inc" },
    { r->disks_detect_zeroes != NULL, "--migrate-disks-detect-zeroes", (flags & COPY) != 0,
      "--copy-storage-all / --copy-storage-inc" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (needs); i++)
    if (needs[i].is_set && !needs[i].is_there)
      return refuse_alone (needs[i].option, needs[i].needs, error);
  return TRUE;
}

/* What says where things are sent to; through a tunnel there is only one way. */
static gboolean
check_addresses (guint flags, const StasisMigrateRequest *r, GError **error)
{
  const Option given[] = {
    { r->uri != NULL, "--migrateuri" },
    { r->listen_address != NULL, "--listen-address" },
    { r->disks_port != 0, "--disks-port" },
    { r->disks_uri != NULL, "--disks-uri" },
  };
  const guint elsewhere = STASIS_MIGRATE_TUNNELLED | STASIS_MIGRATE_OFFLINE;
  for (gsize i = 0; i < G_N_ELEMENTS (given); i++)
    if (given[i].flag != 0 && (flags & elsewhere) != 0)
      return refuse_both (given[i].option,
                          (flags & STASIS_MIGRATE_TUNNELLED) != 0 ? "--tunnelled" : "--offline",
                          error);
  if (r->disks_port != 0 && r->disks_uri != NULL)
    return refuse_both ("--disks-port", "--disks-uri", error);
  if (r->uri != NULL && g_str_has_prefix (r->uri, "rdma:"))
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                   _ ("--migrateuri %s: migration over RDMA is not supported"), r->uri);
      return FALSE;
    }
  return TRUE;
}

/* Does it make sense? */
gboolean
stasis_migrate_params_check (StasisMigrateFlags flags, const StasisMigrateRequest *request,
                             GError **error)
{
  if (!check_flags (flags, error))
    return FALSE;
  return request == NULL
         || (check_methods (flags, request, error) && check_ranges (request, error)
             && check_limits (request, error) && check_needs (flags, request, error)
             && check_addresses (flags, request, error));
}
