/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-migrate-live-test.c: tests of src/monitor/commands-migrate.c with two real QEMUs
 */

#include "config.h"

#include "monitor/commands-migrate.h"

#include <string.h>

#include <glib/gstdio.h>

#include "pair.h"
#include "util/fd.h"

#define SLOW    4096 /* octets/s */
#define WAIT_MS 60000
#define LOOK_US 10000

static void
test_unix (Pair *f, gconstpointer data)
{
  if (f->folder == NULL)
    return;
  pair_receive (f);
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisMigrationInfo) waiting
      = stasis_monitor_query_migrate (f->there.monitor, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (waiting->status == STASIS_MIGRATION_SETUP
                 || waiting->status == STASIS_MIGRATION_NONE); /* QEMU 7.2 */
  pair_send (f);
  pair_wait_status (&f->source, STASIS_MIGRATION_COMPLETED);
  pair_wait_status (&f->there, STASIS_MIGRATION_COMPLETED);
  pair_assert_moved (f);

  g_autoptr (StasisMigrationInfo) info
      = stasis_monitor_query_migrate (f->source.monitor, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (info->status, ==, STASIS_MIGRATION_COMPLETED);
  g_assert_cmpuint (info->ram_precopy_bytes, >, 0);
  g_assert_cmpuint (info->ram_postcopy_bytes, ==, 0);
  g_assert_cmpuint (info->total_time_ms, >, 0);
  g_assert_false (info->has_xbzrle);
}

/* A port that QEMU chose, told by it. */
static void
test_tcp (Pair *f, gconstpointer data)
{
  if (f->folder == NULL)
    return;
  g_free (f->uri);
  f->uri = g_strdup ("tcp:127.0.0.1:0");
  pair_receive (f);
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisMigrationInfo) waiting
      = stasis_monitor_query_migrate (f->there.monitor, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (waiting->listens_at->len, ==, 1);
  const StasisQemuAddress *address = g_ptr_array_index (waiting->listens_at, 0);
  g_assert_cmpint (address->type, ==, STASIS_QEMU_ADDRESS_INET);
  g_assert_cmpstr (address->name, ==, "127.0.0.1");
  g_assert_cmpuint (g_ascii_strtoull (address->port, NULL, 10), >, 1023);
  g_free (f->uri);
  f->uri = stasis_qemu_address_to_uri (address);
  pair_send (f);
  pair_wait_status (&f->source, STASIS_MIGRATION_COMPLETED);
  pair_wait_status (&f->there, STASIS_MIGRATION_COMPLETED);
  pair_assert_moved (f);
}

/* With channels, or a clear word that there are none. */
static void
test_channels (Pair *f, gconstpointer data)
{
  if (f->folder == NULL)
    return;
  const StasisQemuAddress address = { STASIS_QEMU_ADDRESS_UNIX, f->uri + strlen ("unix:"), NULL };
  const StasisMigrationRoute route = { NULL, &address, NULL };
  g_autoptr (GError) error = NULL;
  if (!stasis_monitor_migrate_incoming_by (f->there.monitor, &route, NULL, NULL, &error))
    {
      g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_UNSUPPORTED);
      g_assert_cmpuint (stasis_monitor_version (f->there.monitor)->major, <, 9);
      g_clear_error (&error);
      g_assert_false (stasis_monitor_migrate_by (f->source.monitor, &route, FALSE, NULL, &error));
      g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_UNSUPPORTED);
      g_assert_nonnull (strstr (error->message, "no migration channels"));
      return;
    }
  stasis_monitor_migrate_by (f->source.monitor, &route, FALSE, NULL, &error);
  g_assert_no_error (error);
  pair_wait_status (&f->source, STASIS_MIGRATION_COMPLETED);
  pair_wait_status (&f->there, STASIS_MIGRATION_COMPLETED);
  pair_assert_moved (f);
}

/* The guest goes on here. */
static void
test_cancel (Pair *f, gconstpointer data)
{
  if (f->folder == NULL)
    return;
  pair_set (&f->source, STASIS_MIGRATION_MAX_BANDWIDTH, SLOW);
  pair_receive (f);
  pair_send (f);
  pair_wait_status (&f->source, STASIS_MIGRATION_ACTIVE);
  g_autoptr (GError) error = NULL;
  stasis_monitor_migrate_cancel (f->source.monitor, NULL, &error);
  g_assert_no_error (error);
  pair_wait_status (&f->source, STASIS_MIGRATION_CANCELLED);
  pair_wait_tick (&f->source, pair_ticks (&f->source) + 2);
}

/* Before the switch the guest stands still, and may still go either way. */
static void
test_switchover (Pair *f, gconstpointer data)
{
  if (f->folder == NULL)
    return;
  pair_receive (f);
  pair_send (f);
  g_autoptr (GError) error = NULL;
  pair_wait_status (&f->source, STASIS_MIGRATION_PRE_SWITCHOVER);
  pair_assert_run_state (&f->source, STASIS_RUN_STATE_FINISH_MIGRATE);
  stasis_monitor_migrate_continue (f->source.monitor, STASIS_MIGRATION_PRE_SWITCHOVER, NULL,
                                   &error);
  g_assert_no_error (error);
  pair_wait_status (&f->source, STASIS_MIGRATION_COMPLETED);
  pair_wait_status (&f->there, STASIS_MIGRATION_COMPLETED);
  pair_assert_moved (f);
}

static void
test_switchover_cancel (Pair *f, gconstpointer data)
{
  if (f->folder == NULL)
    return;
  pair_receive (f);
  pair_send (f);
  g_autoptr (GError) error = NULL;
  pair_wait_status (&f->source, STASIS_MIGRATION_PRE_SWITCHOVER);
  stasis_monitor_migrate_cancel (f->source.monitor, NULL, &error);
  g_assert_no_error (error);
  pair_wait_status (&f->source, STASIS_MIGRATION_CANCELLED);
  pair_assert_run_state (&f->source, STASIS_RUN_STATE_RUNNING);
  pair_wait_tick (&f->source, pair_ticks (&f->source) + 2);
}

static void
assert_no_cancel (const PairEnd *end, const char *state)
{
  g_autoptr (GError) error = NULL;
  g_assert_false (stasis_monitor_migrate_cancel (end->monitor, NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND);
  g_assert_nonnull (strstr (error->message, state));
  /* QEMU 7.2 says postcopy-active before the guest has stopped here. */
  StasisRunState now = STASIS_RUN_STATE_RUNNING;
  for (int i = 0; i < WAIT_MS * 1000 / LOOK_US && now == STASIS_RUN_STATE_RUNNING; i++)
    {
      if (i > 0)
        g_usleep (LOOK_US);
      g_assert_true (stasis_monitor_query_status (end->monitor, &now, NULL, NULL));
    }
  g_assert_cmpint (now, !=, STASIS_RUN_STATE_RUNNING);
}

/* Begin postcopy with so much that it can't be over before we have looked. */
static void
switch_to_postcopy (const Pair *f)
{
  pair_set (&f->source, STASIS_MIGRATION_MAX_BANDWIDTH, SLOW);
  pair_set (&f->source, STASIS_MIGRATION_MAX_POSTCOPY_BANDWIDTH, SLOW);
  pair_receive (f);
  pair_send (f);
  pair_wait_status (&f->source, STASIS_MIGRATION_ACTIVE);
  g_autoptr (GError) error = NULL;
  stasis_monitor_migrate_start_postcopy (f->source.monitor, NULL, &error);
  g_assert_no_error (error);
  pair_wait_status (&f->source, STASIS_MIGRATION_POSTCOPY_ACTIVE);
}

/* Never cancelled, paused, recovered, completed. */
static void
test_postcopy (Pair *f, gconstpointer data)
{
  if (f->folder == NULL)
    return;
  switch_to_postcopy (f);
  assert_no_cancel (&f->source, "'postcopy-active'");
  g_assert_cmpint (pair_status (&f->source), ==, STASIS_MIGRATION_POSTCOPY_ACTIVE);

  /* The source says so before the destination could run: until then it fails instead. */
  pair_assert_run_state (&f->there, STASIS_RUN_STATE_PAUSED);
  g_autoptr (GError) error = NULL;
  stasis_monitor_migrate_pause (f->source.monitor, NULL, &error);
  g_assert_no_error (error);
  pair_wait_status (&f->source, STASIS_MIGRATION_POSTCOPY_PAUSED);
  pair_wait_status (&f->there, STASIS_MIGRATION_POSTCOPY_PAUSED);
  assert_no_cancel (&f->source, "'postcopy-paused'");

  g_autofree char *again = g_strconcat (f->uri, "-again", NULL);
  stasis_monitor_migrate_recover (f->there.monitor, again, NULL, &error);
  g_assert_no_error (error);
  pair_set (&f->source, STASIS_MIGRATION_MAX_POSTCOPY_BANDWIDTH, 0);
  const StasisMigrationRoute route = { again, NULL, NULL };
  stasis_monitor_migrate_by (f->source.monitor, &route, TRUE, NULL, &error);
  g_assert_no_error (error);
  pair_wait_status (&f->source, STASIS_MIGRATION_COMPLETED);
  pair_wait_status (&f->there, STASIS_MIGRATION_COMPLETED);
  g_autoptr (StasisMigrationInfo) info
      = stasis_monitor_query_migrate (f->source.monitor, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (info->ram_postcopy_bytes, >, 0);
  pair_assert_moved (f);
  g_unlink (again + strlen ("unix:"));
}

/* Both wait for us before the switch, and the guest may still go either way. */
static void
wait_before_postcopy (const Pair *f)
{
  pair_set (&f->source, STASIS_MIGRATION_MAX_BANDWIDTH, SLOW);
  pair_switch_on (&f->source, "pause-before-switchover");
  pair_receive (f);
  pair_send (f);
  pair_wait_status (&f->source, STASIS_MIGRATION_ACTIVE);
  g_autoptr (GError) error = NULL;
  stasis_monitor_migrate_start_postcopy (f->source.monitor, NULL, &error);
  g_assert_no_error (error);
  pair_wait_status (&f->source, STASIS_MIGRATION_PRE_SWITCHOVER);
}

static void
test_postcopy_switchover (Pair *f, gconstpointer data)
{
  if (f->folder == NULL)
    return;
  wait_before_postcopy (f);
  g_autoptr (GError) error = NULL;
  stasis_monitor_migrate_continue (f->source.monitor, STASIS_MIGRATION_PRE_SWITCHOVER, NULL,
                                   &error);
  g_assert_no_error (error);
  pair_wait_status (&f->source, STASIS_MIGRATION_POSTCOPY_ACTIVE);
  pair_wait_status (&f->source, STASIS_MIGRATION_COMPLETED);
  pair_wait_status (&f->there, STASIS_MIGRATION_COMPLETED);
  pair_assert_moved (f);
}

static void
test_postcopy_switchover_cancel (Pair *f, gconstpointer data)
{
  if (f->folder == NULL)
    return;
  wait_before_postcopy (f);
  g_autoptr (GError) error = NULL;
  stasis_monitor_migrate_cancel (f->source.monitor, NULL, &error);
  g_assert_no_error (error);
  pair_wait_status (&f->source, STASIS_MIGRATION_CANCELLED);
  /* QEMU 7.2 leaves the guest standing, and has to be told. */
  if (stasis_monitor_version (f->source.monitor)->major < 8)
    {
      pair_assert_run_state (&f->source, STASIS_RUN_STATE_POSTMIGRATE);
      stasis_monitor_cont (f->source.monitor, NULL, &error);
      g_assert_no_error (error);
    }
  pair_assert_run_state (&f->source, STASIS_RUN_STATE_RUNNING);
  pair_wait_tick (&f->source, pair_ticks (&f->source) + 2);
}

/* What is not going on cannot be steered. */
static void
test_idle (Pair *f, gconstpointer data)
{
  if (f->folder == NULL)
    return;
  g_autoptr (GError) error = NULL;
  g_assert_false (stasis_monitor_migrate_start_postcopy (f->source.monitor, NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND);
  g_assert_true (
      g_str_has_prefix (error->message, "cannot switch the migration to postcopy: QEMU: "));
  g_clear_error (&error);
  g_assert_false (stasis_monitor_migrate_pause (f->source.monitor, NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND);
  g_clear_error (&error);
  g_assert_false (stasis_monitor_migrate_recover (f->there.monitor, f->uri, NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND);
}

/* A destination that got nonsense stays where it can, and tells why. */
static void
test_stays (Pair *f, gconstpointer data)
{
  if (f->folder == NULL)
    return;
  const StasisMigrationRoute route = { f->uri, NULL, NULL };
  gboolean stays = FALSE;
  g_autoptr (GError) error = NULL;
  stasis_monitor_migrate_incoming_by (f->there.monitor, &route, &stays, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (stays, ==, stasis_monitor_version (f->there.monitor)->major >= 10);
  stasis_autofd int socket = stasis_unix_connect (f->uri + strlen ("unix:"), &error);
  g_assert_no_error (error);
  g_assert_true (stasis_fd_write_exact (socket, "garbage garbage", 15, NULL));
  if (!stays)
    return;
  pair_wait_status (&f->there, STASIS_MIGRATION_FAILED);
  g_autoptr (StasisMigrationInfo) info
      = stasis_monitor_query_migrate (f->there.monitor, NULL, &error);
  g_assert_no_error (error);
  g_assert_nonnull (info->error_desc);
}

/* Two QEMUs that may share the guest's memory: it moves without being copied. */
static void
start_for_cpr (Pair *f)
{
  const char *memory = " -object memory-backend-memfd,id=pc.ram,size=64M,share=on"
                       " -machine memory-backend=pc.ram,aux-ram-share=on";
  f->folder = g_dir_make_tmp ("stasis-XXXXXX", NULL);
  f->uri = g_build_filename (f->folder, "migration", NULL);
  g_autofree char *incoming = g_strdup_printf (
      "%s -incoming "
      "{\"channel-type\":\"main\",\"addr\":{\"transport\":\"socket\",\"type\":\"unix\","
      "\"path\":\"%s\"}} -incoming "
      "{\"channel-type\":\"cpr\",\"addr\":{\"transport\":\"socket\",\"type\":\"unix\","
      "\"path\":\"%s-cpr\"}}",
      memory, f->uri, f->uri);
  pair_start (&f->source, f->folder, "source", memory);
  pair_spawn (&f->there, f->folder, "there", incoming);
  g_autofree char *socket = g_strconcat (f->uri, "-cpr", NULL);
  for (int i = 0; i < WAIT_MS * 1000 / LOOK_US && !g_file_test (socket, G_FILE_TEST_EXISTS); i++)
    g_usleep (LOOK_US);
}

/* The destination answers only once it has the first channel's octets. */
static void
test_cpr (Pair *f, gconstpointer data)
{
  if (!pair_has_guest ())
    return;
  g_autoptr (Qemu) probe = qemu_start ("-M q35");
  g_autoptr (StasisMonitor) monitor = qemu_open (probe);
  const StasisMigrationSetting mode = { STASIS_MIGRATION_MODE, 0, "cpr-transfer" };
  g_autoptr (GError) error = NULL;
  if (!stasis_monitor_migrate_set (monitor, &mode, 1, NULL, &error))
    {
      g_assert_cmpuint (stasis_monitor_version (monitor)->major, <, 10);
      g_test_skip ("this QEMU has no cpr-transfer");
      return;
    }
  start_for_cpr (f);
  stasis_monitor_cont (f->source.monitor, NULL, &error);
  pair_wait_tick (&f->source, 2);
  stasis_monitor_migrate_set (f->source.monitor, &mode, 1, NULL, &error);
  g_assert_no_error (error);
  g_autofree char *cpr_path = g_strconcat (f->uri, "-cpr", NULL);
  const StasisQemuAddress main_address = { STASIS_QEMU_ADDRESS_UNIX, f->uri, NULL };
  const StasisQemuAddress cpr_address = { STASIS_QEMU_ADDRESS_UNIX, cpr_path, NULL };
  const StasisMigrationRoute route = { NULL, &main_address, &cpr_address };
  stasis_monitor_migrate_by (f->source.monitor, &route, FALSE, NULL, &error);
  g_assert_no_error (error);
  f->there.monitor = qemu_open (f->there.qemu);
  pair_await_status (&f->source, STASIS_MIGRATION_COMPLETED);
  pair_await_status (&f->there, STASIS_MIGRATION_COMPLETED);
  pair_assert_moved (f);
  g_unlink (cpr_path);
}

/* A connection that hangs is broken off; the guest goes on here. */
static void
test_yank (Pair *f, gconstpointer data)
{
  if (f->folder == NULL)
    return;
  pair_set (&f->source, STASIS_MIGRATION_MAX_BANDWIDTH, SLOW);
  pair_receive (f);
  pair_send (f);
  pair_wait_status (&f->source, STASIS_MIGRATION_ACTIVE);
  g_autoptr (GError) error = NULL;
  stasis_monitor_yank (f->source.monitor, "migration", NULL, &error);
  g_assert_no_error (error);
  pair_wait_status (&f->source, STASIS_MIGRATION_FAILED);
  pair_wait_tick (&f->source, pair_ticks (&f->source) + 2);
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *path;
    const char *capability;
    void (*test) (Pair *f, gconstpointer data);
  } tests[] = {
    { "/monitor/commands-migrate-live/unix", NULL, test_unix },
    { "/monitor/commands-migrate-live/tcp", NULL, test_tcp },
    { "/monitor/commands-migrate-live/channels", NULL, test_channels },
    { "/monitor/commands-migrate-live/cancel", NULL, test_cancel },
    { "/monitor/commands-migrate-live/switchover", "pause-before-switchover", test_switchover },
    { "/monitor/commands-migrate-live/switchover-cancel", "pause-before-switchover",
      test_switchover_cancel },
    { "/monitor/commands-migrate-live/postcopy", "postcopy-ram", test_postcopy },
    { "/monitor/commands-migrate-live/postcopy-switchover", "postcopy-ram",
      test_postcopy_switchover },
    { "/monitor/commands-migrate-live/postcopy-switchover-cancel", "postcopy-ram",
      test_postcopy_switchover_cancel },
    { "/monitor/commands-migrate-live/idle", NULL, test_idle },
    { "/monitor/commands-migrate-live/stays", NULL, test_stays },
    { "/monitor/commands-migrate-live/yank", NULL, test_yank },
  };
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Pair, tests[i].capability, pair_set_up, tests[i].test,
                pair_tear_down);
  g_test_add ("/monitor/commands-migrate-live/cpr", Pair, NULL, NULL, test_cpr, pair_tear_down);
  return g_test_run ();
}
