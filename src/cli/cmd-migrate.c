/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-migrate.c: migrate
 *
 * Names and meanings of the options are virsh's.  What does not go together, and what numbers make
 * sense, is for the library to say: it is asked by other clients, too.
 */

#include "config.h"

#include <stdio.h>
#include <string.h>

#include <glib/gi18n.h>

#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/converge.h"
#include "cli/input.h"
#include "cli/job.h"
#include "cli/migrate-check.h"
#include "cli/migrate-report.h"
#include "cli/migrate-timer.h"
#include "cli/progress.h"
#include "util/atomic-file.h"

static const struct
{
  const char *option;
  guint flag;
} flags_of[] = {
  { "live", STASIS_MIGRATE_LIVE },
  { "offline", STASIS_MIGRATE_OFFLINE },
  { "p2p", STASIS_MIGRATE_P2P },
  { "tunnelled", STASIS_MIGRATE_TUNNELLED },
  { "persistent", STASIS_MIGRATE_PERSIST_DEST },
  { "undefinesource", STASIS_MIGRATE_UNDEFINE_SOURCE },
  { "suspend", STASIS_MIGRATE_PAUSED },
  { "copy-storage-all", STASIS_MIGRATE_COPY_STORAGE_ALL },
  { "copy-storage-inc", STASIS_MIGRATE_COPY_STORAGE_INC },
  { "copy-storage-synchronous-writes", STASIS_MIGRATE_SYNC_WRITES },
  { "change-protection", STASIS_MIGRATE_CHANGE_PROTECTION },
  { "unsafe", STASIS_MIGRATE_UNSAFE },
  { "compressed", STASIS_MIGRATE_COMPRESSED },
  { "auto-converge", STASIS_MIGRATE_AUTO_CONVERGE },
  { "rdma-pin-all", STASIS_MIGRATE_RDMA_PIN_ALL },
  { "abort-on-error", STASIS_MIGRATE_ABORT_ON_ERROR },
  { "postcopy", STASIS_MIGRATE_POSTCOPY },
  { "postcopy-resume", STASIS_MIGRATE_POSTCOPY_RESUME },
  { "zerocopy", STASIS_MIGRATE_ZEROCOPY },
  { "tls", STASIS_MIGRATE_TLS },
  { "parallel", STASIS_MIGRATE_PARALLEL },
};

static const struct
{
  const char *option;
  gsize offset;
} strings_of[] = {
  { "migrateuri", G_STRUCT_OFFSET (StasisMigrateRequest, uri) },
  { "graphicsuri", G_STRUCT_OFFSET (StasisMigrateRequest, graphics_uri) },
  { "listen-address", G_STRUCT_OFFSET (StasisMigrateRequest, listen_address) },
  { "dname", G_STRUCT_OFFSET (StasisMigrateRequest, dname) },
  { "disks-uri", G_STRUCT_OFFSET (StasisMigrateRequest, disks_uri) },
  { "tls-destination", G_STRUCT_OFFSET (StasisMigrateRequest, tls_destination) },
};

static const struct
{
  const char *option;
  gsize offset;
} lists_of[] = {
  { "migrate-disks", G_STRUCT_OFFSET (StasisMigrateRequest, disks) },
  { "migrate-disks-detect-zeroes", G_STRUCT_OFFSET (StasisMigrateRequest, disks_detect_zeroes) },
  { "comp-methods", G_STRUCT_OFFSET (StasisMigrateRequest, compression) },
};

static const struct
{
  const char *option;
  gsize offset;
} amounts_of[] = {
  { "bandwidth", G_STRUCT_OFFSET (StasisMigrateRequest, bandwidth) },
  { "postcopy-bandwidth", G_STRUCT_OFFSET (StasisMigrateRequest, postcopy_bandwidth) },
  { "available-switchover-bandwidth",
    G_STRUCT_OFFSET (StasisMigrateRequest, switchover_bandwidth) },
  { "comp-xbzrle-cache", G_STRUCT_OFFSET (StasisMigrateRequest, xbzrle_cache) },
};

static const struct
{
  const char *option;
  gsize offset;
} numbers_of[] = {
  { "disks-port", G_STRUCT_OFFSET (StasisMigrateRequest, disks_port) },
  { "comp-mt-level", G_STRUCT_OFFSET (StasisMigrateRequest, comp_mt_level) },
  { "comp-mt-threads", G_STRUCT_OFFSET (StasisMigrateRequest, comp_mt_threads) },
  { "comp-mt-dthreads", G_STRUCT_OFFSET (StasisMigrateRequest, comp_mt_dthreads) },
  { "comp-zlib-level", G_STRUCT_OFFSET (StasisMigrateRequest, zlib_level) },
  { "comp-zstd-level", G_STRUCT_OFFSET (StasisMigrateRequest, zstd_level) },
  { "auto-converge-initial", G_STRUCT_OFFSET (StasisMigrateRequest, auto_converge_initial) },
  { "auto-converge-increment", G_STRUCT_OFFSET (StasisMigrateRequest, auto_converge_increment) },
  { "parallel-connections", G_STRUCT_OFFSET (StasisMigrateRequest, parallel_connections) },
};

/* What nobody carries out, and why. */
static const struct
{
  const char *option;
  const char *why;
} refused[] = {
  { "direct", N_ ("--direct is not supported: QEMU has nobody to talk to but a driver") },
};

#define TIMEOUT_MAX (365u * 24 * 3600)

static gboolean
check_refused (const StasisCliArgs *args, GError **error)
{
  for (guint i = 0; i < G_N_ELEMENTS (refused); i++)
    if (stasis_cli_args_has (args, refused[i].option))
      {
        g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED, _ (refused[i].why));
        return FALSE;
      }
  return TRUE;
}

/* FALSE where it is no number up to @max; *@out is as it was where it was not given. */
static gboolean
get_number (const StasisCliArgs *args, const char *option, guint64 max, guint64 *out,
            GError **error)
{
  const char *text = stasis_cli_args_get (args, option);
  if (text == NULL || g_ascii_string_to_unsigned (text, 10, 0, max, out, NULL))
    return TRUE;
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
               _ ("Numeric value '%1$s' for <%2$s> option is malformed or out of range"), text,
               option);
  return FALSE;
}

static gboolean
get_numbers (const StasisCliArgs *args, StasisMigrateRequest *request, GError **error)
{
  for (guint i = 0; i < G_N_ELEMENTS (amounts_of); i++)
    if (!get_number (args, amounts_of[i].option, G_MAXUINT64,
                     G_STRUCT_MEMBER_P (request, amounts_of[i].offset), error))
      return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (numbers_of); i++)
    {
      guint64 value = 0;
      if (!get_number (args, numbers_of[i].option, G_MAXINT, &value, error))
        return FALSE;
      if (stasis_cli_args_has (args, numbers_of[i].option))
        G_STRUCT_MEMBER (gint, request, numbers_of[i].offset) = (gint) value;
    }
  return TRUE;
}

/* (transfer full): all that was chosen. */
static StasisMigrateRequest *
get_request (const StasisCliArgs *args, GError **error)
{
  g_autoptr (StasisMigrateRequest) request = stasis_migrate_request_new ();
  for (guint i = 0; i < G_N_ELEMENTS (strings_of); i++)
    G_STRUCT_MEMBER (char *, request, strings_of[i].offset)
        = g_strdup (stasis_cli_args_get (args, strings_of[i].option));
  for (guint i = 0; i < G_N_ELEMENTS (lists_of); i++)
    {
      const char *list = stasis_cli_args_get (args, lists_of[i].option);
      if (list != NULL)
        G_STRUCT_MEMBER (char **, request, lists_of[i].offset) = g_strsplit (list, ",", -1);
    }
  request->postcopy_passes = stasis_cli_args_has (args, "postcopy-after-precopy") ? 1 : 0;
  if (!get_numbers (args, request, error)
      || !stasis_cli_read_optional (stasis_cli_args_get (args, "xml"), &request->xml, error)
      || !stasis_cli_read_optional (stasis_cli_args_get (args, "persistent-xml"),
                                    &request->persistent_xml, error))
    return NULL;
  return g_steal_pointer (&request);
}

static void
print_stats (StasisCli *cli, const StasisCliJob *job, StasisDomain *domain, const char *dest_uri)
{
  StasisJson *object = stasis_cli_job_to_json (job);
  stasis_json_set_string (object, "domain", stasis_domain_get_name (domain));
  stasis_json_set_string (object, "uuid", stasis_domain_get_uuid (domain));
  stasis_json_set_string (object, "destination", dest_uri);
  stasis_cli_print_json (cli, object);
}

/* One that was cancelled is told in one line. */
static gboolean
migrate_failed (StasisCli *cli, const StasisCliArgs *args, StasisCliJob *job, StasisDomain *domain,
                GError *failure_take, GError **error)
{
  g_autoptr (GError) failure = failure_take;
  stasis_cli_job_end (job, failure);
  if (stasis_cli_args_has (args, "json") && stasis_cli_job_has_begun (job))
    print_stats (cli, job, domain, stasis_cli_args_get (args, "desturi"));
  if (!g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  StasisDomainState state = STASIS_DOMAIN_NOSTATE;
  const gboolean is_known = stasis_domain_get_state (domain, &state, NULL, NULL);
  g_clear_pointer (&cli->doing, g_free);
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED,
               _ ("migration of domain '%1$s' cancelled: the domain is %2$s here"),
               stasis_domain_get_name (domain),
               is_known ? _ (stasis_domain_state_to_string (state)) : _ ("as before"));
  return FALSE;
}

/* What hears of the job. */
typedef struct
{
  StasisCliProgress *progress; /* (borrowed) */
  StasisMigrateFlags flags;
  gboolean tells; /* where it does not come to an end */
  StasisCliConverge converge;
  StasisCliReport *report; /* (owned) (nullable) */
} Watch;

static void
on_progress (const StasisJobStats *stats, gpointer data)
{
  Watch *watch = data;
  stasis_cli_progress_update (stats, watch->progress);
  if (watch->report != NULL)
    stasis_cli_report_add (watch->report, stats);
  g_autofree char *text
      = watch->tells ? stasis_cli_converge_look (&watch->converge, stats, watch->flags) : NULL;
  if (text != NULL)
    stasis_cli_progress_message (watch->progress, text);
}

/* Complete, or not at all; the migration is what it is. */
static void
write_report (const StasisCliArgs *args, const Watch *watch, const GError *failure)
{
  const char *path = stasis_cli_args_get (args, "report");
  g_autoptr (GError) error = NULL;
  if (watch->report == NULL)
    return;
  g_autofree char *svg = stasis_cli_report_draw (watch->report, failure);
  if (!stasis_atomic_file_write (path, svg, strlen (svg), 0666, &error))
    fprintf (stderr, _ ("warning: no report: %s\n"), error->message);
}

/* What the source knows of its end; the destination, where it knows the domain no more. */
static StasisJobStats *
ask_end (StasisDomain *domain, StasisDriver *destination, const char *name)
{
  StasisJobStats *stats = stasis_domain_get_job (domain, TRUE, NULL);
  if (stats != NULL || destination == NULL)
    return stats;
  g_autoptr (StasisDomain) there = stasis_driver_lookup_by_name (destination, name, NULL);
  return there != NULL ? stasis_domain_get_job (there, TRUE, NULL) : NULL;
}

/* The job has ended with the last step, when nobody told of it any more: so it is asked for. */
static void
tell_end (StasisDomain *domain, StasisDriver *destination, const StasisMigrateRequest *request,
          Watch *watch)
{
  const char *name = request->dname != NULL ? request->dname : stasis_domain_get_name (domain);
  const StasisJobStats *last = stasis_cli_progress_last (watch->progress);
  if (last == NULL || (watch->flags & STASIS_MIGRATE_OFFLINE) != 0)
    return;
  g_autoptr (StasisJobStats) end = ask_end (domain, destination, name);
  if (end == NULL || end->state != STASIS_JOB_COMPLETED)
    return;
  g_autoptr (StasisJobStats) stats
      = stasis_job_stats_copy (g_strcmp0 (end->operation, last->operation) == 0 ? end : last);
  stats->state = STASIS_JOB_COMPLETED;
  stats->pause_us = end->pause_us;
  on_progress (stats, watch);
}

/* With --p2p the destination's URI is as the source sees it. */
static gboolean
migrate (StasisDomain *domain, const char *dest_uri, const StasisMigrateRequest *request,
         Watch *watch, GCancellable *cancellable, GError **error)
{
  if ((watch->flags & STASIS_MIGRATE_P2P) != 0)
    {
      if (!stasis_domain_migrate (domain, dest_uri, watch->flags, request, on_progress, watch,
                                  cancellable, error))
        return FALSE;
      tell_end (domain, NULL, request, watch);
      return TRUE;
    }
  g_autoptr (StasisDriver) destination
      = stasis_driver_open_with (dest_uri, STASIS_OPEN_NONE, stasis_cli_ask (), cancellable, error);
  if (destination == NULL)
    {
      g_prefix_error (error, _ ("connecting to %s: "), dest_uri);
      return FALSE;
    }
  if (!stasis_domain_migrate_to (domain, destination, watch->flags, request, on_progress, watch,
                                 cancellable, error))
    return FALSE;
  tell_end (domain, destination, request, watch);
  return TRUE;
}

static gboolean
watch_migration (StasisDomain *domain, const StasisCliArgs *args, guint flags,
                 const StasisMigrateRequest *request, guint64 timeout, StasisCliJob *job,
                 GError **error)
{
  const char *dest_uri = stasis_cli_args_get (args, "desturi");
  GError *failure = NULL;
  Watch watch = {
    .progress = stasis_cli_job_progress (job),
    .flags = (StasisMigrateFlags) flags,
    .tells = stasis_cli_args_has (args, "verbose") && !stasis_cli_args_has (args, "json"),
    .report = stasis_cli_args_has (args, "report")
                  ? stasis_cli_report_new (stasis_domain_get_name (domain), dest_uri)
                  : NULL,
  };
  StasisCliTimer *timer
      = timeout > 0 ? stasis_cli_timer_begin (domain, (guint) timeout, watch.progress) : NULL;
  const gboolean ok
      = migrate (domain, dest_uri, request, &watch, stasis_cli_job_cancellable (job), &failure);
  stasis_cli_timer_end (timer);
  write_report (args, &watch, failure);
  stasis_cli_report_free (watch.report);
  if (!ok)
    g_propagate_error (error, failure);
  return ok;
}

static gboolean
migrate_domain (StasisCli *cli, const StasisCliArgs *args, guint flags,
                const StasisMigrateRequest *request, guint64 timeout, GError **error)
{
  const char *dest_uri = stasis_cli_args_get (args, "desturi");
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;
  stasis_cli_doing (cli, _ ("failed to migrate domain '%1$s'"), stasis_domain_get_name (domain));
  g_autoptr (StasisCliJob) job = stasis_cli_job_begin (
      cli, _ ("Migration"), _ ("cancelling the migration: the domain goes on here"),
      stasis_cli_args_has (args, "verbose"), stasis_cli_args_has (args, "json"));
  GError *failure = NULL;
  if (!watch_migration (domain, args, flags, request, timeout, job, &failure))
    return migrate_failed (cli, args, job, domain, failure, error);
  stasis_cli_job_end (job, NULL);
  if (stasis_cli_args_has (args, "json"))
    print_stats (cli, job, domain, dest_uri);
  else
    stasis_cli_say (cli, _ ("Domain '%1$s' migrated to %2$s\n"), stasis_domain_get_name (domain),
                    dest_uri);
  return TRUE;
}

static gboolean
throw_timeout (const char *what, GError **error)
{
  g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, what);
  return FALSE;
}

/* 0: none. */
static gboolean
get_timeout (const StasisCliArgs *args, guint64 *out, GError **error)
{
  *out = 0;
  if (!stasis_cli_args_has (args, "timeout"))
    return (!stasis_cli_args_has (args, "timeout-suspend")
            && !stasis_cli_args_has (args, "timeout-postcopy"))
           || throw_timeout (_ ("migrate: Unexpected --timeout-* option without --timeout"), error);
  if (!get_number (args, "timeout", TIMEOUT_MAX, out, error))
    return FALSE;
  if (*out == 0)
    return throw_timeout (_ ("migrate: --timeout takes a number of seconds"), error);
  if (stasis_cli_args_has (args, "timeout-suspend")
      && stasis_cli_args_has (args, "timeout-postcopy"))
    return throw_timeout (
        _ ("migrate: --timeout-suspend and --timeout-postcopy exclude each other"), error);
  return stasis_cli_args_has (args, "live")
         || throw_timeout (_ ("migrate: Unexpected timeout for offline migration"), error);
}

static gboolean
run_migrate (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  guint flags = 0;
  guint64 timeout;
  for (guint i = 0; i < G_N_ELEMENTS (flags_of); i++)
    stasis_cli_args_flag (args, flags_of[i].option, flags_of[i].flag, &flags);
  if (!check_refused (args, error) || !get_timeout (args, &timeout, error))
    return FALSE;
  g_autoptr (StasisMigrateRequest) request = get_request (args, error);
  if (request == NULL)
    return FALSE;
  if (stasis_cli_args_has (args, "timeout-postcopy"))
    {
      /* The source does that by itself. */
      request->postcopy_after_ms = timeout * 1000;
      timeout = 0;
    }
  return stasis_cli_args_has (args, "check")
             ? stasis_cli_check_migrate (cli, args, flags, request, error)
             : migrate_domain (cli, args, flags, request, timeout, error);
}

#define FLAG(name, help) \
  { \
    name, STASIS_CLI_FLAG, NULL, help \
  }
#define NAMED(name, value, help) \
  { \
    name, STASIS_CLI_NAMED, value, help \
  }

static const StasisCliOption migrate_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "desturi", STASIS_CLI_NEEDED, "uri",
    N_ ("the destination as the client reaches it; with --p2p, as the source does") },
  { "migrateuri", STASIS_CLI_STRING, "uri", N_ ("where the state is sent to: tcp:HOST[:PORT]") },
  { "graphicsuri", STASIS_CLI_STRING, "uri", N_ ("where clients of the display are sent to") },
  { "listen-address", STASIS_CLI_STRING, "address", N_ ("where the destination listens") },
  { "dname", STASIS_CLI_STRING, "name", N_ ("the domain's name at the destination") },
  FLAG ("live", N_ ("the guest runs while its memory is sent")),
  FLAG ("offline", N_ ("the definition alone, of a domain that does not run")),
  FLAG ("p2p", N_ ("the source talks to the destination itself")),
  FLAG ("direct", N_ ("refused: only QEMUs that talk to each other by themselves could")),
  FLAG ("tunnelled", N_ ("through the connection of --p2p, by ssh or a socket")),
  FLAG ("persistent", N_ ("define the domain at the destination")),
  FLAG ("undefinesource", N_ ("undefine it here, once it has left")),
  FLAG ("suspend", N_ ("leave it paused at the destination")),
  FLAG ("copy-storage-all", N_ ("copy its disks")),
  FLAG ("copy-storage-inc", N_ ("copy the top of its disks")),
  FLAG ("copy-storage-synchronous-writes", N_ ("while disks are copied, write at both ends")),
  FLAG ("change-protection", N_ ("nobody changes it meanwhile: so it is always")),
  FLAG ("unsafe", N_ ("even where a disk may be another one at the destination")),
  FLAG ("verbose", N_ ("display the progress of migration")),
  FLAG ("compressed", N_ ("compress what is sent")),
  FLAG ("auto-converge", N_ ("slow the guest down where it writes faster than is sent")),
  FLAG ("rdma-pin-all", N_ ("refused: there is no RDMA")),
  FLAG ("abort-on-error", N_ ("give up where a disk has an error")),
  FLAG ("postcopy", N_ ("it may go on there before all of its memory is there")),
  FLAG ("postcopy-after-precopy", N_ ("... after one pass over its memory, by itself")),
  FLAG ("postcopy-resume", N_ ("go on with a post-copy whose network broke")),
  FLAG ("zerocopy", N_ ("the kernel sends pages from where they are")),
  NAMED ("timeout", "seconds", N_ ("do something after that time: pause the guest")),
  FLAG ("timeout-suspend", N_ ("... which is what it does, if nothing else is said")),
  FLAG ("timeout-postcopy", N_ ("... switch to post-copy")),
  NAMED ("xml", "file", N_ ("filename containing updated XML for the target")),
  NAMED ("migrate-disks", "targets", N_ ("copy these only: vda,vdb")),
  NAMED ("migrate-disks-detect-zeroes", "targets", N_ ("leave out the zeros of these")),
  NAMED ("disks-port", "port", N_ ("where the destination listens for disks")),
  NAMED ("disks-uri", "uri", N_ ("where disks are sent to")),
  NAMED ("comp-methods", "methods", N_ ("xbzrle, mt; with --parallel zstd or zlib")),
  NAMED ("comp-mt-level", "number", N_ ("level of compression by threads, 0 to 9")),
  NAMED ("comp-mt-threads", "number", N_ ("its threads here")),
  NAMED ("comp-mt-dthreads", "number", N_ ("its threads at the destination")),
  NAMED ("comp-xbzrle-cache", "bytes", N_ ("size of the cache of xbzrle")),
  NAMED ("comp-zlib-level", "number", N_ ("0 to 9")),
  NAMED ("comp-zstd-level", "number", N_ ("0 to 20")),
  NAMED ("auto-converge-initial", "percent", N_ ("how much the guest is slowed down at first")),
  NAMED ("auto-converge-increment", "percent", N_ ("and how much more each time")),
  NAMED ("persistent-xml", "file", N_ ("filename of the persistent definition for the target")),
  FLAG ("tls", N_ ("QEMU encrypts what is sent")),
  NAMED ("tls-destination", "name", N_ ("whom the destination's certificate has to name")),
  NAMED ("bandwidth", "mib", N_ ("send at most that many MiB in a second")),
  NAMED ("postcopy-bandwidth", "mib", N_ ("the same, of post-copy")),
  NAMED ("available-switchover-bandwidth", "mib", N_ ("what is expected while it stands still")),
  FLAG ("parallel", N_ ("over several connections")),
  NAMED ("parallel-connections", "number", N_ ("over so many")),
  FLAG ("check", N_ ("only look whether it could, and what stands against it; move nothing")),
  NAMED ("report", "file", N_ ("draw how it went, as SVG")),
  FLAG ("json", N_ ("print final statistics as JSON")),
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_migrate = {
  .name = "migrate",
  .group = STASIS_CLI_GROUP_STATE,
  .summary = N_ ("migrate domain to another host"),
  .description = N_ ("Migrate a domain to another host. With --live it runs meanwhile. There are\n"
                     "never two copies that run: where it fails, the domain goes on here; where\n"
                     "nobody can tell which host has it, it stays paused here until the\n"
                     "destination can be asked. Ctrl-C cancels."),
  .options = migrate_options,
  .writes = TRUE,
  .run = run_migrate,
};
