/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-convert.c: image convert
 */

#include "config.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <glib/gi18n.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/job.h"
#include "cli/progress.h"

typedef struct
{
  StasisImageConversion request;
  char *in_path;  /* (owned, nullable) */
  char *out_path; /* (owned, nullable) */
} Request;

static void
request_clear (Request *request)
{
  g_free (request->in_path);
  g_free (request->out_path);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Request, request_clear)

static gboolean
throw_usage (GError **error, const char *message)
{
  g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, message);
  return FALSE;
}

/* An inherited descriptor, which no program that is started from here is to have. */
static gboolean
parse_fd (const char *option, const char *text, int *out_fd, GError **error)
{
  guint64 number;
  if (!g_ascii_string_to_unsigned (text, 10, 0, G_MAXINT, &number, NULL)
      || fcntl ((int) number, F_GETFD) < 0)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                   _ ("option --%1$s: '%2$s' is no open descriptor"), option, text);
      return FALSE;
    }
  *out_fd = (int) number;
  if (*out_fd > STDERR_FILENO)
    fcntl (*out_fd, F_SETFD, FD_CLOEXEC);
  return TRUE;
}

/* One end: a path, "-", or a descriptor. */
static gboolean
take_end (const StasisCli *cli, const char *word, const char *fd_option, const char *fd_text,
          int standard, char **out_path, int *out_fd, GError **error)
{
  if ((word == NULL) == (fd_text == NULL))
    return throw_usage (error, _ ("name what is converted and what it becomes, each by a file, by "
                                  "'-' or by --in-fd and --out-fd"));
  *out_fd = standard;
  if (fd_text != NULL)
    return parse_fd (fd_option, fd_text, out_fd, error);
  if (strcmp (word, "-") == 0)
    return TRUE;
  *out_path = stasis_cli_image_path (cli, word, error);
  return *out_path != NULL;
}

/* With --in-fd the only word is the output. */
static gboolean
fill_request (const StasisCli *cli, const StasisCliArgs *args, Request *request, GError **error)
{
  const char *in = stasis_cli_args_get (args, "in");
  const char *out = stasis_cli_args_get (args, "out");
  const char *in_fd = stasis_cli_args_get (args, "in-fd");
  if (in_fd != NULL && out == NULL)
    {
      out = in;
      in = NULL;
    }
  StasisImageConversion *conversion = &request->request;
  if (!take_end (cli, in, "in-fd", in_fd, STDIN_FILENO, &request->in_path, &conversion->in_fd,
                 error)
      || !take_end (cli, out, "out-fd", stasis_cli_args_get (args, "out-fd"), STDOUT_FILENO,
                    &request->out_path, &conversion->out_fd, error))
    return FALSE;
  conversion->in_path = request->in_path;
  conversion->out_path = request->out_path;
  conversion->in_kind = stasis_cli_args_get (args, "f");
  conversion->out_kind = stasis_cli_args_get (args, "O");
  conversion->compression = stasis_cli_args_get (args, "compress");
  if (conversion->out_path == NULL && isatty (conversion->out_fd))
    return throw_usage (error, _ ("an image is not for a terminal"));
  return TRUE;
}

static void
warn_lost (const StasisCli *cli, char **lost)
{
  for (guint i = 0; !cli->quiet && lost != NULL && lost[i] != NULL; i++)
    g_printerr (_ ("warning: not in the new image: %s\n"), lost[i]);
}

static void
print_stats (StasisCli *cli, const StasisCliJob *job, const Request *request, char **lost)
{
  StasisJson *object = stasis_cli_job_to_json (job);
  StasisJson *array = stasis_json_new_array ();
  for (guint i = 0; lost != NULL && lost[i] != NULL; i++)
    stasis_json_array_append_string (array, lost[i]);
  if (request->out_path != NULL)
    stasis_json_set_string (object, "file", request->out_path);
  stasis_json_set (object, "lost", array);
  stasis_cli_print_json (cli, object);
}

static gboolean
run_convert (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  g_auto (Request) request = { .in_path = NULL };
  if (!fill_request (cli, args, &request, error))
    return FALSE;
  const gboolean json = stasis_cli_args_has (args, "json");
  const gboolean to_stdout = request.out_path == NULL && request.request.out_fd == STDOUT_FILENO;
  if (json && to_stdout)
    return throw_usage (error, _ ("standard output is the image: there is no place for --json"));
  if (to_stdout) /* nothing else may go there */
    {
      cli->json = TRUE;
      cli->timing = FALSE;
    }
  StasisDriver *driver = stasis_cli_driver (cli, error);
  if (driver == NULL)
    return FALSE;

  stasis_cli_doing (cli, _ ("failed to convert save image %s"),
                    request.in_path != NULL ? request.in_path : "-");
  g_autoptr (StasisCliJob) job
      = stasis_cli_job_begin (cli, _ ("Convert"), _ ("cancelling: the input stays as it is"),
                              stasis_cli_args_has (args, "verbose"), json);
  cli->json = json || to_stdout;
  g_auto (GStrv) lost = NULL;
  GError *failure = NULL;
  const gboolean ok = stasis_image_convert (
      driver, &request.request, &lost, stasis_cli_progress_update, stasis_cli_job_progress (job),
      stasis_cli_job_cancellable (job), &failure);
  stasis_cli_job_end (job, failure);
  if (json)
    print_stats (cli, job, &request, lost);
  if (!ok)
    {
      g_propagate_error (error, failure);
      return FALSE;
    }
  warn_lost (cli, lost);
  if (!json && !to_stdout && request.out_path != NULL)
    stasis_cli_say (cli, _ ("Save image converted to %s\n"), request.out_path);
  return TRUE;
}

static const StasisCliOption convert_options[] = {
  { "in", STASIS_CLI_STRING, "file", N_ ("image to convert; - for standard input") },
  { "out", STASIS_CLI_STRING, "file", N_ ("image to write; - for standard output") },
  { "f", STASIS_CLI_NAMED, "kind", N_ ("kind that the input has to be of") },
  { "O", STASIS_CLI_NAMED, "kind", N_ ("kind of the output; by default stasis for a file") },
  { "compress", STASIS_CLI_NAMED, "how", N_ ("zstd, zstd:LEVEL or none") },
  { "in-fd", STASIS_CLI_NAMED, "number", N_ ("read from this descriptor") },
  { "out-fd", STASIS_CLI_NAMED, "number", N_ ("write to this descriptor") },
  { "verbose", STASIS_CLI_FLAG, NULL, N_ ("display the progress of the conversion") },
  { "json", STASIS_CLI_FLAG, NULL, N_ ("print final statistics as JSON") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_image_convert = {
  .name = "image convert",
  .group = STASIS_CLI_GROUP_STATE,
  .summary = N_ ("make a save image of another kind"),
  .description = N_ ("Convert a save image. Kinds: stasis, stasis-stream, libvirt, libvirt-gzip,\n"
                     "libvirt-bzip2, libvirt-xz, libvirt-lzop, libvirt-zstd, libvirt-sparse,\n"
                     "trailer. The input is checked to its end and stays as it is; a file gets\n"
                     "its name when it is complete and on disk. A pipe gets a stasis-stream,\n"
                     "if nothing else is said. What the new kind has no place for is named."),
  .options = convert_options,
  .writes = TRUE,
  .run = run_convert,
};
