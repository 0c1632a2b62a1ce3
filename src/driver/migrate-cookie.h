/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-cookie.h: what source and destination of a migration tell each other
 */

#pragma once

#include <gio/gio.h>
#include <sys/types.h>

#include "util/json.h"

G_BEGIN_DECLS

#define STASIS_MIGRATE_COOKIE_VERSION    1u
#define STASIS_MIGRATE_COOKIE_SIZE_MAX   (1024u * 1024u) /* octets */
#define STASIS_MIGRATE_COOKIE_VALUES_MAX 16384u          /* values in it */
#define STASIS_MIGRATE_COOKIE_DEPTH_MAX  16u
#define STASIS_MIGRATE_COOKIE_LIST_MAX   1024u /* disks, capabilities ... */
#define STASIS_MIGRATE_TOKEN_DIGITS      32u

/* Strings and lists are owned by the structure that they stand in; NULL and 0: not said. */

/* One of the two. */
typedef struct
{
  char *name;    /* the host's name, for messages */
  char *uuid;    /* of its installation, hashed: host images that were copied share it */
  char *boot_id; /* of its kernel's run: two with the same one are one host */
  char *state;   /* which state directory */
} StasisMigrateHost;

/* A disk with a medium, as the source has it. */
typedef struct
{
  char *target; /* never NULL: "vda" */
  char *path;   /* never NULL */
  char *format; /* never NULL */
  guint64 size; /* octets that the guest sees; 0: not known */
  gboolean is_writable;
  gboolean is_copied;
  char *backing; /* copied incrementally: what it rests on, which is not */
  char *backing_format;
  char *fs_type; /* of the file system that it lies on: "ext", "nfs"; NULL: a block device */
  char *fs_id;   /* hexadecimal */
  guint64 inode;
} StasisMigrateDisk;

/* From Begin. */
typedef struct
{
  StasisMigrateHost source;
  char *name; /* never NULL: the domain's at the source */
  char *uuid; /* never NULL */
  /* never NULL: as the QEMU_FACTS record of a save image (image/facts.h): emulator, version,
   * machine, expanded CPU, the capabilities that the destination has to have ... */
  StasisJson *qemu;
  GStrv offers;       /* capabilities that would be of use, if the destination has them */
  guint64 memory_kib; /* never 0 */
  GPtrArray *disks;   /* never NULL: of StasisMigrateDisk */
  GStrv devices;      /* external devices: "tpm", "store", "tool:NAME" */
  char *persistent;   /* the persistent definition that the destination is to have */
  gint64 time_us;     /* the source's clock, UTC */
} StasisMigrateBegin;

typedef struct
{
  char *target; /* never NULL */
  char *name;   /* never NULL: of the export */
} StasisMigrateExport;

/* From Prepare. */
typedef struct
{
  StasisMigrateHost dest;
  GStrv capabilities; /* that both are to have on */
  GStrv addresses;    /* of the channel for data: "tcp:HOST:PORT" ..., the best one first */
  char *door;         /* where the verdict is asked for and told */
  char *secret;       /* by which both prove what they say there (migrate-secret.h) */
  char *nbd;          /* where disks are copied to */
  GPtrArray *exports; /* of StasisMigrateExport */
} StasisMigratePrepare;

/* From Perform, and from Finish. */
typedef struct
{
  gboolean has_begun;   /* the guest may have run at the destination */
  gint64 source_run_us; /* the source's clock when the guest ran there last; 0: not known */
  gint64 source_end_us; /* and when this was written */
  gint64 dest_run_us;   /* the destination's clock when the guest ran there first */
  gint64 dest_end_us;
  StasisJson *stats; /* job-stats-json.h */
} StasisMigrateFinal;

typedef struct
{
  char *token; /* never NULL: by which both know this migration: 128 random bits, hexadecimal */
  StasisMigrateBegin *begin;     /* (nullable) */
  StasisMigratePrepare *prepare; /* (nullable) */
  StasisMigrateFinal *final;     /* (nullable) */
} StasisMigrateCookie;

/* With a new token, or with a copy of @token (nullable). */
StasisMigrateCookie *stasis_migrate_cookie_new (const char *token);
void stasis_migrate_cookie_free (StasisMigrateCookie *cookie);

/* Empty sections, to be filled in. */
StasisMigrateBegin *stasis_migrate_cookie_add_begin (StasisMigrateCookie *cookie);
StasisMigratePrepare *stasis_migrate_cookie_add_prepare (StasisMigrateCookie *cookie);
StasisMigrateFinal *stasis_migrate_cookie_add_final (StasisMigrateCookie *cookie);
StasisMigrateDisk *stasis_migrate_begin_add_disk (StasisMigrateBegin *begin);
StasisMigrateExport *stasis_migrate_prepare_add_export (StasisMigratePrepare *prepare);

/* @must (nullable): members that a reader has to know ("begin.devices").  Fails where it would be
 * larger than a reader takes. */
GBytes *stasis_migrate_cookie_format (const StasisMigrateCookie *cookie, const char *const *must,
                                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* From the other one.  STASIS_ERROR_INVALID_ARGUMENT where it is none of ours or makes no sense,
 * STASIS_ERROR_UNSUPPORTED where it must be understood and cannot be. */
StasisMigrateCookie *stasis_migrate_cookie_parse (const void *octets, gsize size,
                                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Refuse a cookie of another migration. */
gboolean stasis_migrate_cookie_check_token (const StasisMigrateCookie *cookie, const char *token,
                                            GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisMigrateCookie, stasis_migrate_cookie_free)

G_END_DECLS
