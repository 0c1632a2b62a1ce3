/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c: stasisd, the daemon that libvirt's clients talk to
 *
 * Theory of operation
 *
 * It is the driver behind a socket, and holds nothing of the guests: what it does is in the state
 * directory, and its jobs are in the journal like those of every other process.  So it may end, or
 * be killed, at any time; guests do not notice, and what it was at is undone or finished by the
 * domains' supervisors.  A lock sees to it that no two daemons serve one state directory.
 *
 * On SIGTERM nothing new is begun, and what is under way may come to its end for a while.  On
 * SIGHUP the configuration is read anew.
 */

#include "config.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <glib-unix.h>
#include <glib/gi18n.h>
#include <stasis/stasis.h>

#include "daemon/daemon-config.h"
#include "daemon/log.h"
#include "daemon/notify.h"
#include "daemon/reconnect.h"
#include "daemon/sockets.h"
#include "driver/migrate-in.h"
#include "driver/paths.h"
#include "util/lock.h"

#define LOCK_FILE    "stasisd.lock"
#define STOP_POLL_MS 50

#define STOP_MARGIN_S 15 /* from the end of our patience until the service manager's */

typedef struct
{
  char *config_path; /* (owned) (nullable) from the command line */
  char *socket_path; /* (owned) (nullable) likewise */
  gboolean is_session;
  gboolean is_system;
  gboolean is_verbose;
  gboolean wants_check;
  gboolean wants_version;
} Options;

typedef struct
{
  Options options;
  StasisPaths *paths;         /* (owned) */
  StasisDaemonConfig *config; /* (owned) */
  StasisDriver *driver;       /* (owned) */
  StasisServer *server;       /* (owned) */
  StasisDaemonSockets sockets;
  StasisReconnect *reconnect; /* (owned) (nullable) */
  StasisLock *lock;           /* (owned) */
  GMainLoop *loop;            /* (owned) */
  gint64 stop_by;             /* µs; 0: not stopping */
} Daemon;

static void
daemon_clear (Daemon *self)
{
  stasis_daemon_sockets_close (&self->sockets);
  stasis_reconnect_end (self->reconnect);
  stasis_server_free (self->server);
  g_clear_object (&self->driver);
  stasis_lock_release (self->lock);
  stasis_daemon_config_free (self->config);
  stasis_paths_free (self->paths);
  g_clear_pointer (&self->loop, g_main_loop_unref);
  g_free (self->options.config_path);
  g_free (self->options.socket_path);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Daemon, daemon_clear)

static gboolean
load_config (Daemon *self, GError **error)
{
  g_autofree char *by_default
      = g_build_filename (self->paths->config, STASIS_DAEMON_CONFIG_FILE, NULL);
  const char *path = self->options.config_path;
  StasisDaemonConfig *config
      = stasis_daemon_config_load (path != NULL ? path : by_default, path != NULL, error);
  if (config == NULL)
    return FALSE;
  if (self->options.is_verbose)
    {
      g_free (config->log_level);
      config->log_level = g_strdup ("debug");
    }
  stasis_daemon_config_free (self->config);
  self->config = config;
  return TRUE;
}

/* The folder is gone at boot, and so is the lock. */
static gboolean
take_lock (Daemon *self, GError **error)
{
  if (!stasis_paths_make (self->paths->run, error))
    return FALSE;
  g_autofree char *path = g_build_filename (self->paths->run, LOCK_FILE, NULL);
  g_autoptr (GError) local = NULL;
  self->lock = stasis_lock_take (path, FALSE, &local);
  if (self->lock != NULL)
    return TRUE;
  if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_BUSY))
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_BUSY,
                 _ ("another stasisd (process %1$d) serves the state directory of '%2$s'"),
                 stasis_lock_holder (path), self->paths->run);
  else
    g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/* Looking at each domain recovers what a dead driver left, and gives it a supervisor. */
static gboolean
adopt (Daemon *self, GError **error)
{
  g_autoptr (GPtrArray) domains = stasis_driver_list (self->driver, STASIS_LIST_ACTIVE, error);
  if (domains == NULL)
    return FALSE;
  for (guint i = 0; i < domains->len; i++)
    {
      StasisDomainState state;
      g_autoptr (GError) local = NULL;
      StasisDomain *domain = g_ptr_array_index (domains, i);
      if (!stasis_domain_get_state (domain, &state, NULL, &local))
        g_warning ("%s", local->message);
    }
  if (self->sockets.is_activated)
    g_message (_ ("serving %1$u running domains of '%2$s' at the sockets of systemd"), domains->len,
               self->paths->run);
  else
    g_message (_ ("serving %1$u running domains of '%2$s' at '%3$s'"), domains->len,
               self->paths->run, self->sockets.path);
  self->reconnect = stasis_reconnect_begin (domains);
  stasis_migrate_in_reopen_doors (self->driver);
  return TRUE;
}

/* Without it all is read anew for each call, and nobody hears of anything. */
static void
watch (Daemon *self, StasisDriver *driver)
{
  g_autoptr (GError) error = NULL;
  if (!stasis_server_watch (self->server, driver, &error))
    g_warning (_ ("there are no events, and calls are slow, until a reload finds otherwise: %s"),
               error->message);
}

static gboolean
on_poll_stop (gpointer data)
{
  Daemon *self = data;
  if (stasis_server_n_calls (self->server) > 0 && g_get_monotonic_time () < self->stop_by)
    return G_SOURCE_CONTINUE;
  g_main_loop_quit (self->loop);
  return G_SOURCE_REMOVE;
}

static gboolean
on_stop (gpointer data)
{
  Daemon *self = data;
  if (self->stop_by != 0)
    {
      self->stop_by = g_get_monotonic_time (); /* somebody is in a hurry */
      return G_SOURCE_CONTINUE;
    }
  /* The service manager is to have more patience than we have. */
  g_autofree char *state = g_strdup_printf (
      "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" G_GUINT64_FORMAT,
      (guint64) (self->config->shutdown_timeout + STOP_MARGIN_S) * G_USEC_PER_SEC);
  stasis_daemon_notify (state);
  stasis_server_stop (self->server);
  self->stop_by
      = g_get_monotonic_time () + (gint64) self->config->shutdown_timeout * G_USEC_PER_SEC;
  g_timeout_add (STOP_POLL_MS, on_poll_stop, self);
  return G_SOURCE_CONTINUE;
}

/* What can be changed while connections stand: what is said, and the limits of new calls. */
static gboolean
on_reload (gpointer data)
{
  Daemon *self = data;
  g_autoptr (GError) error = NULL;
  stasis_daemon_notify ("RELOADING=1");
  g_autoptr (StasisDriver) driver
      = stasis_driver_open (stasis_driver_get_uri (self->driver), NULL, &error);
  if (driver == NULL || !load_config (self, &error))
    g_warning (_ ("the configuration stays as it was: %s"), error->message);
  else
    {
      stasis_daemon_log_set_up (self->config);
      watch (self, driver);
      stasis_server_reload (self->server, driver, &self->config->server);
      g_set_object (&self->driver, driver);
      stasis_migrate_in_reopen_doors (driver);
      g_message (_ ("the configuration was read anew"));
    }
  stasis_daemon_notify ("READY=1");
  return G_SOURCE_CONTINUE;
}

/* Each connection is a descriptor, and each call a few. */
static void
raise_limits (void)
{
  struct rlimit limit;
  if (getrlimit (RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max)
    {
      limit.rlim_cur = limit.rlim_max;
      setrlimit (RLIMIT_NOFILE, &limit);
    }
}

/* Before anybody can know of us: nobody's signal is to end us in passing.  They are looked at once
 * the loop runs. */
static void
watch_signals (Daemon *self)
{
  self->loop = g_main_loop_new (NULL, FALSE);
  signal (SIGPIPE, SIG_IGN);
  g_unix_signal_add (SIGTERM, on_stop, self);
  g_unix_signal_add (SIGINT, on_stop, self);
  g_unix_signal_add (SIGHUP, on_reload, self);
}

static gboolean
set_up (Daemon *self, GError **error)
{
  if (!load_config (self, error))
    return FALSE;
  stasis_daemon_log_set_up (self->config);
  raise_limits ();
  if (!take_lock (self, error))
    return FALSE;
  self->driver = stasis_driver_open (
      self->options.is_session ? "stasis:///session" : "stasis:///system", NULL, error);
  if (self->driver == NULL)
    return FALSE;
  self->server = stasis_server_new (self->driver, &self->config->server);
  watch_signals (self);
  g_autofree char *path = self->options.socket_path != NULL
                              ? g_canonicalize_filename (self->options.socket_path, NULL)
                              : stasis_daemon_sockets_path (self->paths, self->config->folder);
  const gint64 uid = self->paths->is_system ? -1 : (gint64) geteuid ();
  if (!stasis_daemon_sockets_open (&self->sockets, path, self->config, self->server, uid, error))
    return FALSE;
  watch (self, self->driver);
  return adopt (self, error);
}

static int
run (Daemon *self)
{
  stasis_daemon_notify ("READY=1");
  g_main_loop_run (self->loop);
  const guint n_calls = stasis_server_n_calls (self->server);
  if (n_calls == 0)
    return EXIT_SUCCESS;
  /* The supervisors undo or finish what these threads are at, as soon as we are gone. */
  g_message (_ ("%u calls are left to be recovered"), n_calls);
  stasis_daemon_sockets_close (&self->sockets);
  _exit (EXIT_SUCCESS);
}

static gboolean
parse_options (Options *options, int *argc, char ***argv, GError **error)
{
  const GOptionEntry entries[] = {
    { "config", 'f', 0, G_OPTION_ARG_FILENAME, &options->config_path,
      N_ ("Read this instead of stasisd.conf"), N_ ("FILE") },
    { "socket", 's', 0, G_OPTION_ARG_FILENAME, &options->socket_path,
      N_ ("Listen there, and for those who may only read at PATH-ro"), N_ ("PATH") },
    { "session", 0, 0, G_OPTION_ARG_NONE, &options->is_session,
      N_ ("Serve this user's domains (the default, unless run by root)"), NULL },
    { "system", 0, 0, G_OPTION_ARG_NONE, &options->is_system,
      N_ ("Serve the host's domains (root's default)"), NULL },
    { "check-config", 0, 0, G_OPTION_ARG_NONE, &options->wants_check,
      N_ ("Read the configuration, say what is wrong with it, and leave"), NULL },
    { "verbose", 'v', 0, G_OPTION_ARG_NONE, &options->is_verbose, N_ ("Say everything"), NULL },
    { "version", 'V', 0, G_OPTION_ARG_NONE, &options->wants_version,
      N_ ("Print the version and leave"), NULL },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_option_context_set_summary (context, _ ("Serve libvirt's clients, such as virsh."));
  g_option_context_add_main_entries (context, entries, GETTEXT_PACKAGE);
  if (!g_option_context_parse (context, argc, argv, error))
    return FALSE;
  if (*argc > 1)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                   _ ("'%s' is too much: there are only options"), (*argv)[1]);
      return FALSE;
    }
  if (options->is_session && options->is_system)
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                           _ ("--session and --system exclude each other"));
      return FALSE;
    }
  options->is_session = options->is_session || (!options->is_system && geteuid () != 0);
  return TRUE;
}

int
main (int argc, char *argv[])
{
  g_auto (Daemon) self = { .lock = NULL };
  g_autoptr (GError) error = NULL;
  setlocale (LC_ALL, "");
  if (!parse_options (&self.options, &argc, &argv, &error))
    {
      fprintf (stderr, "stasisd: %s\n", error->message);
      return 2;
    }
  if (self.options.wants_version)
    {
      printf ("stasisd %s\n", stasis_version ());
      return EXIT_SUCCESS;
    }
  self.paths = stasis_paths_new (!self.options.is_session);
  if (self.options.wants_check ? load_config (&self, &error) : set_up (&self, &error))
    return self.options.wants_check ? EXIT_SUCCESS : run (&self);
  fprintf (stderr, "stasisd: %s\n", error->message);
  return EXIT_FAILURE;
}
