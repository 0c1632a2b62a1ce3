/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-save.c: save, checkpoint, managedsave
 */

#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/job.h"
#include "cli/progress.h"

/* How it ends with its image; a checkpoint has none of these. */
static gboolean
live_flags (const StasisCliArgs *args, guint *flags, GError **error)
{
  stasis_cli_args_flag (args, "bypass-cache", STASIS_SAVE_BYPASS_CACHE, flags);
  stasis_cli_args_flag (args, "live", STASIS_SAVE_LIVE, flags);
  stasis_cli_args_flag (args, "still", STASIS_SAVE_STILL, flags);
  return stasis_cli_args_exclusive (args, "live", "still", error);
}

static gboolean
save_flags (const StasisCliArgs *args, guint *out_flags, GError **error)
{
  if (!stasis_cli_args_exclusive (args, "running", "paused", error))
    return FALSE;

  guint flags = STASIS_SAVE_NONE;
  stasis_cli_args_flag (args, "running", STASIS_SAVE_RUNNING, &flags);
  stasis_cli_args_flag (args, "paused", STASIS_SAVE_PAUSED, &flags);
  stasis_cli_args_flag (args, "quiesce", STASIS_SAVE_QUIESCE, &flags);
  *out_flags = flags;
  return TRUE;
}

static StasisCliJob *
begin_save (StasisCli *cli, const StasisCliArgs *args)
{
  return stasis_cli_job_begin (
      cli, _ ("Save"), _ ("cancelling the save: the domain goes on as before"),
      stasis_cli_args_has (args, "verbose"), stasis_cli_args_has (args, "json"));
}

/* A cancelled save is told in one line, with what became of the domain. */
static gboolean
throw_cancelled (StasisCli *cli, StasisDomain *domain, GError **error)
{
  const char *name = stasis_domain_get_name (domain);
  StasisDomainState state = STASIS_DOMAIN_NOSTATE;
  const gboolean known = stasis_domain_get_state (domain, &state, NULL, NULL);
  g_clear_pointer (&cli->doing, g_free);
  if (!known)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED,
                 _ ("save of domain '%s' cancelled: the domain is as before"), name);
  else if (state == STASIS_DOMAIN_RUNNING)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED,
                 _ ("save of domain '%1$s' cancelled: the domain runs on"), name);
  else
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED,
                 _ ("save of domain '%1$s' cancelled: the domain is %2$s, as before"), name,
                 _ (stasis_domain_state_to_string (state)));
  return FALSE;
}

static void
print_stats (StasisCli *cli, const StasisCliJob *job, StasisDomain *domain, const char *path)
{
  StasisJson *object = stasis_cli_job_to_json (job);
  stasis_json_set_string (object, "domain", stasis_domain_get_name (domain));
  stasis_json_set_string (object, "uuid", stasis_domain_get_uuid (domain));
  if (path != NULL)
    stasis_json_set_string (object, "file", path);
  stasis_cli_print_json (cli, object);
}

/* The end of a save that failed. */
static gboolean
save_failed (StasisCli *cli, const StasisCliArgs *args, StasisCliJob *job, StasisDomain *domain,
             const char *path, GError *failure_take, GError **error)
{
  g_autoptr (GError) failure = failure_take;
  stasis_cli_job_end (job, failure);
  if (stasis_cli_args_has (args, "json") && stasis_cli_job_has_begun (job))
    print_stats (cli, job, domain, path);
  if (g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return throw_cancelled (cli, domain, error);
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

/* Where the image goes. */
typedef struct
{
  const char *name;   /* (borrowed) as the user gave it */
  char *path;         /* (owned) (nullable) */
  int fd;             /* where there is no path */
  char *fd_name;      /* (owned) (nullable) */
  gboolean is_stdout; /* which then belongs to the image alone */
} Target;

static void
target_clear (Target *target)
{
  g_free (target->path);
  g_free (target->fd_name);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Target, target_clear)

/* TRUE where the path leads to what standard output is, "/dev/stdout" among others. */
static gboolean
is_standard_output (const char *path)
{
  struct stat file, output;
  return stat (path, &file) == 0 && fstat (STDOUT_FILENO, &output) == 0
         && file.st_dev == output.st_dev && file.st_ino == output.st_ino;
}

static gboolean
parse_fd (const char *text, int *out_fd, GError **error)
{
  guint64 fd;
  if (!g_ascii_string_to_unsigned (text, 10, 0, G_MAXINT, &fd, NULL))
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                   _ ("'%1$s' is no number of a file descriptor"), text);
      return FALSE;
    }
  *out_fd = (int) fd;
  return TRUE;
}

/* Before anything else is opened, which would take the number. */
static gboolean
check_open (const Target *target, GError **error)
{
  if (fcntl (target->fd, F_GETFD) >= 0)
    return TRUE;
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
               target->is_stdout ? _ ("%s is closed") : _ ("%s is not open"), target->fd_name);
  return FALSE;
}

/* @fd: (nullable): a number */
static gboolean
target_init (Target *target, const StasisCli *cli, const StasisCliArgs *args, const char *fd,
             GError **error)
{
  const char *file = stasis_cli_args_get (args, "file");
  if (file == NULL && fd == NULL)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                   _ ("command '%1$s' requires <%2$s> option"), "save", "file");
      return FALSE;
    }
  target->name = file != NULL ? file : fd;
  if (fd != NULL && !parse_fd (fd, &target->fd, error))
    return FALSE;
  if (file != NULL && g_str_equal (file, "-"))
    target->fd = STDOUT_FILENO;
  else if (file != NULL)
    {
      target->path = stasis_cli_image_path (cli, file, error);
      target->is_stdout = target->path != NULL && is_standard_output (target->path);
      return target->path != NULL;
    }
  target->is_stdout = target->fd == STDOUT_FILENO;
  target->fd_name = target->is_stdout ? g_strdup (_ ("standard output"))
                                      : g_strdup_printf (_ ("file descriptor %d"), target->fd);
  return check_open (target, error);
}

/* A weaker kind than our own is written for those who need it, not by accident. */
typedef struct
{
  StasisCliProgress *progress; /* (borrowed) */
  char *warning;               /* (owned) (nullable) once it was said */
} Begun;

static void
begun_clear (Begun *begun)
{
  g_free (begun->warning);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Begun, begun_clear)

static Begun
begun_init (const StasisCli *cli, StasisCliJob *job, const char *format)
{
  const char *weakness = format != NULL ? stasis_image_format_get_weakness (format) : NULL;
  Begun begun = { .progress = stasis_cli_job_progress (job) };
  if (weakness != NULL && !cli->quiet)
    begun.warning = g_strdup_printf (_ ("warning: %s"), weakness);
  return begun;
}

/* How QEMU is to write is chosen once nobody has said no: from then on there is what to warn of. */
static void
on_progress (const StasisJobStats *stats, gpointer user_data)
{
  Begun *begun = user_data;
  if (stats->engine != NULL && begun->warning != NULL)
    {
      stasis_cli_progress_message (begun->progress, begun->warning);
      g_clear_pointer (&begun->warning, g_free);
    }
  stasis_cli_progress_update (stats, begun->progress);
}

/* Nothing but the image may go to standard output. */
static void
tell_saved (StasisCli *cli, const StasisCliArgs *args, const Target *target,
            const StasisCliJob *job, StasisDomain *domain)
{
  const char *name = stasis_domain_get_name (domain);
  const char *where = target->fd_name != NULL ? target->fd_name : target->name;
  if (target->is_stdout)
    {
      if (!cli->quiet)
        fprintf (stderr, _ ("Domain '%1$s' saved to %2$s\n"), name, where);
    }
  else if (stasis_cli_args_has (args, "json"))
    print_stats (cli, job, domain, target->path);
  else
    {
      stasis_cli_say (cli, _ ("Domain '%1$s' saved to %2$s\n"), name, where);
      stasis_cli_job_say_disks (cli, job);
    }
}

static gboolean
check_output (const StasisCliArgs *args, const Target *target, GError **error)
{
  if (!target->is_stdout || !stasis_cli_args_has (args, "json"))
    return TRUE;
  g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                       _ ("--json prints to standard output, where the image goes"));
  return FALSE;
}

/* @request: as far as the command's options say. */
static gboolean
save_to (StasisCli *cli, const StasisCliArgs *args, const Target *target,
         StasisSaveRequest *request, StasisDomain *domain, GError **error)
{
  g_autofree char *xml = NULL;
  if (!stasis_cli_read_optional (stasis_cli_args_get (args, "xml"), &xml, error))
    return FALSE;
  request->path = target->path;
  request->fd = target->fd;
  request->fd_name = target->fd_name;
  request->xml = xml;
  g_autoptr (StasisCliJob) job = begin_save (cli, args);
  g_auto (Begun) begun = begun_init (cli, job, request->format);
  cli->json = cli->json || target->is_stdout; /* no empty line behind the image */
  GError *failure = NULL;
  if (!stasis_domain_save_as (domain, request, on_progress, &begun,
                              stasis_cli_job_cancellable (job), &failure))
    return save_failed (cli, args, job, domain, target->path, failure, error);
  stasis_cli_job_end (job, NULL);
  tell_saved (cli, args, target, job, domain);
  return TRUE;
}

static gboolean
save_domain (StasisCli *cli, const StasisCliArgs *args, const char *fd, StasisSaveRequest *request,
             GError **error)
{
  g_auto (Target) target = { .fd = -1 };
  if (!target_init (&target, cli, args, fd, error) || !check_output (args, &target, error))
    return FALSE;
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;
  stasis_cli_doing (cli, _ ("failed to save domain '%1$s' to %2$s"),
                    stasis_domain_get_name (domain), target.name);
  return save_to (cli, args, &target, request, domain, error);
}

/* --base alone says what is wanted. */
static gboolean
take_base (const StasisCli *cli, const StasisCliArgs *args, guint *flags, char **out_base,
           GError **error)
{
  const char *base = stasis_cli_args_get (args, "base");
  if (base == NULL)
    return TRUE;
  *flags |= STASIS_SAVE_INCREMENTAL;
  *out_base = stasis_cli_image_path (cli, base, error);
  return *out_base != NULL;
}

static gboolean
run_save (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  guint flags = 0;
  if (!stasis_cli_args_exclusive (args, "file", "fd", error) || !save_flags (args, &flags, error)
      || !live_flags (args, &flags, error)
      || !stasis_cli_args_exclusive (args, "still", "keep-running", error))
    return FALSE;
  stasis_cli_args_flag (args, "keep-running", STASIS_SAVE_KEEP_RUNNING, &flags);
  stasis_cli_args_flag (args, "no-disks", STASIS_SAVE_NO_DISKS, &flags);
  stasis_cli_args_flag (args, "incremental", STASIS_SAVE_INCREMENTAL, &flags);
  stasis_cli_args_flag (args, "track", STASIS_SAVE_TRACK, &flags);
  g_autofree char *base = NULL;
  if (!take_base (cli, args, &flags, &base, error))
    return FALSE;
  StasisSaveRequest request = {
    .base = base,
    .format = stasis_cli_args_get (args, "format"),
    .compress = stasis_cli_args_get (args, "compress"),
    .flags = flags,
  };
  return save_domain (cli, args, stasis_cli_args_get (args, "fd"), &request, error);
}

static gboolean
run_checkpoint (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  guint flags = STASIS_SAVE_KEEP_RUNNING;
  guint more = 0;
  if (!save_flags (args, &more, error))
    return FALSE;
  flags |= more;
  stasis_cli_args_flag (args, "no-disks", STASIS_SAVE_NO_DISKS, &flags);
  stasis_cli_args_flag (args, "incremental", STASIS_SAVE_INCREMENTAL, &flags);
  stasis_cli_args_flag (args, "track", STASIS_SAVE_TRACK, &flags);
  g_autofree char *base = NULL;
  if (!take_base (cli, args, &flags, &base, error))
    return FALSE;
  StasisSaveRequest request = { .flags = flags, .base = base };
  return save_domain (cli, args, NULL, &request, error);
}

static const StasisCliOption save_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "file", STASIS_CLI_STRING, "file",
    N_ ("where to save the data: a file, a FIFO; '-': to standard output") },
  { "bypass-cache", STASIS_CLI_FLAG, NULL, N_ ("avoid file system cache when saving") },
  { "xml", STASIS_CLI_STRING, "file", N_ ("filename containing updated XML for the target") },
  { "format", STASIS_CLI_NAMED, "kind", N_ ("kind of save image: stasis, libvirt ...") },
  { "compress", STASIS_CLI_NAMED, "how", N_ ("compress with zstd or zstd:LEVEL (1 to 19)") },
  { "fd", STASIS_CLI_NAMED, "number", N_ ("save to an inherited file descriptor") },
  { "live", STASIS_CLI_FLAG, NULL,
    N_ ("pause the guest only once little of its memory is left to copy") },
  { "still", STASIS_CLI_FLAG, NULL, N_ ("pause it before its memory is copied, not after") },
  { "keep-running", STASIS_CLI_FLAG, NULL, N_ ("let the guest go on: a checkpoint") },
  { "no-disks", STASIS_CLI_FLAG, NULL, N_ ("with --keep-running: leave its disks out") },
  { "incremental", STASIS_CLI_FLAG, NULL, N_ ("save only what differs from the base") },
  { "base", STASIS_CLI_NAMED, "file",
    N_ ("the base; else what it is tracked since or mapped from") },
  { "track", STASIS_CLI_FLAG, NULL,
    N_ ("with --keep-running: know what it writes to from then on") },
  { "running", STASIS_CLI_FLAG, NULL, N_ ("set domain to be running on restore") },
  { "paused", STASIS_CLI_FLAG, NULL, N_ ("set domain to be paused on restore") },
  { "quiesce", STASIS_CLI_FLAG, NULL, N_ ("freeze the guest's file systems first (guest agent)") },
  { "verbose", STASIS_CLI_FLAG, NULL, N_ ("display the progress of save") },
  { "json", STASIS_CLI_FLAG, NULL, N_ ("print final statistics as JSON") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_save = {
  .name = "save",
  .group = STASIS_CLI_GROUP_STATE,
  .summary = N_ ("save a domain state to a file"),
  .description = N_ ("Save the RAM and device state of a running domain to a save image, and\n"
                     "stop it once the image is complete and on disk. Ctrl-C cancels.\n"
                     "Where it can be, its memory is copied while it runs; with --still it is\n"
                     "paused first. With --keep-running it goes on after a pause of\n"
                     "milliseconds, see 'checkpoint'.\n"
                     "Kinds of images: stasis, stasis-stream, libvirt, libvirt-gzip,\n"
                     "libvirt-bzip2, libvirt-xz, libvirt-lzop, libvirt-zstd, libvirt-sparse,\n"
                     "trailer. Into a pipe it is stasis-stream unless --format says otherwise."),
  .options = save_options,
  .writes = TRUE,
  .run = run_save,
};

static const StasisCliOption checkpoint_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "file", STASIS_CLI_NEEDED, "file", N_ ("where to save the data") },
  { "no-disks", STASIS_CLI_FLAG, NULL, N_ ("leave the guest's disks out") },
  { "incremental", STASIS_CLI_FLAG, NULL, N_ ("save only what differs from the base") },
  { "base", STASIS_CLI_NAMED, "file",
    N_ ("the base; else what it is tracked since or mapped from") },
  { "track", STASIS_CLI_FLAG, NULL, N_ ("know what the guest writes to from then on") },
  { "xml", STASIS_CLI_STRING, "file", N_ ("filename containing updated XML for the target") },
  { "running", STASIS_CLI_FLAG, NULL, N_ ("set domain to be running on restore") },
  { "paused", STASIS_CLI_FLAG, NULL, N_ ("set domain to be paused on restore") },
  { "quiesce", STASIS_CLI_FLAG, NULL, N_ ("freeze the guest's file systems for it (guest agent)") },
  { "verbose", STASIS_CLI_FLAG, NULL, N_ ("display the progress of save") },
  { "json", STASIS_CLI_FLAG, NULL, N_ ("print final statistics as JSON") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_checkpoint = {
  .name = "checkpoint",
  .group = STASIS_CLI_GROUP_STATE,
  .summary = N_ ("save a running domain, which goes on running"),
  .description = N_ ("Save the RAM and device state of a running domain to a save image. The\n"
                     "memory is copied while the guest runs; it is paused for milliseconds and\n"
                     "goes on. A live 'save' that keeps it running. Ctrl-C cancels.\n"
                     "Its disks stay as they are in that moment: the guest goes on in overlays\n"
                     "beside them, and a restore in others. --no-disks leaves them alone; then\n"
                     "the image needs a copy of them to be restored with."),
  .options = checkpoint_options,
  .writes = TRUE,
  .run = run_checkpoint,
};

static gboolean
run_managedsave (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  guint flags = 0;
  if (!save_flags (args, &flags, error) || !live_flags (args, &flags, error))
    return FALSE;
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;

  const char *name = stasis_domain_get_name (domain);
  stasis_cli_doing (cli, _ ("failed to save domain '%1$s' state"), name);
  g_autoptr (StasisCliJob) job = begin_save (cli, args);
  GError *failure = NULL;
  if (!stasis_domain_managed_save (domain, flags, stasis_cli_progress_update,
                                   stasis_cli_job_progress (job), stasis_cli_job_cancellable (job),
                                   &failure))
    return save_failed (cli, args, job, domain, NULL, failure, error);

  stasis_cli_job_end (job, NULL);
  g_autofree char *path = stasis_domain_get_managed_save_path (domain);
  if (stasis_cli_args_has (args, "json"))
    print_stats (cli, job, domain, path);
  else
    stasis_cli_say (cli, _ ("Domain '%1$s' state saved by Stasis\n"), name);
  return TRUE;
}

static const StasisCliOption managedsave_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "live", STASIS_CLI_FLAG, NULL,
    N_ ("pause the guest only once little of its memory is left to copy") },
  { "still", STASIS_CLI_FLAG, NULL, N_ ("pause it before its memory is copied, not after") },
  { "bypass-cache", STASIS_CLI_FLAG, NULL, N_ ("avoid file system cache when saving") },
  { "running", STASIS_CLI_FLAG, NULL, N_ ("set domain to be running on next start") },
  { "paused", STASIS_CLI_FLAG, NULL, N_ ("set domain to be paused on next start") },
  { "quiesce", STASIS_CLI_FLAG, NULL, N_ ("freeze the guest's file systems first (guest agent)") },
  { "verbose", STASIS_CLI_FLAG, NULL, N_ ("display the progress of save") },
  { "json", STASIS_CLI_FLAG, NULL, N_ ("print final statistics as JSON") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_managedsave = {
  .name = "managedsave",
  .group = STASIS_CLI_GROUP_STATE,
  .summary = N_ ("managed save of a domain state"),
  .description = N_ ("Save and stop a running domain, so it can be restarted from\n"
                     "the same state at a later time. When the 'start' command is\n"
                     "next run for the domain, it will be started from this state."),
  .options = managedsave_options,
  .writes = TRUE,
  .run = run_managedsave,
};
