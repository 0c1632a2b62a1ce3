/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-block-test.c: tests of src/monitor/commands-block.c with a real QEMU
 */

#include "config.h"

#include "monitor/commands-block.h"
#include "monitor/commands-jobs.h"

#include <string.h>

#include <glib/gstdio.h>

#include "monitor/commands-query.h"
#include "monitor/error.h"
#include "qemu.h"

#define DISK_SIZE (1024 * 1024)

typedef struct
{
  char *disk;
  char *overlay;
  Qemu *qemu;
  StasisMonitor *monitor;
} Fixture;

static char *
scratch (const char *octets, gsize size)
{
  char *path = NULL;
  const int fd = g_file_open_tmp ("stasis-XXXXXX", &path, NULL);
  g_assert_cmpint (fd, >=, 0);
  close (fd);
  g_assert_true (g_file_set_contents (path, octets, (gssize) size, NULL));
  return path;
}

static StasisJson *
node (const char *driver, const char *name, const char *key, const char *value)
{
  StasisJson *json = stasis_json_new_object ();
  stasis_json_set_string (json, "driver", driver);
  stasis_json_set_string (json, "node-name", name);
  stasis_json_set_string (json, key, value);
  return json;
}

/* A guest with a raw disk, and an empty overlay that is open. */
static void
set_up (Fixture *f, gconstpointer data)
{
  if (!qemu_is_there ())
    return;
  g_autofree char *zeros = g_malloc0 (DISK_SIZE);
  f->disk = scratch (zeros, DISK_SIZE);
  f->overlay = scratch ("", 0);
  const char *const argv[]
      = { "qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", f->disk, f->overlay, NULL };
  g_assert_true (g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL,
                               NULL, NULL, NULL));
  g_autofree char *arguments = g_strdup_printf (
      "-M q35 -blockdev driver=file,node-name=base,filename=%s -device virtio-blk-pci,drive=base",
      f->disk);
  f->qemu = qemu_start (arguments);
  f->monitor = qemu_open (f->qemu);
  g_autoptr (GError) error = NULL;
  stasis_monitor_blockdev_add (f->monitor, node ("file", "file", "filename", f->overlay), NULL,
                               &error);
  g_assert_no_error (error);
  StasisJson *top = node ("qcow2", "top", "file", "file");
  stasis_json_set (top, "backing", stasis_json_new_null ());
  stasis_monitor_blockdev_add (f->monitor, top, NULL, &error);
  g_assert_no_error (error);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  if (f->disk == NULL)
    return;
  stasis_monitor_close (f->monitor);
  qemu_end (f->qemu);
  g_unlink (f->disk);
  g_unlink (f->overlay);
  g_free (f->disk);
  g_free (f->overlay);
}

static void
assert_on_top (StasisMonitor *monitor, const char *wanted)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) blocks = stasis_monitor_query_block (monitor, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (blocks->len, ==, 1);
  g_assert_cmpstr (((StasisMonitorBlock *) g_ptr_array_index (blocks, 0))->node_name, ==, wanted);
}

static void
take (StasisMonitor *monitor)
{
  const StasisBlockSnapshot snapshot = { "base", "top" };
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_monitor_snapshot (monitor, &snapshot, 1, NULL, &error));
  g_assert_no_error (error);
  assert_on_top (monitor, "top");
}

/* There and back. */
static void
test_merge (Fixture *f, gconstpointer data)
{
  if (f->monitor == NULL)
    return;
  take (f->monitor);
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_monitor_block_commit (f->monitor, "job", "top", "base", NULL, &error));
  g_assert_true (stasis_monitor_job_wait (f->monitor, "job", "ready", -1, &error));
  g_assert_no_error (error);
  assert_on_top (f->monitor, "top");
  g_assert_true (stasis_monitor_job_complete (f->monitor, "job", NULL, &error));
  g_assert_true (stasis_monitor_job_wait (f->monitor, "job", "concluded", -1, &error));
  g_assert_no_error (error);
  assert_on_top (f->monitor, "base");
  g_assert_true (stasis_monitor_blockdev_del (f->monitor, "top", NULL, &error));
  g_assert_true (stasis_monitor_blockdev_del (f->monitor, "file", NULL, &error));
  g_assert_no_error (error);

  /* Who waits for a job that is not there does not wait for ever. */
  g_assert_false (stasis_monitor_job_wait (f->monitor, "job", "ready", -1, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND);
  g_assert_nonnull (strstr (error->message, "'job'"));
}

/* The overlay stays. */
static void
test_cancel (Fixture *f, gconstpointer data)
{
  if (f->monitor == NULL)
    return;
  take (f->monitor);
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_monitor_block_commit (f->monitor, "job", "top", "base", NULL, &error));
  g_assert_true (stasis_monitor_job_wait (f->monitor, "job", "ready", -1, &error));
  g_assert_no_error (error);
  g_assert_false (stasis_monitor_job_wait (f->monitor, "job", "concluded", 10, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_TIMEOUT);
  g_clear_error (&error);
  g_assert_true (stasis_monitor_job_cancel (f->monitor, "job", NULL, &error));
  g_assert_no_error (error);
  stasis_monitor_job_wait (f->monitor, "job", "concluded", -1, NULL);
  assert_on_top (f->monitor, "top");
}

/* One that fails has none of them. */
static void
test_transaction (Fixture *f, gconstpointer data)
{
  if (f->monitor == NULL)
    return;
  const StasisBlockSnapshot snapshots[] = { { "base", "top" }, { "nowhere", "top" } };
  g_autoptr (GError) error = NULL;
  g_assert_false (stasis_monitor_snapshot (f->monitor, snapshots, 2, NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND);
  g_assert_true (g_str_has_prefix (error->message, "cannot snapshot the guest's disks: "));
  assert_on_top (f->monitor, "base");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/monitor/commands-block/merge", Fixture, NULL, set_up, test_merge, tear_down);
  g_test_add ("/monitor/commands-block/cancel", Fixture, NULL, set_up, test_cancel, tear_down);
  g_test_add ("/monitor/commands-block/transaction", Fixture, NULL, set_up, test_transaction,
              tear_down);
  return g_test_run ();
}
