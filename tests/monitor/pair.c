/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pair.c: a guest that runs in one real QEMU, and another QEMU that waits for it
 */

#include "config.h"

#include "pair.h"

#include <string.h>

#include <glib/gstdio.h>

#define WAIT_MS 60000
#define LOOK_US 10000

void
pair_spawn (PairEnd *end, const char *folder, const char *name, const char *more)
{
  end->serial = g_build_filename (folder, name, NULL);
  g_autofree char *arguments = g_strdup_printf (
      "-M q35 -m 64 -blockdev driver=file,node-name=boot,read-only=on,filename=%s/guest/"
      "boot-sector.img -device virtio-blk-pci,drive=boot -serial file:%s%s",
      g_getenv ("STASIS_TEST_BUILDDIR"), end->serial, more);
  end->qemu = qemu_start (arguments);
}

void
pair_start (PairEnd *end, const char *folder, const char *name, const char *more)
{
  pair_spawn (end, folder, name, more);
  end->monitor = qemu_open (end->qemu);
}

static void
end_end (PairEnd *end)
{
  stasis_monitor_close (end->monitor);
  qemu_end (end->qemu);
  g_unlink (end->serial);
  g_free (end->serial);
}

/* The last tick that the guest has told of here; 0: none yet. */
guint64
pair_ticks (const PairEnd *end)
{
  g_autofree char *said = NULL;
  if (!g_file_get_contents (end->serial, &said, NULL, NULL))
    return 0;
  g_assert_null (strchr (said, 'E'));
  const char *last = g_strrstr (said, "tick ");
  return last != NULL ? g_ascii_strtoull (last + strlen ("tick "), NULL, 10) : 0;
}

void
pair_wait_tick (const PairEnd *end, guint64 more_than)
{
  for (int i = 0; i < WAIT_MS * 1000 / LOOK_US && pair_ticks (end) <= more_than; i++)
    g_usleep (LOOK_US);
  g_assert_cmpuint (pair_ticks (end), >, more_than);
}

void
pair_switch_on (const PairEnd *end, const char *name)
{
  const StasisMigrationCapability capabilities[]
      = { { "events", TRUE }, { "late-block-activate", TRUE }, { name, TRUE } };
  g_autoptr (GError) error = NULL;
  stasis_monitor_migrate_set_capabilities (end->monitor, capabilities, name != NULL ? 3 : 2, NULL,
                                           &error);
  g_assert_no_error (error);
}

void
pair_set (const PairEnd *end, StasisMigrationParameter parameter, guint64 number)
{
  const StasisMigrationSetting setting = { parameter, number, NULL };
  g_autoptr (GError) error = NULL;
  stasis_monitor_migrate_set (end->monitor, &setting, 1, NULL, &error);
  g_assert_no_error (error);
}

StasisMigrationStatus
pair_status (const PairEnd *end)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisMigrationInfo) info = stasis_monitor_query_migrate (end->monitor, NULL, &error);
  g_assert_no_error (error);
  return info->status;
}

/* Wait until it is there, as QEMU's events tell. */
void
pair_wait_status (const PairEnd *end, StasisMigrationStatus wanted)
{
  for (;;)
    {
      g_autoptr (StasisMonitorEvent) event = qemu_wait_event (end->monitor, "MIGRATION");
      const StasisMigrationStatus status = stasis_migration_status_from_string (
          stasis_json_string (stasis_json_get (event->data, "status"), NULL));
      g_test_message ("%s", stasis_migration_status_to_string (status));
      if (status == wanted)
        return;
      g_assert_false (stasis_migration_status_is_final (status));
    }
}

void
pair_assert_run_state (const PairEnd *end, StasisRunState wanted)
{
  StasisRunState state = STASIS_RUN_STATE_UNKNOWN;
  g_autoptr (GError) error = NULL;
  for (int i = 0; i < WAIT_MS * 1000 / LOOK_US && state != wanted; i++)
    {
      if (i > 0)
        g_usleep (LOOK_US);
      stasis_monitor_query_status (end->monitor, &state, NULL, &error);
      g_assert_no_error (error);
    }
  g_assert_cmpint (state, ==, wanted);
}

/* FALSE, and the test skipped, where there is no guest, or no QEMU. */
gboolean
pair_has_guest (void)
{
  const char *folder = g_getenv ("STASIS_TEST_BUILDDIR");
  g_autofree char *guest
      = g_strdup_printf ("%s/guest/boot-sector.img", folder != NULL ? folder : "");
  if (!qemu_is_there ())
    return FALSE;
  if (g_file_test (guest, G_FILE_TEST_EXISTS))
    return TRUE;
  g_test_skip ("no test guest (scripts/build-guest.sh)");
  return FALSE;
}

/* A guest that runs, and a QEMU that waits for it. */
void
pair_set_up (Pair *f, gconstpointer data)
{
  if (!pair_has_guest ())
    return;
  const char *capability = data;
  g_autoptr (GError) error = NULL;
  f->folder = g_dir_make_tmp ("stasis-XXXXXX", &error);
  g_assert_no_error (error);
  f->uri = g_strdup_printf ("unix:%s/migration", f->folder);
  pair_start (&f->source, f->folder, "source", "");
  pair_start (&f->there, f->folder, "there", " -incoming defer");
  pair_switch_on (&f->source, capability);
  pair_switch_on (&f->there, capability);
  stasis_monitor_cont (f->source.monitor, NULL, &error);
  g_assert_no_error (error);
  pair_wait_tick (&f->source, 2);
}

void
pair_tear_down (Pair *f, gconstpointer data)
{
  if (f->folder == NULL)
    return;
  end_end (&f->source);
  end_end (&f->there);
  g_autofree char *socket = g_build_filename (f->folder, "migration", NULL);
  g_unlink (socket);
  g_assert_cmpint (g_rmdir (f->folder), ==, 0);
  g_free (f->folder);
  g_free (f->uri);
}

void
pair_receive (const Pair *f)
{
  g_autoptr (GError) error = NULL;
  stasis_monitor_migrate_incoming (f->there.monitor, f->uri, NULL, &error);
  g_assert_no_error (error);
}

void
pair_send (const Pair *f)
{
  g_autoptr (GError) error = NULL;
  stasis_monitor_migrate (f->source.monitor, f->uri, NULL, &error);
  g_assert_no_error (error);
}

/* It is there, and only there. */
void
pair_assert_moved (const Pair *f)
{
  pair_assert_run_state (&f->source, STASIS_RUN_STATE_POSTMIGRATE);
  pair_assert_run_state (&f->there, STASIS_RUN_STATE_PAUSED);
  const guint64 before = pair_ticks (&f->source);
  g_autoptr (GError) error = NULL;
  stasis_monitor_cont (f->there.monitor, NULL, &error);
  g_assert_no_error (error);
  pair_wait_tick (&f->there, before + 2);
  g_assert_cmpuint (pair_ticks (&f->source), ==, before);
}

void
pair_await_status (const PairEnd *end, StasisMigrationStatus wanted)
{
  for (int i = 0; i < WAIT_MS * 1000 / LOOK_US && pair_status (end) != wanted; i++)
    g_usleep (LOOK_US);
  g_assert_cmpint (pair_status (end), ==, wanted);
}
