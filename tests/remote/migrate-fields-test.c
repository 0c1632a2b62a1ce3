/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-fields-test.c: tests of src/remote/migrate-fields.c
 */

#include "config.h"

#include "remote/migrate-fields.h"

#include <stasis/error.h>

#include "remote/remote-error.h"

static const char *const strings[]
    = { "migrate_uri",  "destination_name", "destination_xml", "persistent_xml",
        "graphics_uri", "listen_address",   "disks_uri",       "tls.destination" };
static const char *const lists[]
    = { "migrate_disks", "migrate_disks_detect_zeroes", "compression" };
static const char *const amounts[] = { "bandwidth",
                                       "bandwidth.postcopy",
                                       "bandwidth.avail.switchover",
                                       "compression.xbzrle.cache",
                                       "stasis.downtime.max",
                                       "stasis.postcopy.passes",
                                       "stasis.postcopy.after" };
static const char *const numbers[] = { "disks_port",
                                       "compression.mt.level",
                                       "compression.mt.threads",
                                       "compression.mt.dthreads",
                                       "compression.zlib.level",
                                       "compression.zstd.level",
                                       "auto_converge.initial",
                                       "auto_converge.increment",
                                       "parallel.connections" };

/* All that libvirt has, each with a value of its own. */
static GPtrArray *
make_all (void)
{
  GPtrArray *params = stasis_wire_params_new ();
  for (guint i = 0; i < G_N_ELEMENTS (strings); i++)
    stasis_wire_params_add_string (params, strings[i], strings[i]);
  for (guint i = 0; i < G_N_ELEMENTS (lists); i++)
    for (guint j = 0; j < 2; j++)
      stasis_wire_params_add_string (params, lists[i], j == 0 ? "one" : "two");
  for (guint i = 0; i < G_N_ELEMENTS (amounts); i++)
    stasis_wire_params_add_ullong (params, amounts[i], G_MAXUINT64 - i);
  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++)
    stasis_wire_params_add_int (params, numbers[i], (gint32) i + 1);
  return params;
}

static void
test_all (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) params = make_all ();
  g_autoptr (StasisMigrateRequest) request = stasis_migrate_fields_parse (params, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (request->uri, ==, "migrate_uri");
  g_assert_cmpstr (request->dname, ==, "destination_name");
  g_assert_cmpstr (request->xml, ==, "destination_xml");
  g_assert_cmpstr (request->persistent_xml, ==, "persistent_xml");
  g_assert_cmpstr (request->graphics_uri, ==, "graphics_uri");
  g_assert_cmpstr (request->listen_address, ==, "listen_address");
  g_assert_cmpstr (request->disks_uri, ==, "disks_uri");
  g_assert_cmpstr (request->tls_destination, ==, "tls.destination");
  g_assert_cmpuint (request->bandwidth, ==, G_MAXUINT64);
  g_assert_cmpuint (request->postcopy_bandwidth, ==, G_MAXUINT64 - 1);
  g_assert_cmpuint (request->switchover_bandwidth, ==, G_MAXUINT64 - 2);
  g_assert_cmpuint (request->xbzrle_cache, ==, G_MAXUINT64 - 3);
  g_assert_cmpuint (request->max_downtime_ms, ==, G_MAXUINT64 - 4);
  g_assert_cmpuint (request->postcopy_passes, ==, G_MAXUINT64 - 5);
  g_assert_cmpuint (request->postcopy_after_ms, ==, G_MAXUINT64 - 6);
  g_assert_cmpint (request->disks_port, ==, 1);
  g_assert_cmpint (request->comp_mt_level, ==, 2);
  g_assert_cmpint (request->zstd_level, ==, 6);
  g_assert_cmpint (request->auto_converge_initial, ==, 7);
  g_assert_cmpint (request->auto_converge_increment, ==, 8);
  g_assert_cmpint (request->parallel_connections, ==, 9);
  g_assert_cmpstr (request->disks[1], ==, "two");
  g_assert_null (request->disks[2]);
  g_assert_cmpstr (request->disks_detect_zeroes[0], ==, "one");
  g_assert_cmpuint (g_strv_length (request->compression), ==, 2);
}

static const StasisWireParam *
find_same (const GPtrArray *params, const StasisWireParam *param)
{
  for (guint i = 0; i < params->len; i++)
    {
      const StasisWireParam *one = g_ptr_array_index (params, i);
      if (!g_str_equal (one->name, param->name) || one->type != param->type)
        continue;
      if (one->type == STASIS_WIRE_STRING ? g_str_equal (one->value.s, param->value.s)
          : one->type == STASIS_WIRE_INT  ? one->value.i == param->value.i
                                          : one->value.ul == param->value.ul)
        return one;
    }
  return NULL;
}

/* What is written is what was read; of others they have no more than theirs. */
static void
test_round (void)
{
  g_autoptr (GPtrArray) params = make_all ();
  g_autoptr (StasisMigrateRequest) request = stasis_migrate_fields_parse (params, NULL);
  g_autoptr (GPtrArray) again = stasis_migrate_fields_make (request, NULL, NULL, TRUE);
  g_assert_cmpuint (again->len, ==, params->len);
  for (guint i = 0; i < params->len; i++)
    g_assert_nonnull (find_same (again, g_ptr_array_index (params, i)));
  g_autoptr (GPtrArray) theirs = stasis_migrate_fields_make (request, "name", "<domain/>", FALSE);
  g_assert_cmpuint (theirs->len, ==, params->len - 3);
  g_assert_cmpstr (
      stasis_wire_params_find (theirs, "destination_name", STASIS_WIRE_STRING)->value.s, ==,
      "name");
  g_assert_cmpstr (stasis_wire_params_find (theirs, "destination_xml", STASIS_WIRE_STRING)->value.s,
                   ==, "<domain/>");
}

/* What nobody has chosen is not there. */
static void
test_nothing (void)
{
  g_autoptr (GPtrArray) params = stasis_migrate_fields_make (NULL, NULL, NULL, TRUE);
  g_assert_cmpuint (params->len, ==, 0);
  g_autoptr (StasisMigrateRequest) request = stasis_migrate_fields_parse (params, NULL);
  g_autoptr (StasisMigrateRequest) nothing = stasis_migrate_request_new ();
  g_assert_cmpmem (request, sizeof *request, nothing, sizeof *nothing);
}

static void
refuse (GPtrArray *params_take, GQuark domain, int code, const char *pattern)
{
  g_autoptr (GPtrArray) params = params_take;
  g_autoptr (GError) error = NULL;
  g_assert_null (stasis_migrate_fields_parse (params, &error));
  g_assert_error (error, domain, code);
  if (!g_pattern_match_simple (pattern, error->message))
    g_error ("'%s' is not '%s'", error->message, pattern);
}

static void
test_refused (void)
{
  GPtrArray *params = stasis_wire_params_new ();
  stasis_wire_params_add_string (params, "migrate_url", "tcp:host");
  refuse (params, STASIS_REMOTE_ERROR, STASIS_REMOTE_ERROR_ARGUMENT,
          "parameter 'migrate_url' not supported");
  params = stasis_wire_params_new ();
  stasis_wire_params_add_int (params, "bandwidth", 1);
  refuse (params, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT, "*'bandwidth'*type*");
  params = stasis_wire_params_new ();
  stasis_wire_params_add_int (params, "disks_port", 1);
  stasis_wire_params_add_int (params, "disks_port", 1);
  refuse (params, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT, "*'disks_port'*multiple times*");
  params = stasis_wire_params_new ();
  stasis_wire_params_add_int (params, "parallel.connections", -1);
  refuse (params, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT, "*negative*");
  params = stasis_wire_params_new ();
  for (guint i = 0; i < 65; i++)
    stasis_wire_params_add_string (params, "migrate_disks", "vda");
  refuse (params, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT, "*'migrate_disks'*64 times*");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/remote/migrate-fields/all", test_all);
  g_test_add_func ("/remote/migrate-fields/round", test_round);
  g_test_add_func ("/remote/migrate-fields/nothing", test_nothing);
  g_test_add_func ("/remote/migrate-fields/refused", test_refused);
  return g_test_run ();
}
