/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-prepared.h: what the destination keeps of a migration that it has prepared
 */

#pragma once

#include "driver/migrate-address.h"

G_BEGIN_DECLS

/* What a migration's file is called beside its verdict: TOKEN.prepared. */
#define STASIS_MIGRATE_PREPARED_SUFFIX ".prepared"

typedef struct
{
  char *token;                /* (owned) */
  char *secret;               /* (owned) migrate-secret.h */
  char *name;                 /* (owned) the domain's here */
  char *uuid;                 /* (owned) */
  StasisMigrateAddress *door; /* (owned) where this host listens for it */
  char *run;                  /* (owned) (nullable) the domain's run folder */
} StasisMigratePrepared;

/* @door: (transfer full) */
StasisMigratePrepared *stasis_migrate_prepared_new (const char *token, const char *secret,
                                                    const char *name, const char *uuid,
                                                    StasisMigrateAddress *door);
void stasis_migrate_prepared_free (StasisMigratePrepared *prepared);

/* Write it down in the folder of verdicts, synced.  There may be none of that token yet. */
gboolean stasis_migrate_prepared_keep (const char *folder, const StasisMigratePrepared *prepared,
                                       GError **error);

/* (transfer full): G_IO_ERROR_NOT_FOUND where this host has not prepared it. */
StasisMigratePrepared *stasis_migrate_prepared_read (const char *folder, const char *token,
                                                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Its source has said that it does not ask again. */
void stasis_migrate_prepared_forget (const char *folder, const char *token);

/* FALSE once no source has to ask any more: for a day it may not have heard the verdict, and for a
 * month that there is none. */
gboolean stasis_migrate_prepared_may_be_asked (const char *folder, const char *token);

/* FALSE with STASIS_ERROR_INVALID_STATE where one of that token was prepared. */
gboolean stasis_migrate_prepared_check_new (const char *folder, const char *token, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisMigratePrepared, stasis_migrate_prepared_free)

G_END_DECLS
