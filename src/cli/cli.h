/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cli.h: what all commands share: the driver, the output, what failed
 */

#pragma once

#include <stasis/stasis.h>

#include "cli/command.h"

G_BEGIN_DECLS

#define STASIS_CLI_ESCAPE '\035' /* ^], leaves a console */

struct _StasisCli
{
  const char *uri;      /* (borrowed) (nullable): by default the driver's own */
  gboolean quiet;       /* nothing but data and errors */
  gboolean readonly;    /* refuse what changes something */
  gboolean timing;      /* say how long it took */
  gboolean json;        /* the command wrote JSON: no empty line after it */
  guchar escape;        /* the octet that leaves a console */
  int status;           /* the exit status should the command fail; 1 unless it says otherwise */
  int output_errno;     /* the first error of standard output, or 0 */
  char *doing;          /* (owned) (nullable): what is said of a failure before its cause */
  StasisDriver *driver; /* (owned) (nullable): opened when first needed */
};

void stasis_cli_clear (StasisCli *cli);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (StasisCli, stasis_cli_clear)

/* The driver (borrowed). */
StasisDriver *stasis_cli_driver (StasisCli *cli, GError **error);

/* On whose host the files are that a command names: NULL (*@out_driver) where that is this one, and
 * no driver is needed to look at them. */
gboolean stasis_cli_files_driver (StasisCli *cli, StasisDriver **out_driver, GError **error);

/* The domain that option --domain names by id, UUID or name (owned by the caller). */
StasisDomain *stasis_cli_domain (StasisCli *cli, const StasisCliArgs *args,
                                 GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Say ahead what fails if something fails: "failed to start domain 'web'". */
void stasis_cli_doing (StasisCli *cli, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* Data, and what --quiet leaves out, on standard output. */
void stasis_cli_print (StasisCli *cli, const char *format, ...) G_GNUC_PRINTF (2, 3);
void stasis_cli_say (StasisCli *cli, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* A text that may lack the newline at its end. */
void stasis_cli_print_text (StasisCli *cli, const char *text);

/* "error: ..." on standard error: what was being done, and @error. */
void stasis_cli_report (const StasisCli *cli, const GError *error);

/* Write out what is still buffered.  FALSE where standard output failed; a reader that went
 * away has seen what it wanted and is no failure. */
gboolean stasis_cli_flush (StasisCli *cli, GError **error);

G_END_DECLS
