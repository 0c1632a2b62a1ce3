/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command.h: what a command is: its names, its options, its function
 */

#pragma once

#include <glib.h>

#include "cli/args.h"

G_BEGIN_DECLS

typedef struct _StasisCli StasisCli;

/* The groups of `stasis help`, in its order. */
typedef enum
{
  STASIS_CLI_GROUP_DOMAIN,
  STASIS_CLI_GROUP_STATE,
  STASIS_CLI_GROUP_MONITOR,
  STASIS_CLI_GROUP_HOST,
  STASIS_CLI_GROUP_SELF,
  STASIS_CLI_N_GROUPS,
} StasisCliGroup;

typedef struct
{
  const char *name; /* "save"; of two words where it is a subcommand: "image info" */
  StasisCliGroup group;
  const char *summary;            /* one line, marked with N_() */
  const char *description;        /* (nullable) more of it, marked with N_() */
  const StasisCliOption *options; /* ends with a name of NULL; NULL where there are none */
  int trouble_status;             /* the exit status of a failure, where it is not 1 */
  gboolean writes;                /* changes something: --readonly forbids it */
  /* Do it.  FALSE with @error set on failure; what failed is said before by
   * stasis_cli_doing(). */
  gboolean (*run) (StasisCli *cli, const StasisCliArgs *args, GError **error);
} StasisCliCommand;

/* All commands in the order of the help, NULL at the end. */
const StasisCliCommand *const *stasis_cli_commands (void);

/* The command of this name, or NULL. */
const StasisCliCommand *stasis_cli_command_find (const char *name);

/* TRUE where @word is the first of the two words of some command: "image". */
gboolean stasis_cli_command_is_family (const char *word);

/* The name that the user may have meant, or NULL. */
const char *stasis_cli_command_suggest (const char *name);

/* A group's keyword for `stasis help GROUP`, and its (translated) title. */
const char *stasis_cli_group_keyword (StasisCliGroup group);
const char *stasis_cli_group_title (StasisCliGroup group);

G_END_DECLS
