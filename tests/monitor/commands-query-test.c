/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-query-test.c: tests of src/monitor/commands-query.c and commands-hmp.c with a real QEMU
 */

#include "config.h"

#include "monitor/commands-query.h"

#include <string.h>

#include "qemu.h"

#define MACHINE \
  "-M pc -m 64 -smp 2 -vnc unix:%s/vnc -chardev pty,id=charserial0 -serial " \
  "chardev:charserial0 -drive if=none,id=drive0,file.driver=null-co,file.size=1048576,format=raw" \
  ",readonly=on -device virtio-blk-pci,drive=drive0,id=disk0 -device virtio-balloon-pci"

typedef struct
{
  Qemu *qemu;             /* (owned) (nullable) */
  StasisMonitor *monitor; /* (owned) (nullable) */
  char *folder;           /* (owned) */
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  if (!qemu_is_there ())
    return;

  g_autoptr (GError) error = NULL;
  fixture->folder = g_dir_make_tmp ("stasis-XXXXXX", &error);
  g_assert_no_error (error);
  g_autofree char *arguments = g_strdup_printf (MACHINE, fixture->folder);
  fixture->qemu = qemu_start (arguments);
  fixture->monitor = qemu_open (fixture->qemu);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  if (fixture->qemu == NULL)
    return;

  stasis_monitor_close (fixture->monitor);
  qemu_end (fixture->qemu);
  g_autofree char *vnc = g_build_filename (fixture->folder, "vnc", NULL);
  unlink (vnc);
  rmdir (fixture->folder);
  g_free (fixture->folder);
}

static void
test_cpus (Fixture *fixture, gconstpointer data)
{
  if (fixture->qemu == NULL)
    return;

  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) cpus = stasis_monitor_query_cpus (fixture->monitor, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (cpus->len, ==, 2);
  const StasisMonitorCpu *second = g_ptr_array_index (cpus, 1);
  g_assert_cmpuint (second->index, ==, 1);
  g_assert_cmpint (second->thread_id, >, 0);
  g_assert_nonnull (second->qom_path);
}

static void
test_block (Fixture *fixture, gconstpointer data)
{
  if (fixture->qemu == NULL)
    return;

  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) blocks = stasis_monitor_query_block (fixture->monitor, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (blocks->len, ==, 1);
  const StasisMonitorBlock *block = g_ptr_array_index (blocks, 0);
  g_assert_cmpstr (block->device, ==, "drive0");
  g_assert_nonnull (strstr (block->qdev, "disk0"));
  g_assert_cmpstr (block->driver, ==, "raw");
  g_assert_nonnull (block->file);
  g_assert_nonnull (block->node_name);
  g_assert_true (block->is_read_only);
  g_assert_cmpuint (block->virtual_size, ==, 1048576);
}

static void
test_chardev (Fixture *fixture, gconstpointer data)
{
  if (fixture->qemu == NULL)
    return;

  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) chardevs = stasis_monitor_query_chardev (fixture->monitor, NULL, &error);
  g_assert_no_error (error);
  guint found = 0;
  for (guint i = 0; i < chardevs->len; i++)
    {
      const StasisMonitorChardev *chardev = g_ptr_array_index (chardevs, i);
      if (!g_str_equal (chardev->label, "charserial0"))
        {
          g_assert_null (chardev->pty);
          continue;
        }
      g_assert_true (g_str_has_prefix (chardev->pty, "/dev/pts/"));
      found++;
    }
  g_assert_cmpuint (found, ==, 1);
  g_assert_cmpuint (chardevs->len, ==, 2);
}

static void
test_vnc (Fixture *fixture, gconstpointer data)
{
  if (fixture->qemu == NULL)
    return;

  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) servers = stasis_monitor_query_vnc (fixture->monitor, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (servers->len, ==, 1);
  const StasisMonitorVnc *vnc = g_ptr_array_index (servers, 0);
  g_assert_cmpstr (vnc->family, ==, "unix");
  g_assert_true (g_str_has_prefix (vnc->host, fixture->folder));
  g_assert_cmpstr (vnc->service, ==, "");
  g_assert_false (vnc->is_websocket);
}

static void
test_cpu_model (Fixture *fixture, gconstpointer data)
{
  if (fixture->qemu == NULL)
    return;

  g_autoptr (GError) error = NULL;
  StasisJson *properties = stasis_json_new_object ();
  stasis_json_set_boolean (properties, "aes", TRUE);
  g_autoptr (StasisJson) model = stasis_monitor_query_cpu_model_expansion (
      fixture->monitor, "full", "qemu64", properties, NULL, &error);
  g_assert_no_error (error);
  const StasisJson *expanded = stasis_json_get (model, "props");
  g_assert_cmpuint (stasis_json_object_size (expanded), >, 50);
  g_assert_true (stasis_json_boolean (stasis_json_get (expanded, "aes"), FALSE));

  g_assert_null (stasis_monitor_query_cpu_model_expansion (fixture->monitor, "full", "abacus", NULL,
                                                           NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND);
}

static void
test_kvm (Fixture *fixture, gconstpointer data)
{
  if (fixture->qemu == NULL)
    return;

  g_autoptr (GError) error = NULL;
  gboolean is_kvm = TRUE;
  g_assert_true (stasis_monitor_query_kvm (fixture->monitor, &is_kvm, NULL, &error));
  g_assert_no_error (error);
  g_assert_false (is_kvm);
}

static void
test_balloon (Fixture *fixture, gconstpointer data)
{
  if (fixture->qemu == NULL)
    return;

  g_autoptr (GError) error = NULL;
  guint64 actual = 0;
  g_assert_true (stasis_monitor_query_balloon (fixture->monitor, &actual, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (actual, ==, 64 * 1024 * 1024);
  g_assert_true (stasis_monitor_balloon (fixture->monitor, 32 * 1024 * 1024, NULL, &error));
  g_assert_false (stasis_monitor_balloon (fixture->monitor, 0, NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND);
}

/* TRUE where QEMU has a mapping from there to there. */
static gboolean
is_mapped (const Qemu *qemu, guint64 start, guint64 length)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/maps", (int) qemu_pid (qemu));
  g_autofree char *text = NULL;
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  for (gsize i = 0; lines[i] != NULL; i++)
    {
      char *end = NULL;
      const guint64 from = g_ascii_strtoull (lines[i], &end, 16);
      const guint64 to = *end == '-' ? g_ascii_strtoull (end + 1, NULL, 16) : 0;
      if (from <= start && start + length <= to)
        return TRUE;
    }
  return FALSE;
}

static void
test_ram_blocks (Fixture *fixture, gconstpointer data)
{
  if (fixture->qemu == NULL)
    return;

  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) blocks = stasis_monitor_query_ram_blocks (fixture->monitor, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (blocks->len, >, 3);
  guint found = 0;
  for (guint i = 0; i < blocks->len; i++)
    {
      const StasisRamBlock *block = g_ptr_array_index (blocks, i);
      if (!g_str_equal (block->name, "pc.ram"))
        continue;
      found++;
      g_assert_cmpuint (block->page_size, ==, 4096);
      g_assert_cmpuint (block->used_length, ==, 64 * 1024 * 1024);
      g_assert_cmpuint (block->total_length, ==, 64 * 1024 * 1024);
      if (block->host_address != 0)
        g_assert_true (is_mapped (fixture->qemu, block->host_address, block->used_length));
      else
        g_assert_cmpuint (stasis_monitor_version (fixture->monitor)->major, <, 8);
    }
  g_assert_cmpuint (found, ==, 1);
}

static void
test_hmp (Fixture *fixture, gconstpointer data)
{
  if (fixture->qemu == NULL)
    return;

  g_autoptr (GError) error = NULL;
  g_autofree char *text = stasis_monitor_hmp (fixture->monitor, "info status", NULL, &error);
  g_assert_no_error (error);
  g_assert_nonnull (strstr (text, "paused"));
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *path;
    void (*run) (Fixture *fixture, gconstpointer data);
  } tests[] = {
    { "/monitor/commands-query/cpus", test_cpus },
    { "/monitor/commands-query/block", test_block },
    { "/monitor/commands-query/chardev", test_chardev },
    { "/monitor/commands-query/vnc", test_vnc },
    { "/monitor/commands-query/cpu-model", test_cpu_model },
    { "/monitor/commands-query/kvm", test_kvm },
    { "/monitor/commands-query/balloon", test_balloon },
    { "/monitor/commands-query/ram-blocks", test_ram_blocks },
    { "/monitor/commands-query/hmp", test_hmp },
  };
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Fixture, NULL, set_up, tests[i].run, tear_down);
  return g_test_run ();
}
