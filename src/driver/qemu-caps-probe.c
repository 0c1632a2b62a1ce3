/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu-caps-probe.c: start an emulator without a guest and ask it what it can do
 *
 * Theory of operation
 *
 * The emulator gets one end of a socket pair as its only monitor and a memory file as standard
 * error, whose end goes into the error when it dies.  It has no guest, and no machine either where
 * that has no say in what is asked, so it can simply be killed afterwards.  A program that is not
 * QEMU ends (the socket closes) or says nothing until the deadline; either way nothing of it is
 * left.
 *
 * Root asks as another user, by way of stasis-launch: as for a guest, which the emulator has not
 * got yet, but its name may come from anybody's definition.
 */

#include "config.h"

#include "driver/qemu-caps-private.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/spawn.h"
#include "monitor/monitor.h"
#include "util/fd.h"

#define GO_FD      3 /* in stasis-launch */
#define MONITOR_FD 4 /* in the emulator */

static const char *const qemu_args[] = {
  "-nodefaults",
  "-no-user-config",
  "-display",
  "none",
  "-S",
  "-chardev",
  "socket,id=probe,fd=" G_STRINGIFY (MONITOR_FD),
  "-mon",
  "chardev=probe,mode=control",
};

typedef struct
{
  const char *machine;    /* (borrowed) */
  GSubprocess *process;   /* (owned) */
  StasisMonitor *monitor; /* (owned) */
  int log_fd;             /* (owned) its standard error */
  gint64 deadline;        /* µs */
  GCancellable *cancellable;
} Probe;

static void
probe_clear (Probe *probe)
{
  stasis_monitor_close (probe->monitor);
  if (probe->process != NULL)
    {
      g_subprocess_force_exit (probe->process);
      g_subprocess_wait (probe->process, NULL, NULL);
      g_object_unref (probe->process);
    }
  stasis_fd_clear (&probe->log_fd);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Probe, probe_clear)

static gint64
remaining_ms (const Probe *probe)
{
  return MAX (1, (probe->deadline - g_get_monotonic_time ()) / 1000);
}

/* A socket with the octet in it that stasis-launch waits for. */
static int
make_go (GError **error)
{
  int pair[2];
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
    {
      stasis_throw_errno (error, _ ("cannot make a socket pair"));
      return -1;
    }
  stasis_autofd int ours = pair[0];
  stasis_autofd int theirs = pair[1];
  return stasis_fd_write_exact (ours, "g", 1, error) ? stasis_fd_steal (&theirs) : -1;
}

static void
add (GPtrArray *argv, const char *word)
{
  g_ptr_array_add (argv, g_strdup (word));
}

/* In front of the emulator: what makes it another user's. */
static gboolean
add_launcher (GPtrArray *argv, guint32 uid, GSubprocessLauncher *launcher, GError **error)
{
  const int go = make_go (error);
  if (go < 0)
    return FALSE;
  g_subprocess_launcher_take_fd (launcher, go, GO_FD);

  g_ptr_array_add (argv, stasis_spawn_find_helper ("stasis-launch"));
  for (int i = 0; i < 2; i++)
    {
      add (argv, i == 0 ? "--uid" : "--gid");
      g_ptr_array_add (argv, g_strdup_printf ("%u", uid));
    }
  g_auto (GStrv) env = stasis_spawn_base_env ();
  for (gsize i = 0; env[i] != NULL; i++)
    {
      add (argv, "--env");
      add (argv, env[i]);
    }
  add (argv, "--");
  return TRUE;
}

/* Start it; *@out_socket is our end. */
static gboolean
start (Probe *probe, const char *emulator, guint32 uid, int *out_socket, GError **error)
{
  int pair[2];
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
    return stasis_throw_errno (error, _ ("cannot make a socket pair"));
  stasis_autofd int ours = pair[0];
  stasis_autofd int theirs = pair[1];

  probe->log_fd = memfd_create ("stasis-probe", MFD_CLOEXEC);
  if (probe->log_fd < 0)
    return stasis_throw_errno (error, _ ("cannot make a memory file"));
  const int log_fd = fcntl (probe->log_fd, F_DUPFD_CLOEXEC, 3);
  if (log_fd < 0)
    return stasis_throw_errno (error, _ ("cannot duplicate a descriptor"));

  g_autoptr (GSubprocessLauncher) launcher
      = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDOUT_SILENCE);
  g_subprocess_launcher_take_stderr_fd (launcher, log_fd);
  g_subprocess_launcher_take_fd (launcher, stasis_fd_steal (&theirs), MONITOR_FD);
  g_autoptr (GPtrArray) argv = g_ptr_array_new_with_free_func (g_free);
  if (uid != geteuid () && !add_launcher (argv, uid, launcher, error))
    return FALSE;
  add (argv, emulator);
  for (gsize i = 0; i < G_N_ELEMENTS (qemu_args); i++)
    add (argv, qemu_args[i]);
  add (argv, "-machine");
  add (argv, probe->machine);
  g_ptr_array_add (argv, NULL);
  probe->process
      = g_subprocess_launcher_spawnv (launcher, (const char *const *) argv->pdata, error);
  if (probe->process == NULL)
    return FALSE;
  *out_socket = stasis_fd_steal (&ours);
  return TRUE;
}

/* (transfer full): the list that a command returns. */
static StasisJson *
query (const Probe *probe, const char *command, StasisJson *arguments_take, GError **error)
{
  g_autoptr (StasisJson) list = NULL;
  if (!stasis_monitor_command (probe->monitor, command, arguments_take, NULL, 0,
                               remaining_ms (probe), &list, probe->cancellable, error))
    return NULL;
  if (list == NULL || stasis_json_kind (list) != STASIS_JSON_ARRAY)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_QEMU, _ ("'%1$s' returned no list"), command);
      return NULL;
    }
  return g_steal_pointer (&list);
}

static const char *
string_member (const StasisJson *object, const char *key)
{
  return stasis_json_string (stasis_json_get (object, key), NULL);
}

static gboolean
query_machines (const Probe *probe, StasisQemuCaps *caps, GError **error)
{
  g_autoptr (StasisJson) list = query (probe, "query-machines", NULL, error);
  if (list == NULL)
    return FALSE;

  for (guint i = 0; i < stasis_json_array_length (list); i++)
    {
      const StasisJson *object = stasis_json_array_get (list, i);
      const char *name = string_member (object, "name");
      if (name == NULL || g_str_equal (name, "none"))
        continue;

      StasisQemuMachine *machine = stasis_qemu_caps_add_machine (caps, name);
      machine->alias = g_strdup (string_member (object, "alias"));
      machine->ram_id = g_strdup (string_member (object, "default-ram-id"));
      machine->is_default = stasis_json_boolean (stasis_json_get (object, "is-default"), FALSE);
      machine->is_deprecated = stasis_json_boolean (stasis_json_get (object, "deprecated"), FALSE);
    }
  return TRUE;
}

static gboolean
query_migration (const Probe *probe, StasisQemuCaps *caps, GError **error)
{
  g_autoptr (StasisJson) list = query (probe, "query-migrate-capabilities", NULL, error);
  if (list == NULL)
    return FALSE;

  for (guint i = 0; i < stasis_json_array_length (list); i++)
    {
      const char *name = string_member (stasis_json_array_get (list, i), "capability");
      if (name != NULL)
        stasis_qemu_caps_add_migration (caps, name);
    }
  return TRUE;
}

/* All types that implement an interface or descend from a type; modules are loaded for it. */
static gboolean
query_types (const Probe *probe, const char *implements, StasisQemuCaps *caps, GError **error)
{
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_string (arguments, "implements", implements);
  stasis_json_set_boolean (arguments, "abstract", FALSE);
  g_autoptr (StasisJson) list = query (probe, "qom-list-types", arguments, error);
  if (list == NULL)
    return FALSE;

  for (guint i = 0; i < stasis_json_array_length (list); i++)
    {
      const char *name = string_member (stasis_json_array_get (list, i), "name");
      if (name != NULL)
        stasis_qemu_caps_add_device (caps, name);
    }
  return TRUE;
}

/* What objects of a type can be given; not every emulator has the type. */
static gboolean
query_properties (const Probe *probe, const char *type, StasisQemuCaps *caps, GError **error)
{
  if (!stasis_qemu_caps_has_device (caps, type))
    return TRUE;
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_string (arguments, "typename", type);
  g_autoptr (StasisJson) list = query (probe, "qom-list-properties", arguments, error);
  if (list == NULL)
    return FALSE;

  for (guint i = 0; i < stasis_json_array_length (list); i++)
    {
      const char *name = string_member (stasis_json_array_get (list, i), "name");
      if (name != NULL)
        stasis_qemu_caps_add_property (caps, type, name);
    }
  return TRUE;
}

/* TRUE where it answers. */
static gboolean
connect_to (Probe *probe, const char *emulator, guint32 uid, GError **error)
{
  int socket = -1;
  if (!start (probe, emulator, uid, &socket, error))
    return FALSE;
  g_autofree char *log_path = g_strdup_printf ("/proc/self/fd/%d", probe->log_fd);
  probe->monitor
      = stasis_monitor_open (socket, log_path, 0, remaining_ms (probe), probe->cancellable, error);
  return probe->monitor != NULL;
}

static StasisQemuCaps *
ask (Probe *probe, const char *emulator, guint32 uid, GError **error)
{
  if (!connect_to (probe, emulator, uid, error))
    return NULL;

  const StasisMonitorVersion *version = stasis_monitor_version (probe->monitor);
  g_autofree char *text
      = g_strdup_printf ("%u.%u.%u", version->major, version->minor, version->micro);
  g_autoptr (StasisQemuCaps) caps = stasis_qemu_caps_new (text);
  if (!query_machines (probe, caps, error) || !query_migration (probe, caps, error)
      || !query_types (probe, "device", caps, error)
      || !query_types (probe, "user-creatable", caps, error)
      || !query_properties (probe, STASIS_QEMU_FILE_MEMORY, caps, error))
    return NULL;
  return g_steal_pointer (&caps);
}

/* Blocks until the emulator has answered and ended, or @timeout_ms. */
StasisQemuCaps *
stasis_qemu_caps_probe (const char *emulator, guint32 uid, gint64 timeout_ms,
                        GCancellable *cancellable, GError **error)
{
  g_auto (Probe) probe = { .machine = "none",
                           .log_fd = -1,
                           .deadline = g_get_monotonic_time () + timeout_ms * 1000,
                           .cancellable = cancellable };
  StasisQemuCaps *caps = ask (&probe, emulator, uid, error);
  if (caps == NULL)
    g_prefix_error (error, _ ("cannot ask the emulator '%1$s' what it can do: "), emulator);
  return caps;
}

/* A machine of its own, for its version has a say in what the CPU is like; no guest is in it. */
gboolean
stasis_qemu_caps_probe_machine (const char *emulator, guint32 uid, const char *machine,
                                gint64 timeout_ms, StasisQemuProbeFunc func, gpointer data,
                                GCancellable *cancellable, GError **error)
{
  g_auto (Probe) probe = { .machine = machine,
                           .log_fd = -1,
                           .deadline = g_get_monotonic_time () + timeout_ms * 1000,
                           .cancellable = cancellable };
  if (!connect_to (&probe, emulator, uid, error))
    {
      g_prefix_error (error, _ ("cannot ask the emulator '%1$s' for its CPU: "), emulator);
      return FALSE;
    }
  func (probe.monitor, data);
  return TRUE;
}
