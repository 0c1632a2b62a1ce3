/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-mirror-test.c: tests of src/monitor/commands-mirror.c, commands-nbd.c, commands-jobs.c
 * and commands-tls.c with two real QEMUs
 *
 * One has a disk, the other an empty file of the same size, which it exports; the one mirrors its
 * disk into it while the other waits for a migration, and the octets are compared.
 */

#include "config.h"

#include "monitor/commands-mirror.h"

#include <string.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "monitor/commands-block.h"
#include "monitor/commands-jobs.h"
#include "monitor/commands-nbd.h"
#include "monitor/commands-tls.h"
#include "qemu.h"

/* Some more than QEMU copies at one go, at however low a speed (1 MiB). */
#define DISK_SIZE (8 * 1024 * 1024)
#define FOREVER   60000 /* ms */

typedef struct
{
  char *folder;
  char *disk;
  char *copy;
  char *socket;
  char *keys;
  Qemu *qemu;
  StasisMonitor *monitor;
  Qemu *there_qemu;
  StasisMonitor *there;
} Fixture;

static char *
make_file (const char *folder, const char *name, char octet)
{
  char *path = g_build_filename (folder, name, NULL);
  g_autofree char *octets = g_malloc (DISK_SIZE);
  memset (octets, octet, DISK_SIZE);
  g_assert_true (g_file_set_contents (path, octets, DISK_SIZE, NULL));
  return path;
}

static Qemu *
start (const char *path, const char *more)
{
  g_autofree char *arguments = g_strdup_printf (
      "-M q35 -blockdev driver=file,node-name=disk,filename=%s -device virtio-blk-pci,drive=disk%s",
      path, more);
  return qemu_start (arguments);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  if (!qemu_is_there ())
    return;
  f->folder = g_dir_make_tmp ("stasis-XXXXXX", NULL);
  f->disk = make_file (f->folder, "disk", 'd');
  f->copy = make_file (f->folder, "copy", 0);
  f->socket = g_build_filename (f->folder, "nbd", NULL);
  f->keys = g_build_filename (f->folder, "keys", NULL);
  f->qemu = start (f->disk, "");
  f->monitor = qemu_open (f->qemu);
  f->there_qemu = start (f->copy, " -incoming defer");
  f->there = qemu_open (f->there_qemu);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  if (f->folder == NULL)
    return;
  stasis_monitor_close (f->monitor);
  stasis_monitor_close (f->there);
  qemu_end (f->qemu);
  qemu_end (f->there_qemu);
  const char *const argv[] = { "rm", "-r", f->folder, NULL };
  g_assert_true (g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL,
                               NULL, NULL, NULL));
  g_free (f->folder);
  g_free (f->disk);
  g_free (f->copy);
  g_free (f->socket);
  g_free (f->keys);
}

static void
export_copy (const Fixture *f, const char *creds)
{
  const StasisNbdServer server = { { STASIS_QEMU_ADDRESS_UNIX, f->socket, NULL }, creds, NULL, 2 };
  const StasisNbdExport export = { "export", "disk", "vda", TRUE };
  g_autoptr (GError) error = NULL;
  stasis_monitor_nbd_server_start (f->there, &server, NULL, &error);
  g_assert_no_error (error);
  stasis_monitor_nbd_export_add (f->there, &export, NULL, &error);
  g_assert_no_error (error);
}

static void
connect_to_copy (const Fixture *f, const char *creds)
{
  const StasisNbdClient client = {
    "target",
    { STASIS_QEMU_ADDRESS_UNIX, f->socket, NULL },
    "vda",
    creds,
    creds != NULL ? "there" : NULL,
    5,
    10,
    FALSE,
  };
  g_autoptr (GError) error = NULL;
  stasis_monitor_nbd_client_add (f->monitor, &client, NULL, &error);
  g_assert_no_error (error);
}

static void
begin (const Fixture *f, guint64 speed)
{
  const StasisMirror mirror = { "mirror",
                                "disk",
                                "target",
                                STASIS_MIRROR_FULL,
                                STASIS_MIRROR_BACKGROUND,
                                STASIS_MIRROR_REPORT,
                                STASIS_MIRROR_REPORT,
                                speed };
  g_autoptr (GError) error = NULL;
  stasis_monitor_mirror_start (f->monitor, &mirror, NULL, &error);
  g_assert_no_error (error);
}

static void
wait_job (const Fixture *f, const char *status)
{
  g_autoptr (GError) error = NULL;
  stasis_monitor_job_wait (f->monitor, "mirror", status, FOREVER, &error);
  g_assert_no_error (error);
}

static GPtrArray *
query_jobs (const Fixture *f)
{
  g_autoptr (GError) error = NULL;
  GPtrArray *jobs = stasis_monitor_query_block_jobs (f->monitor, NULL, &error);
  g_assert_no_error (error);
  return jobs;
}

static void
assert_equal (const Fixture *f)
{
  g_autofree char *disk = NULL;
  g_autofree char *copy = NULL;
  gsize disk_size = 0;
  gsize copy_size = 0;
  g_assert_true (g_file_get_contents (f->disk, &disk, &disk_size, NULL));
  g_assert_true (g_file_get_contents (f->copy, &copy, &copy_size, NULL));
  g_assert_cmpmem (disk, disk_size, copy, copy_size);
}

/* What stands at the end of each: nothing open, nothing exported. */
static void
clear_up (const Fixture *f)
{
  g_autoptr (GError) error = NULL;
  stasis_monitor_blockdev_del (f->monitor, "target", NULL, &error);
  g_assert_no_error (error);
  stasis_monitor_nbd_server_stop (f->there, NULL, &error);
  g_assert_no_error (error);
  g_autoptr (GPtrArray) exports = stasis_monitor_query_block_exports (f->there, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (exports->len, ==, 0);
}

/* The way of a migration: ready, then cancelled without force, so that the copy is the disk. */
static void
test_copy (Fixture *f, gconstpointer data)
{
  if (f->folder == NULL)
    return;
  export_copy (f, NULL);
  connect_to_copy (f, NULL);
  begin (f, 0);
  wait_job (f, "ready");

  g_autoptr (GPtrArray) jobs = query_jobs (f);
  g_assert_cmpuint (jobs->len, ==, 1);
  const StasisBlockJob *job = g_ptr_array_index (jobs, 0);
  g_assert_cmpstr (job->id, ==, "mirror");
  g_assert_cmpstr (job->type, ==, "mirror");
  g_assert_cmpstr (job->status, ==, "ready");
  g_assert_cmpstr (job->io_status, ==, "ok");
  g_assert_null (job->error);
  g_assert_true (job->is_ready);
  g_assert_false (job->is_paused);
  g_assert_cmpuint (job->total, >=, DISK_SIZE);
  g_assert_cmpuint (job->current, ==, job->total);

  g_autoptr (GError) error = NULL;
  stasis_monitor_block_job_cancel (f->monitor, "mirror", FALSE, NULL, &error);
  g_assert_no_error (error);
  wait_job (f, "pending");
  stasis_monitor_job_finalize (f->monitor, "mirror", NULL, &error);
  g_assert_no_error (error);
  wait_job (f, "concluded");
  g_autoptr (GPtrArray) none = query_jobs (f);
  g_assert_cmpuint (none->len, ==, 0);
  assert_equal (f);
  clear_up (f);
}

/* One that is slow is changed, and ended before it was ready. */
static void
test_steer (Fixture *f, gconstpointer data)
{
  if (f->folder == NULL)
    return;
  export_copy (f, NULL);
  connect_to_copy (f, NULL);
  begin (f, 1);
  wait_job (f, "running");
  g_autoptr (GError) error = NULL;
  if (!stasis_monitor_mirror_change (f->monitor, "mirror", STASIS_MIRROR_WRITE_BLOCKING, NULL,
                                     &error))
    {
      g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_UNSUPPORTED);
      g_assert_cmpuint (stasis_monitor_version (f->monitor)->major, <, 9);
      g_clear_error (&error);
    }
  g_assert_false (stasis_monitor_job_finalize (f->monitor, "mirror", NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND);
  g_clear_error (&error);
  stasis_monitor_block_job_set_speed (f->monitor, "mirror", 2, NULL, &error);
  g_assert_no_error (error);
  g_autoptr (GPtrArray) jobs = query_jobs (f);
  g_assert_cmpuint (((StasisBlockJob *) g_ptr_array_index (jobs, 0))->speed, ==, 2);

  stasis_monitor_block_job_cancel (f->monitor, "mirror", TRUE, NULL, &error);
  g_assert_no_error (error);
  g_assert_false (stasis_monitor_job_wait (f->monitor, "mirror", "ready", FOREVER, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND);
  g_clear_error (&error);
  clear_up (f);
}

/* A destination that has gone is a job that has failed, and says so until it is dismissed. */
static void
test_lost (Fixture *f, gconstpointer data)
{
  if (f->folder == NULL)
    return;
  export_copy (f, NULL);
  const StasisNbdClient client
      = { "target", { STASIS_QEMU_ADDRESS_UNIX, f->socket, NULL }, "vda", NULL, NULL, 0, 1, TRUE };
  g_autoptr (GError) error = NULL;
  stasis_monitor_nbd_client_add (f->monitor, &client, NULL, &error);
  g_assert_no_error (error);
  begin (f, 4096);
  g_subprocess_force_exit (f->there_qemu->process);
  stasis_monitor_block_job_set_speed (f->monitor, "mirror", 0, NULL, NULL); /* or it has ended */
  for (;;)
    {
      g_autoptr (GPtrArray) jobs = query_jobs (f);
      g_assert_cmpuint (jobs->len, ==, 1);
      const StasisBlockJob *job = g_ptr_array_index (jobs, 0);
      if (g_str_equal (job->status, "concluded"))
        {
          g_assert_nonnull (job->error);
          break;
        }
      g_usleep (10000);
    }
  stasis_monitor_job_dismiss (f->monitor, "mirror", NULL, &error);
  g_assert_no_error (error);
}

static void
test_exports (Fixture *f, gconstpointer data)
{
  if (f->folder == NULL)
    return;
  export_copy (f, NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) exports = stasis_monitor_query_block_exports (f->there, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (exports->len, ==, 1);
  const StasisBlockExport *export = g_ptr_array_index (exports, 0);
  g_assert_cmpstr (export->id, ==, "export");
  g_assert_cmpstr (export->type, ==, "nbd");
  g_assert_cmpstr (export->node, ==, "disk");
  g_assert_false (export->is_ending);

  /* While a client is connected it stays, unless it is forced to end. */
  connect_to_copy (f, NULL);
  g_assert_false (stasis_monitor_block_export_del (f->there, "export", FALSE, NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND);
  g_clear_error (&error);
  stasis_monitor_block_export_del (f->there, "export", TRUE, NULL, &error);
  g_assert_no_error (error);
  g_autoptr (StasisMonitorEvent) deleted = qemu_wait_event (f->there, "BLOCK_EXPORT_DELETED");
  clear_up (f);

  /* A device that does not wait for its migration keeps its disk for itself. */
  const StasisNbdServer here = { { STASIS_QEMU_ADDRESS_UNIX, f->socket, NULL }, NULL, NULL, 0 };
  const StasisNbdExport taken = { "export", "disk", "vda", TRUE };
  stasis_monitor_nbd_server_start (f->monitor, &here, NULL, &error);
  g_assert_no_error (error);
  g_assert_false (stasis_monitor_nbd_export_add (f->monitor, &taken, NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND);
  g_clear_error (&error);

  const StasisNbdExport nowhere = { "export", "nowhere", "vda", TRUE };
  g_assert_false (stasis_monitor_nbd_export_add (f->there, &nowhere, NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND);
  g_assert_true (g_str_has_prefix (error->message, "cannot export a disk: QEMU: "));
}

/* FALSE where there is no openssl. */
static gboolean
make_keys (const char *folder)
{
  static const char script[]
      = "set -e; mkdir \"$1\"; cd \"$1\"; ext () { printf '%b' \"$1\" >ext; }\n"
        "new () { openssl req -newkey rsa:2048 -nodes -subj \"/CN=$2\" -keyout $1-key.pem -out csr;"
        " openssl x509 -req -days 2 -in csr -CA ca-cert.pem -CAkey ca-key.pem -CAcreateserial"
        " -extfile ext -out $1-cert.pem; }\n"
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout ca-key.pem"
        " -out ca-cert.pem -addext keyUsage=critical,keyCertSign\n"
        "ext 'subjectAltName=DNS:there\\nkeyUsage=digitalSignature,keyEncipherment\\n"
        "extendedKeyUsage=serverAuth'; new server there\n"
        "ext 'keyUsage=digitalSignature,keyEncipherment\\nextendedKeyUsage=clientAuth';"
        " new client here";
  g_autofree char *openssl = g_find_program_in_path ("openssl");
  if (openssl == NULL)
    return FALSE;
  const char *const argv[] = { "sh", "-c", script, "keys", folder, NULL };
  int status = 1;
  g_assert_true (
      g_spawn_sync (NULL, (char **) argv, NULL,
                    G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL,
                    NULL, NULL, NULL, NULL, &status, NULL));
  g_assert_cmpint (status, ==, 0);
  return TRUE;
}

/* The same under TLS: who comes without a certificate is not let in. */
static void
test_tls (Fixture *f, gconstpointer data)
{
  if (f->folder == NULL)
    return;
  if (!make_keys (f->keys))
    {
      g_test_skip ("no openssl");
      return;
    }
  const StasisTlsCreds server = { "keys", f->keys, TRUE, TRUE };
  const StasisTlsCreds client = { "keys", f->keys, FALSE, TRUE };
  g_autoptr (GError) error = NULL;
  stasis_monitor_tls_creds_add (f->there, &server, NULL, &error);
  g_assert_no_error (error);
  stasis_monitor_tls_creds_add (f->monitor, &client, NULL, &error);
  g_assert_no_error (error);
  export_copy (f, "keys");

  const StasisNbdClient clear
      = { "clear", { STASIS_QEMU_ADDRESS_UNIX, f->socket, NULL }, "vda", NULL, NULL, 0, 1, TRUE };
  g_assert_false (stasis_monitor_nbd_client_add (f->monitor, &clear, NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND);
  g_assert_nonnull (strstr (error->message, "TLS"));
  g_clear_error (&error);

  connect_to_copy (f, "keys");
  begin (f, 0);
  wait_job (f, "ready");
  stasis_monitor_block_job_cancel (f->monitor, "mirror", TRUE, NULL, &error);
  g_assert_no_error (error);
  stasis_monitor_job_wait (f->monitor, "mirror", "concluded", FOREVER, NULL);
  assert_equal (f);
  clear_up (f);
  stasis_monitor_object_del (f->monitor, "keys", NULL, &error);
  g_assert_no_error (error);
  g_assert_false (stasis_monitor_object_del (f->monitor, "keys", NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND);
}

/* A folder that has no certificates is named. */
static void
test_no_keys (Fixture *f, gconstpointer data)
{
  if (f->folder == NULL)
    return;
  const StasisTlsCreds creds = { "keys", f->keys, TRUE, TRUE };
  g_autoptr (GError) error = NULL;
  g_assert_false (stasis_monitor_tls_creds_add (f->there, &creds, NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND);
  g_assert_nonnull (strstr (error->message, f->keys));
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *path;
    void (*test) (Fixture *f, gconstpointer data);
  } tests[] = {
    { "/monitor/commands-mirror/copy", test_copy },
    { "/monitor/commands-mirror/steer", test_steer },
    { "/monitor/commands-mirror/lost", test_lost },
    { "/monitor/commands-mirror/tls", test_tls },
    { "/monitor/commands-nbd/exports", test_exports },
    { "/monitor/commands-tls/no-keys", test_no_keys },
  };
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);
  return g_test_run ();
}
