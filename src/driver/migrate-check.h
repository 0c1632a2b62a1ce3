/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-check.h: can a guest come here?
 */

#pragma once

#include <stasis/migrate.h>

#include "driver/driver-private.h"
#include "driver/migrate-cookie.h"

G_BEGIN_DECLS

/* One thing that was looked at. */
typedef struct
{
  char *what; /* (owned) "name", "disk 'vda'" */
  gboolean ok;
  char *needs;   /* (owned) (nullable) not ok: what is missing; ok: a warning */
  GQuark domain; /* not ok: which error that is */
  gint code;
} StasisMigrateFinding;

/* What is asked.  All borrowed. */
typedef struct
{
  StasisDriver *driver;            /* the destination's, embedded */
  const StasisMigrateBegin *begin; /* what the source says */
  StasisMigrateFlags flags;
  const StasisDomainDef *sent;   /* the definition as the source sent it */
  const StasisDomainDef *wanted; /* as it is to be here; the same, or the user's */
  const GError *unread;          /* (nullable): why this host can make nothing of one of them; then
                                  * @sent is not looked at, and @wanted as it stands, or NULL */
  const char *const *devices;    /* (nullable) external devices that can come here */
  const char *root;              /* "" but in tests, in front of /proc and /sys */
  gint64 now_us;                 /* this host's clock, UTC */
} StasisMigrateCheck;

/* (transfer full) (element-type StasisMigrateFinding): everything that can be found out before
 * anything is started or made; the most telling first. */
GPtrArray *stasis_migrate_check (const StasisMigrateCheck *check);

/* The first that is not ok becomes the error. */
gboolean stasis_migrate_findings_throw (const GPtrArray *findings, GError **error);

/* Once QEMU runs here, with nothing in it: has its CPU all that the guest has seen?  Both as the
 * QEMU_FACTS record has them ({"model", "props"}); @source NULL: it could not be told there. */
gboolean stasis_migrate_check_cpu (const StasisJson *source, const StasisJson *here,
                                   GError **error);

/* For the files behind this: add what was found.  @error_take (nullable): it is not ok. */
void stasis_migrate_findings_add (GPtrArray *findings, const char *what, GError *error_take);
void stasis_migrate_findings_warn (GPtrArray *findings, const char *what, char *text_take);
/* migrate-check-disks.c */
void stasis_migrate_check_disks (const StasisMigrateCheck *check, GPtrArray *findings);

G_END_DECLS
