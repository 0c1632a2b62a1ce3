/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-params.h: what users choose of a migration: does it make sense, and how QEMU is told
 */

#pragma once

#include <stasis/migrate.h>

#include "util/json.h"

G_BEGIN_DECLS

/* Refuse (STASIS_ERROR_INVALID_ARGUMENT, or _UNSUPPORTED for what we never have) what makes no
 * sense by itself, whatever the hosts are.  The options are named as users type them.  @request
 * (nullable): nothing is chosen. */
gboolean stasis_migrate_params_check (StasisMigrateFlags flags, const StasisMigrateRequest *request,
                                      GError **error);

/* Which QEMU is to be told. */
typedef enum
{
  STASIS_MIGRATE_SIDE_SOURCE,
  STASIS_MIGRATE_SIDE_DEST,
} StasisMigrateSide;

/* What was wanted, and is not to be had. */
typedef struct
{
  const char *option; /* static: "--postcopy"; NULL: nobody asked for it, it would be of use only */
  char *reason;       /* (owned) for people */
} StasisMigrateLack;

typedef struct
{
  GPtrArray *capabilities; /* (owned) of char * (owned): QMP's names, to be switched on */
  /* (owned) of const char *: those of them that the other end has to have on too, because somebody
   * asked for them, and those that would be of use if it had */
  GPtrArray *needed;
  GPtrArray *offers;
  StasisJson *parameters; /* (owned) an object with QMP's names */
  GPtrArray *lacks;       /* (owned) of StasisMigrateLack */
} StasisMigratePlan;

/* How a QEMU is told.  @flags and @request (nullable) passed the check above.  @capabilities: a set
 * of the names that it knows.  @parameters (nullable: they are not known, and all are believed to
 * be there): the same, such as an object of its query-migrate-parameters. */
StasisMigratePlan *stasis_migrate_plan_new (StasisMigrateSide side, StasisMigrateFlags flags,
                                            const StasisMigrateRequest *request,
                                            GHashTable *capabilities, const StasisJson *parameters);
void stasis_migrate_plan_free (StasisMigratePlan *plan);

gboolean stasis_migrate_plan_has (const StasisMigratePlan *plan, const char *capability);

/* The source, once it knows what the destination has chosen (@chosen): leave out what would only
 * be of use.  Something that was asked for becomes a lack. */
void stasis_migrate_plan_restrict (StasisMigratePlan *plan, const char *const *chosen);

/* STASIS_ERROR_UNSUPPORTED with the first of the lacks that somebody asked for.  @who: whose QEMU,
 * for the message. */
gboolean stasis_migrate_plan_check (const StasisMigratePlan *plan, const char *who, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisMigratePlan, stasis_migrate_plan_free)

G_END_DECLS
