/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * args.h: the options and data of one command line
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define STASIS_CLI_OPTIONS_MAX 64u /* options of one command */

typedef enum
{
  STASIS_CLI_FLAG,   /* --all */
  STASIS_CLI_STRING, /* --xml FILE, or data in its place */
  STASIS_CLI_NAMED,  /* --mode MODE; never taken from data */
  STASIS_CLI_NEEDED, /* DOMAIN, or --domain DOMAIN; must be given */
  STASIS_CLI_WORDS,  /* the rest of the data, joined by blanks; must be given; the last of a list */
} StasisCliOptionKind;

typedef struct
{
  const char *name; /* without dashes; NULL ends a list */
  StasisCliOptionKind kind;
  const char *value; /* what stands for the value in the help: "file"; NULL for flags */
  const char *help;  /* one line, marked with N_() */
} StasisCliOption;

typedef struct _StasisCliArgs StasisCliArgs;

/* Parse what follows the command's name.  @options is borrowed and has to outlive the result;
 * @words too.  Fails with G_OPTION_ERROR. */
StasisCliArgs *stasis_cli_args_parse (const char *command, const StasisCliOption *options,
                                      const char *const *words, guint n_words,
                                      GError **error) G_GNUC_WARN_UNUSED_RESULT;
void stasis_cli_args_free (StasisCliArgs *args);

/* Was it given?  @name must be an option of the command. */
gboolean stasis_cli_args_has (const StasisCliArgs *args, const char *name);

/* Its value (borrowed), or NULL where it was not given. */
const char *stasis_cli_args_get (const StasisCliArgs *args, const char *name);

/* Fail where both were given. */
gboolean stasis_cli_args_exclusive (const StasisCliArgs *args, const char *one, const char *other,
                                    GError **error);

/* Set @bit in *@flags where @name was given. */
void stasis_cli_args_flag (const StasisCliArgs *args, const char *name, guint bit, guint *flags);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisCliArgs, stasis_cli_args_free)

G_END_DECLS
