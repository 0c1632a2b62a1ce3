/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device-disk-test.c: tests of src/driver/device-disk.c
 */

#include "config.h"

#include "driver/devices.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stasis/error.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"
#include "util/fd.h"

typedef struct
{
  char *folder;
  char *path; /* of a disk image */
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  f->folder = scratch_new ();
  f->path = scratch_text (f->folder, "disk.raw", "a disk");
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  g_free (f->path);
  scratch_remove (f->folder);
}

#define PLAIN \
  "<disk type='file' device='disk'><source file='%s'/><target dev='vda' bus='virtio'/></disk>"
#define SHARED \
  "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='%s'/>" \
  "<target dev='vda' bus='virtio'/><shareable/></disk>"
#define READONLY \
  "<disk type='file' device='disk'><source file='%s'/><target dev='vda' bus='virtio'/>" \
  "<readonly/></disk>"
#define CDROM \
  "<disk type='file' device='cdrom'><source file='%s'/><target dev='sda' bus='sata'/></disk>"
#define FLOPPY \
  "<disk type='file' device='floppy'><source file='%s'/><target dev='fda' bus='fdc'/></disk>"
#define EMPTY "<disk type='file' device='cdrom'><target dev='sdb' bus='sata'/></disk>"

static gboolean
ask (const char *before, const char *path, const char *after, StasisDeviceOperation operation,
     GError **error)
{
  g_autofree char *rest = g_strconcat ("<devices>", before, path, after, EMPTY "</devices>", NULL);
  g_autoptr (StasisDomainDef) def = scratch_domain ("pc", "", "", rest);
  const StasisDeviceRequest request
      = { .operation = operation, .destination = "/x", .def = def, .monitor = NULL };
  const gboolean ok = stasis_device_disk.test (&request, error);
  stasis_device_disk.recover (&request);

  /* The whole table says the same. */
  g_autoptr (GError) local = NULL;
  g_assert_cmpint (stasis_devices_test (&request, &local), ==, ok);
  stasis_devices_recover (&request);
  return ok;
}

typedef enum
{
  DISK_PLAIN,
  DISK_SHARED,
  DISK_READONLY,
  DISK_CDROM,
  DISK_FLOPPY,
} DiskKind;

static const char *const disks[] = { PLAIN, SHARED, READONLY, CDROM, FLOPPY };

/* @kind with @path in its XML. */
static gboolean
ask_of (DiskKind kind, const char *path, StasisDeviceOperation operation, GError **error)
{
  g_auto (GStrv) halves = g_strsplit (disks[kind], "%s", 2);
  return ask (halves[0], path, halves[1], operation, error);
}

static void
assert_refused (DiskKind kind, const char *path, StasisDeviceOperation operation, const char *fault)
{
  g_autoptr (GError) error = NULL;
  g_assert_false (ask_of (kind, path, operation, &error));
  g_assert_nonnull (error);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, kind == DISK_FLOPPY ? "'fda'" : "'vda'"));
  g_assert_nonnull (strstr (error->message, path));
  g_assert_nonnull (strstr (error->message, fault));
}

static void
assert_fine (DiskKind kind, const char *path, StasisDeviceOperation operation)
{
  g_autoptr (GError) error = NULL;
  g_assert_true (ask_of (kind, path, operation, &error));
  g_assert_no_error (error);
}

static void
test_fine (Fixture *f, gconstpointer data)
{
  for (gsize i = 0; i < G_N_ELEMENTS (disks); i++)
    {
      assert_fine ((DiskKind) i, f->path, STASIS_DEVICE_SAVE);
      assert_fine ((DiskKind) i, f->path, STASIS_DEVICE_RESTORE);
    }
  g_autoptr (GError) error = NULL;
  g_assert_true (ask ("", "", "", STASIS_DEVICE_SAVE, &error));
  g_assert_no_error (error);
}

/* What the guest cannot write is not ours to judge here. */
static void
test_missing (Fixture *f, gconstpointer data)
{
  g_autofree char *missing = g_build_filename (f->folder, "missing", NULL);
  for (int operation = STASIS_DEVICE_SAVE; operation <= STASIS_DEVICE_RESTORE; operation++)
    {
      assert_refused (DISK_PLAIN, missing, operation, g_strerror (ENOENT));
      assert_refused (DISK_SHARED, missing, operation, g_strerror (ENOENT));
      assert_refused (DISK_FLOPPY, missing, operation, g_strerror (ENOENT));
      assert_fine (DISK_READONLY, missing, operation);
      assert_fine (DISK_CDROM, missing, operation);
    }
}

static void
test_kinds (Fixture *f, gconstpointer data)
{
  g_autofree char *fifo = g_build_filename (f->folder, "fifo", NULL);
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  assert_refused (DISK_PLAIN, fifo, STASIS_DEVICE_SAVE, "neither");
  assert_refused (DISK_PLAIN, fifo, STASIS_DEVICE_RESTORE, "neither");
  assert_refused (DISK_PLAIN, "/dev/null", STASIS_DEVICE_SAVE, "neither");
  assert_refused (DISK_PLAIN, f->folder, STASIS_DEVICE_SAVE, g_strerror (EISDIR));
}

typedef struct
{
  const char *test;
  short type;
  int first;
  int count;
  gboolean in_use;
} LockCase;

static const LockCase lock_cases[] = {
  { "write-all", F_WRLCK, 100, 200, TRUE }, { "read-first", F_RDLCK, 100, 1, TRUE },
  { "read-middle", F_RDLCK, 201, 1, TRUE }, { "write-last", F_WRLCK, 299, 1, TRUE },
  { "in-front", F_WRLCK, 0, 100, FALSE },   { "behind", F_WRLCK, 300, 1000, FALSE },
  { "whole-file", F_WRLCK, 0, 0, TRUE },
};

/* In another process: an OFD lock of our own would do as well, but this is the real case. */
static int
run_helper (const char *path, const LockCase *c)
{
  const int fd = open (path, O_RDWR | O_CLOEXEC);
  const struct flock lock
      = { .l_type = c->type, .l_whence = SEEK_SET, .l_start = c->first, .l_len = c->count };
  if (fcntl (fd, F_OFD_SETLK, &lock) < 0)
    return 1;
  /* Where the test fails, nothing of it stays behind. */
  prctl (PR_SET_PDEATHSIG, SIGKILL);
  puts ("ready");
  fflush (stdout);
  for (;;)
    pause ();
}

static void
test_lock (Fixture *f, gconstpointer data)
{
  const LockCase *c = data;
  g_autofree char *number = g_strdup_printf ("%d", (int) (c - lock_cases));
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL); /* not valgrind */
  g_autoptr (GError) error = NULL;
  g_autoptr (GSubprocess) holder = g_subprocess_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error, self,
                                                     "--helper", f->path, number, NULL);
  g_assert_no_error (error);
  char line[8] = "";
  g_input_stream_read (g_subprocess_get_stdout_pipe (holder), line, sizeof line - 1, NULL, &error);
  g_assert_cmpstr (line, ==, "ready\n");

  /* On save it is our own QEMU that has it. */
  assert_fine (DISK_PLAIN, f->path, STASIS_DEVICE_SAVE);
  assert_fine (DISK_SHARED, f->path, STASIS_DEVICE_RESTORE);
  assert_fine (DISK_READONLY, f->path, STASIS_DEVICE_RESTORE);
  if (c->in_use)
    assert_refused (DISK_PLAIN, f->path, STASIS_DEVICE_RESTORE, "another process");
  else
    assert_fine (DISK_PLAIN, f->path, STASIS_DEVICE_RESTORE);

  g_subprocess_force_exit (holder);
  g_subprocess_wait (holder, NULL, NULL);
  assert_fine (DISK_PLAIN, f->path, STASIS_DEVICE_RESTORE);
}

/* Asking leaves no lock behind. */
static void
test_asking_locks_nothing (Fixture *f, gconstpointer data)
{
  assert_fine (DISK_PLAIN, f->path, STASIS_DEVICE_RESTORE);
  stasis_autofd int fd = open (f->path, O_RDWR | O_CLOEXEC);
  const struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
  g_assert_cmpint (fcntl (fd, F_OFD_SETLK, &all), ==, 0);
}

int
main (int argc, char **argv)
{
  if (argc == 4 && strcmp (argv[1], "--helper") == 0)
    return run_helper (argv[2], &lock_cases[g_ascii_strtoll (argv[3], NULL, 10)]);

  g_test_init (&argc, &argv, NULL);
  g_test_add ("/driver/device-disk/fine", Fixture, NULL, set_up, test_fine, tear_down);
  g_test_add ("/driver/device-disk/missing", Fixture, NULL, set_up, test_missing, tear_down);
  g_test_add ("/driver/device-disk/kinds", Fixture, NULL, set_up, test_kinds, tear_down);
  for (gsize i = 0; i < G_N_ELEMENTS (lock_cases); i++)
    {
      g_autofree char *test = g_strconcat ("/driver/device-disk/lock/", lock_cases[i].test, NULL);
      g_test_add (test, Fixture, &lock_cases[i], set_up, test_lock, tear_down);
    }
  g_test_add ("/driver/device-disk/asking-locks-nothing", Fixture, NULL, set_up,
              test_asking_locks_nothing, tear_down);
  return g_test_run ();
}
