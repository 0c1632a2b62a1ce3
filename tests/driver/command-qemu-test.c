/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command-qemu-test.c: a real QEMU takes the command lines, and its devices sit where they should
 *
 * Each definition behind the golden files, and each that libvirt is compared with in
 * tests/data/conf, is started, without its guest running, on files and sockets made for it.  Then
 * QEMU is asked over both monitors where each device with a PCI address is.
 */

#include "config.h"

#include "driver/command.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include <stasis/error.h>

#include "command-fixture.h"
#include "driver/qemu-caps-private.h"
#include "driver/tap.h"
#include "monitor/monitor.h"
#include "util/fd.h"

#define WAIT_MS        60000
#define FIRST_FD       30
#define IMAGE_SIZE     "16M"
#define FLASH_SIZE     (256 * 1024)
#define BIOS_SIZE      (128 * 1024)
#define KERNEL_SIZE    (64 * 1024)
#define FLOPPY_SIZE    (1440 * 1024)
#define SOCKET_BACKLOG 1

/* One QEMU and all it was given. */
/* That one of the definitions has QEMU listen on. */
#define SAMPLE_SOCKET "/var/tmp/vnc.sock"

typedef struct
{
  char *folder;
  GSubprocessLauncher *launcher;
  GSubprocess *process;
  int next_fd;
  gint64 next_fdset;
  guint n_files;
  char *log;
  const char *skip; /* why the host cannot do this */
} Guest;

static const char *
find_qemu (void)
{
  static char *found;
  const char *asked = g_getenv ("STASIS_TEST_QEMU");
  if (asked != NULL && *asked != '\0')
    return asked;
  if (found == NULL)
    found = g_find_program_in_path ("qemu-system-x86_64");
  return found;
}

static Guest *
guest_new (void)
{
  g_autoptr (GError) error = NULL;
  Guest *guest = g_new0 (Guest, 1);
  guest->folder = g_dir_make_tmp ("stasis-command-XXXXXX", &error);
  g_assert_no_error (error);
  guest->log = g_build_filename (guest->folder, "log", NULL);
  guest->launcher = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDERR_MERGE);
  g_subprocess_launcher_set_stdout_file_path (guest->launcher, guest->log);
  guest->next_fd = FIRST_FD;
  guest->next_fdset = 1;
  return guest;
}

static void
guest_free (Guest *guest)
{
  if (guest->process != NULL)
    {
      g_subprocess_force_exit (guest->process);
      g_subprocess_wait (guest->process, NULL, NULL);
      g_object_unref (guest->process);
    }
  g_clear_object (&guest->launcher);
  g_autoptr (GDir) dir = g_dir_open (guest->folder, 0, NULL);
  for (const char *name = g_dir_read_name (dir); name != NULL; name = g_dir_read_name (dir))
    {
      g_autofree char *path = g_build_filename (guest->folder, name, NULL);
      g_unlink (path);
    }
  g_rmdir (guest->folder);
  unlink (SAMPLE_SOCKET);
  g_free (guest->folder);
  g_free (guest->log);
  g_free (guest);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Guest, guest_free)

static int
give (Guest *guest, int fd_take)
{
  const int number = guest->next_fd++;
  g_subprocess_launcher_take_fd (guest->launcher, fd_take, number);
  return number;
}

static char *
new_path (Guest *guest)
{
  g_autofree char *name = g_strdup_printf ("file-%u", guest->n_files++);
  return g_build_filename (guest->folder, name, NULL);
}

static int
open_file (const char *path, int flags)
{
  g_autoptr (GError) error = NULL;
  const int fd = stasis_fd_open (path, flags | O_CREAT, 0600, &error);
  g_assert_no_error (error);
  return fd;
}

static char *
make_zeros (Guest *guest, gsize size)
{
  char *path = new_path (guest);
  stasis_autofd int fd = open_file (path, O_RDWR);
  g_assert_cmpint (ftruncate (fd, (off_t) size), ==, 0);
  return path;
}

/* The boot protocol's header and nothing behind it. */
static char *
make_kernel (Guest *guest)
{
  g_autofree guint8 *octets = g_malloc0 (KERNEL_SIZE);
  octets[0x1f1] = 4;
  octets[0x1fe] = 0x55;
  octets[0x1ff] = 0xaa;
  memcpy (octets + 0x202, "HdrS", 4);
  octets[0x206] = 0x06;
  octets[0x207] = 0x02;
  octets[0x211] = 1;
  octets[0x22f] = 0x37; /* how high an initrd may be */
  char *path = new_path (guest);
  g_assert_true (g_file_set_contents (path, (const char *) octets, KERNEL_SIZE, NULL));
  return path;
}

static char *
make_image (Guest *guest, const char *format)
{
  g_autoptr (GError) error = NULL;
  char *path = new_path (guest);
  const char *const argv[] = { "qemu-img", "create", "-q", "-f", format, path, IMAGE_SIZE, NULL };
  int status = -1;
  g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status,
                &error);
  g_assert_no_error (error);
  g_assert_cmpint (status, ==, 0);
  return path;
}

static void
open_disk (Guest *guest, StasisResource *resource)
{
  const gboolean is_floppy = g_str_has_prefix (resource->key, "disk:fd");
  g_autofree char *path = is_floppy && g_str_equal (resource->format, "raw")
                              ? make_zeros (guest, FLOPPY_SIZE)
                              : make_image (guest, resource->format);
  int flags = resource->readonly ? O_RDONLY : O_RDWR;
  if (resource->direct)
    flags |= O_DIRECT;
  int fd = open (path, flags | O_CLOEXEC);
  if (fd < 0) /* no O_DIRECT here */
    fd = open_file (path, flags & ~O_DIRECT);
  resource->is_block = FALSE;
  resource->fd = give (guest, fd);
  resource->fdset = guest->next_fdset++;
  for (guint i = 0; i < resource->backing->len; i++)
    open_disk (guest, resource->backing->pdata[i]);
}

static void
open_listener (Guest *guest, StasisResource *resource)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = new_path (guest);
  const int fd = stasis_unix_listen (path, SOCKET_BACKLOG, &error);
  g_assert_no_error (error);
  resource->fd = give (guest, fd);
}

static void
open_tap (Guest *guest, StasisResource *resource)
{
  g_autofree char *name = NULL;
  const int fd = stasis_tap_open (NULL, NULL, resource->mtu, &name, NULL);
  if (fd < 0)
    guest->skip = "cannot make a tap device";
  else
    resource->fd = give (guest, fd);
}

static void
open_file_set (Guest *guest, StasisResource *resource, const char *path, int flags)
{
  resource->fd = give (guest, open_file (path, flags));
  resource->fdset = guest->next_fdset++;
}

static void
open_resource (Guest *guest, StasisResource *resource)
{
  g_autofree char *path = NULL;

  switch (resource->kind)
    {
    case STASIS_RESOURCE_DISK:
      open_disk (guest, resource);
      break;
    case STASIS_RESOURCE_LOADER:
      path = make_zeros (guest, FLASH_SIZE);
      open_file_set (guest, resource, path, resource->readonly ? O_RDONLY : O_RDWR);
      break;
    case STASIS_RESOURCE_NVRAM:
      path = make_zeros (guest, FLASH_SIZE);
      open_file_set (guest, resource, path, O_RDWR);
      break;
    case STASIS_RESOURCE_BLOB:
      path = g_str_equal (resource->key, "kernel") ? make_kernel (guest)
                                                   : make_zeros (guest, BIOS_SIZE);
      resource->fd = give (guest, open_file (path, O_RDONLY));
      break;
    case STASIS_RESOURCE_OUTPUT:
      path = new_path (guest);
      open_file_set (guest, resource, path, O_WRONLY | O_APPEND);
      break;
    case STASIS_RESOURCE_LISTEN:
      open_listener (guest, resource);
      break;
    case STASIS_RESOURCE_TAP:
      open_tap (guest, resource);
      break;
    case STASIS_RESOURCE_VHOST:
      resource->fd = stasis_vhost_open ();
      if (resource->fd >= 0)
        resource->fd = give (guest, resource->fd);
      break;
    }
}

static gboolean
has_qemu (void)
{
  if (find_qemu () != NULL && g_file_test (find_qemu (), G_FILE_TEST_IS_EXECUTABLE))
    return TRUE;
  g_test_skip ("no such emulator (STASIS_TEST_QEMU names another)");
  return FALSE;
}

/* TRUE where the emulator comes up with KVM and leaves when told to: it dies of some nested hosts'
 * registers although the device is there. */
static gboolean
kvm_works (void)
{
  static gsize answer;
  if (g_once_init_enter (&answer))
    {
      g_autoptr (GSubprocess) qemu
          = g_subprocess_new (G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_SILENCE
                                  | G_SUBPROCESS_FLAGS_STDERR_SILENCE,
                              NULL, find_qemu (), "-machine", "pc,accel=kvm", "-cpu", "host",
                              "-nodefaults", "-display", "none", "-S", "-monitor", "stdio", NULL);
      const gboolean works
          = qemu != NULL && g_subprocess_communicate_utf8 (qemu, "quit\n", NULL, NULL, NULL, NULL)
            && g_subprocess_get_successful (qemu);
      g_once_init_leave (&answer, works ? 2 : 1);
    }
  return answer == 2;
}

/* Why this host cannot start it, or NULL. */
static const char *
find_obstacle (const StasisDomainDef *def)
{
  const GPtrArray *const lists[] = { def->serials, def->parallels, def->consoles, def->channels };

  if (def->type == STASIS_DOMAIN_TYPE_KVM && !kvm_works ())
    return "no KVM, or none that this emulator can use";
  if (def->features.hyperv_vpindex == STASIS_TRISTATE_ON)
    return "needs Hyper-V's interfaces from the host's kernel";
  if (def->memory_backing.hugepages || def->memory_backing.locked)
    return "needs huge or locked pages";
  for (gsize k = 0; k < G_N_ELEMENTS (lists); k++)
    for (guint i = 0; i < lists[k]->len; i++)
      {
        const StasisChardevDef *chardev = lists[k]->pdata[i];
        const gboolean is_socket
            = chardev->type == STASIS_CHARDEV_UNIX || chardev->type == STASIS_CHARDEV_TCP;
        if (is_socket && chardev->mode != STASIS_CHARDEV_MODE_BIND)
          return "needs somebody to connect to";
      }
  return NULL;
}

static StasisMonitor *
open_monitor (const Guest *guest, const char *socket_name)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_build_filename (guest->folder, socket_name, NULL);
  const int fd = stasis_unix_connect (path, &error);
  g_assert_no_error (error);
  StasisMonitor *monitor = stasis_monitor_open (fd, guest->log, 0, WAIT_MS, NULL, &error);
  if (error != NULL)
    g_test_message ("%s", error->message);
  g_assert_no_error (error);
  return monitor;
}

static int
listen_in (Guest *guest, const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_build_filename (guest->folder, name, NULL);
  const int fd = stasis_unix_listen (path, SOCKET_BACKLOG, &error);
  g_assert_no_error (error);
  return give (guest, fd);
}

/* Start @argv; the launcher's copies of the descriptors are closed. */
static void
start (Guest *guest, char **args)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) argv = g_ptr_array_new ();
  g_ptr_array_add (argv, (char *) find_qemu ());
  for (char **arg = args; *arg != NULL; arg++)
    g_ptr_array_add (argv, *arg);
  g_ptr_array_add (argv, NULL);
  guest->process
      = g_subprocess_launcher_spawnv (guest->launcher, (const char *const *) argv->pdata, &error);
  g_assert_no_error (error);
  g_clear_object (&guest->launcher);
}

static StasisJson *
ask (StasisMonitor *monitor, const char *command, StasisJson *arguments_take)
{
  g_autoptr (GError) error = NULL;
  StasisJson *answer = NULL;
  stasis_monitor_command (monitor, command, arguments_take, NULL, 0, WAIT_MS, &answer, NULL,
                          &error);
  g_assert_no_error (error);
  return answer;
}

static StasisJson *
ask_property (StasisMonitor *monitor, const char *alias, const char *property)
{
  g_autofree char *path = g_strdup_printf ("/machine/peripheral/%s", alias);
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_string (arguments, "path", path);
  stasis_json_set_string (arguments, "property", property);
  return ask (monitor, "qom-get", arguments);
}

/* On the first bus, where numbers are there before any firmware has run. */
static gboolean
is_on_first_bus (const StasisJson *buses, const StasisAddress *address)
{
  const StasisJson *devices = stasis_json_get (stasis_json_array_get (buses, 0), "devices");
  for (guint i = 0; i < stasis_json_array_length (devices); i++)
    {
      const StasisJson *device = stasis_json_array_get (devices, i);
      if (stasis_json_int (stasis_json_get (device, "slot"), -1) == address->slot
          && stasis_json_int (stasis_json_get (device, "function"), -1) == address->function)
        return TRUE;
    }
  return FALSE;
}

static char *
bus_name (const StasisDomainDef *def, gint64 bus)
{
  for (guint i = 0; i < def->controllers->len; i++)
    {
      const StasisControllerDef *controller = def->controllers->pdata[i];
      if (controller->type == STASIS_CONTROLLER_PCI && controller->index == bus && bus != 0)
        return g_strdup (controller->info.alias);
    }
  return g_strdup (stasis_domain_def_is_q35 (def) ? "pcie.0" : "pci.0");
}

typedef struct
{
  StasisMonitor *monitor;
  const StasisDomainDef *def;
  const StasisJson *buses;
  guint n_checked;
} Check;

/* @has_id: the device is on the command line under its alias. */
static void
check_address (Check *check, const StasisDeviceInfo *info, gboolean has_id)
{
  const StasisAddress *address = &info->address;
  if (address->type != STASIS_ADDRESS_PCI)
    return;

  check->n_checked++;
  if (address->bus == 0)
    g_assert_true (is_on_first_bus (check->buses, address));
  if (!has_id)
    return;

  g_autoptr (StasisJson) devfn = ask_property (check->monitor, info->alias, "addr");
  g_autoptr (StasisJson) parent = ask_property (check->monitor, info->alias, "parent_bus");
  g_autofree char *bus = bus_name (check->def, address->bus);
  g_autofree char *tail = g_strconcat ("/", bus, NULL);
  g_test_message ("%s: %s %" G_GINT64_FORMAT, info->alias, stasis_json_string (parent, "?"),
                  stasis_json_int (devfn, -1));
  g_assert_true (g_str_has_suffix (stasis_json_string (parent, ""), tail));
  g_assert_cmpint (stasis_json_int (devfn, -1), ==, address->slot * 8 + address->function);
}

static void
check_controllers (Check *check)
{
  for (guint i = 0; i < check->def->controllers->len; i++)
    {
      const StasisControllerDef *controller = check->def->controllers->pdata[i];
      const gboolean is_builtin = controller->index == 0
                                  && (controller->type == STASIS_CONTROLLER_IDE
                                      || (controller->type == STASIS_CONTROLLER_SATA
                                          && stasis_domain_def_is_q35 (check->def)));
      check_address (check, &controller->info,
                     !is_builtin && controller->usb_master_startport == STASIS_UNSET);
    }
}

/* Where StasisDeviceInfo is in each kind of device. */
static void
check_devices (Check *check)
{
  const StasisDomainDef *def = check->def;
  const struct
  {
    const GPtrArray *list;
    gsize offset;
  } lists[] = {
    { def->disks, G_STRUCT_OFFSET (StasisDiskDef, info) },
    { def->interfaces, G_STRUCT_OFFSET (StasisInterfaceDef, info) },
    { def->serials, G_STRUCT_OFFSET (StasisChardevDef, info) },
    { def->inputs, G_STRUCT_OFFSET (StasisInputDef, info) },
    { def->sounds, G_STRUCT_OFFSET (StasisSoundDef, info) },
    { def->videos, G_STRUCT_OFFSET (StasisVideoDef, info) },
    { def->watchdogs, G_STRUCT_OFFSET (StasisWatchdogDef, info) },
    { def->balloons, G_STRUCT_OFFSET (StasisBalloonDef, info) },
    { def->rngs, G_STRUCT_OFFSET (StasisRngDef, info) },
    { def->panics, G_STRUCT_OFFSET (StasisPanicDef, info) },
  };

  for (gsize k = 0; k < G_N_ELEMENTS (lists); k++)
    for (guint i = 0; i < lists[k].list->len; i++)
      check_address (
          check,
          (const StasisDeviceInfo *) ((const guint8 *) lists[k].list->pdata[i] + lists[k].offset),
          TRUE);
}

/* QEMU warns of a -global that nothing uses and of options it is going to drop. */
static void
check_log (const Guest *guest)
{
  g_autofree char *text = NULL;
  g_assert_true (g_file_get_contents (guest->log, &text, NULL, NULL));
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  for (char **line = lines; *line != NULL; line++)
    {
      const gboolean is_expected
          = **line == '\0' || strstr (*line, "char device redirected") != NULL
            || strstr (*line, "TCG doesn't support requested feature") != NULL
            || strstr (*line, "is deprecated") != NULL || strstr (*line, "not support") != NULL;
      if (!is_expected)
        g_test_message ("QEMU says: %s", *line);
    }
}

static StasisDomainDef *
load (const char *path, const StasisQemuCaps *caps)
{
  g_autoptr (GError) error = NULL;
  StasisDomainDef *def = fixture_definition (path, caps, &error);
  if (def == NULL)
    g_test_skip (error->message);
  return def;
}

static void
run (Guest *guest, const StasisDomainDef *def, const StasisQemuCaps *caps)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) resources = fixture_resources (def);
  for (guint i = 0; i < resources->len; i++)
    open_resource (guest, resources->pdata[i]);
  if (guest->skip != NULL)
    {
      g_test_skip (guest->skip);
      return;
    }
  const StasisCommandHost host = { .resources = resources,
                                   .monitor_fd = listen_in (guest, "monitor"),
                                   .supervisor_fd = listen_in (guest, "supervisor"),
                                   .socket_folder = guest->folder };
  g_auto (GStrv) args = stasis_command_build (def, caps, &host, &error);
  if (g_error_matches (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED))
    {
      g_test_skip (error->message);
      return;
    }
  g_assert_no_error (error);
  start (guest, args);

  g_autoptr (StasisMonitor) monitor = open_monitor (guest, "monitor");
  g_autoptr (StasisMonitor) supervisor = open_monitor (guest, "supervisor");
  g_autoptr (StasisJson) status = ask (supervisor, "query-status", NULL);
  g_assert_cmpstr (stasis_json_string (stasis_json_get (status, "status"), ""), ==, "prelaunch");
  g_autoptr (StasisJson) buses = ask (monitor, "query-pci", NULL);
  Check check = { .monitor = monitor, .def = def, .buses = buses };
  check_controllers (&check);
  check_devices (&check);
  check_log (guest);
}

static StasisQemuCaps *shared_caps;

static void
test_start (gconstpointer data)
{
  if (!has_qemu ())
    return;
  if (shared_caps == NULL)
    {
      g_autoptr (GError) error = NULL;
      shared_caps = stasis_qemu_caps_probe (find_qemu (), geteuid (), WAIT_MS, NULL, &error);
      g_assert_no_error (error);
    }

  g_autoptr (StasisDomainDef) def = load (data, shared_caps);
  if (def == NULL)
    return;
  const char *obstacle = find_obstacle (def);
  if (obstacle != NULL)
    {
      g_test_skip (obstacle);
      return;
    }
  g_autoptr (Guest) guest = guest_new ();
  run (guest, def, shared_caps);
}

static void
add_folder (GPtrArray *paths, const char *folder)
{
  g_autoptr (GPtrArray) list = fixture_list (folder);
  for (guint i = 0; i < list->len; i++)
    {
      char *path = g_strdup (list->pdata[i]);
      g_ptr_array_add (paths, path);
      g_autofree char *base = g_path_get_basename (path);
      g_autofree char *name = g_strdup_printf ("/driver/command-qemu/%s/%s", folder, base);
      g_test_add_data_func (name, path, test_start);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free);
  add_folder (paths, "driver/command");
  add_folder (paths, "conf/libvirt");
  const int status = g_test_run ();
  stasis_qemu_caps_unref (shared_caps);
  return status;
}
