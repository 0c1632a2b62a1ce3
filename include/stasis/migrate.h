/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate.h: what of a migration to another host can be chosen
 */

#pragma once

#include <stasis/domain.h>
#include <stasis/driver.h>
#include <stasis/job.h>

G_BEGIN_DECLS

#pragma GCC visibility push(default)

/**
 * StasisMigrateFlags:
 * @STASIS_MIGRATE_LIVE: the guest runs while its memory is sent
 * @STASIS_MIGRATE_P2P: the source talks to the destination itself
 * @STASIS_MIGRATE_TUNNELLED: the state goes through that same connection
 * @STASIS_MIGRATE_PERSIST_DEST: define the domain at the destination
 * @STASIS_MIGRATE_UNDEFINE_SOURCE: undefine it at the source, once it is away
 * @STASIS_MIGRATE_PAUSED: leave it paused at the destination
 * @STASIS_MIGRATE_COPY_STORAGE_ALL: copy its disks
 * @STASIS_MIGRATE_COPY_STORAGE_INC: copy the top of its disks; what they rest on is there
 * @STASIS_MIGRATE_CHANGE_PROTECTION: nobody changes the domain meanwhile, which always holds
 * @STASIS_MIGRATE_UNSAFE: go on where a disk may be another one at the destination
 * @STASIS_MIGRATE_OFFLINE: only the definition of a domain that does not run
 * @STASIS_MIGRATE_COMPRESSED: compress what is sent
 * @STASIS_MIGRATE_ABORT_ON_ERROR: an error of a disk ends the migration
 * @STASIS_MIGRATE_AUTO_CONVERGE: slow the guest down where it writes faster than is sent
 * @STASIS_MIGRATE_RDMA_PIN_ALL: refused: there is no RDMA
 * @STASIS_MIGRATE_POSTCOPY: allow the guest to go on before all of its memory is there
 * @STASIS_MIGRATE_TLS: QEMU encrypts what is sent
 * @STASIS_MIGRATE_PARALLEL: over several connections
 * @STASIS_MIGRATE_SYNC_WRITES: while disks are copied a write of the guest is done at both ends
 * @STASIS_MIGRATE_POSTCOPY_RESUME: go on with a postcopy whose network broke
 * @STASIS_MIGRATE_ZEROCOPY: the kernel sends pages from where they are
 *
 * How a domain is migrated.  The numbers are those of libvirt's flags.
 */
typedef enum /*< flags >*/
{
  STASIS_MIGRATE_DEFAULT = 0,
  STASIS_MIGRATE_LIVE = 1 << 0,
  STASIS_MIGRATE_P2P = 1 << 1,
  STASIS_MIGRATE_TUNNELLED = 1 << 2,
  STASIS_MIGRATE_PERSIST_DEST = 1 << 3,
  STASIS_MIGRATE_UNDEFINE_SOURCE = 1 << 4,
  STASIS_MIGRATE_PAUSED = 1 << 5,
  STASIS_MIGRATE_COPY_STORAGE_ALL = 1 << 6,
  STASIS_MIGRATE_COPY_STORAGE_INC = 1 << 7,
  STASIS_MIGRATE_CHANGE_PROTECTION = 1 << 8,
  STASIS_MIGRATE_UNSAFE = 1 << 9,
  STASIS_MIGRATE_OFFLINE = 1 << 10,
  STASIS_MIGRATE_COMPRESSED = 1 << 11,
  STASIS_MIGRATE_ABORT_ON_ERROR = 1 << 12,
  STASIS_MIGRATE_AUTO_CONVERGE = 1 << 13,
  STASIS_MIGRATE_RDMA_PIN_ALL = 1 << 14,
  STASIS_MIGRATE_POSTCOPY = 1 << 15,
  STASIS_MIGRATE_TLS = 1 << 16,
  STASIS_MIGRATE_PARALLEL = 1 << 17,
  STASIS_MIGRATE_SYNC_WRITES = 1 << 18,
  STASIS_MIGRATE_POSTCOPY_RESUME = 1 << 19,
  STASIS_MIGRATE_ZEROCOPY = 1 << 20,
} StasisMigrateFlags;

/**
 * StasisMigrateVerdict:
 * @STASIS_MIGRATE_VERDICT_UNKNOWN: the destination has never heard of it
 * @STASIS_MIGRATE_VERDICT_WAITING: it waits for the guest, and nothing is decided
 * @STASIS_MIGRATE_VERDICT_BEGUN: the guest is the destination's
 * @STASIS_MIGRATE_VERDICT_REVOKED: it never will be
 *
 * How a migration stands at its destination.  The last two are for good.
 */
typedef enum
{
  STASIS_MIGRATE_VERDICT_UNKNOWN,
  STASIS_MIGRATE_VERDICT_WAITING,
  STASIS_MIGRATE_VERDICT_BEGUN,
  STASIS_MIGRATE_VERDICT_REVOKED,
} StasisMigrateVerdict;

#define STASIS_MIGRATE_UNSET (-1) /* a number that nobody has chosen */

/**
 * StasisMigrateRequest:
 * @uri: (nullable): where QEMU sends to, "tcp:HOST[:PORT]" ...; %NULL: the destination says
 * @dname: (nullable): what the domain is called at the destination
 * @xml: (nullable): the definition there, of the same guest ABI
 * @persistent_xml: (nullable): the persistent definition there
 * @bandwidth: MiB/s; 0: no limit
 * @postcopy_bandwidth: MiB/s once the guest runs at the destination; 0: no limit
 * @switchover_bandwidth: MiB/s that are expected while the guest stands still; 0: as measured
 * @graphics_uri: (nullable): where clients of the display are sent to
 * @listen_address: (nullable): the destination listens on this one
 * @disks: (nullable): the targets of the disks to copy; %NULL: all that the guest writes to
 * @disks_detect_zeroes: (nullable): the targets of those whose zeros are left out
 * @disks_port: the destination's port for disks; 0: any
 * @disks_uri: (nullable): where disks are sent to, "tcp://HOST:PORT" or "unix:///PATH"
 * @compression: (nullable): "xbzrle", "zlib", "zstd", "mt"
 * @comp_mt_level: 0 to 9
 * @comp_mt_threads: 1 to 255
 * @comp_mt_dthreads: 1 to 255
 * @xbzrle_cache: octets, a power of two; 0: QEMU's default
 * @zlib_level: 0 to 9
 * @zstd_level: 0 to 20
 * @auto_converge_initial: how much the guest is slowed down at first, in percent, 1 to 99
 * @auto_converge_increment: and how much more each time
 * @parallel_connections: 1 to 255
 * @tls_destination: (nullable): the name that the destination's certificate has to have
 * @max_downtime_ms: how long the guest may stand still; 0: QEMU's default
 * @postcopy_passes: the source switches to postcopy after so many passes; 0: not by itself
 * @postcopy_after_ms: and after that time; 0: not by itself
 *
 * What of a migration is chosen beside the flags.  All strings belong to it.  The numbers that can
 * be 0 are #STASIS_MIGRATE_UNSET where nobody has chosen.
 */
typedef struct
{
  char *uri;
  char *dname;
  char *xml;
  char *persistent_xml;
  guint64 bandwidth;
  guint64 postcopy_bandwidth;
  guint64 switchover_bandwidth;
  char *graphics_uri;
  char *listen_address;
  char **disks;
  char **disks_detect_zeroes;
  gint disks_port;
  char *disks_uri;
  char **compression;
  gint comp_mt_level;
  gint comp_mt_threads;
  gint comp_mt_dthreads;
  guint64 xbzrle_cache;
  gint zlib_level;
  gint zstd_level;
  gint auto_converge_initial;
  gint auto_converge_increment;
  gint parallel_connections;
  char *tls_destination;
  guint64 max_downtime_ms;
  guint64 postcopy_passes;
  guint64 postcopy_after_ms;
} StasisMigrateRequest;

StasisMigrateRequest *stasis_migrate_request_new (void);
StasisMigrateRequest *stasis_migrate_request_copy (const StasisMigrateRequest *self);
void stasis_migrate_request_free (StasisMigrateRequest *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisMigrateRequest, stasis_migrate_request_free)

/* All of it.  @request (nullable): nothing is chosen. */

/* The domain's own driver opens @dest_uri: peer-to-peer. */
gboolean stasis_domain_migrate (StasisDomain *self, const char *dest_uri, StasisMigrateFlags flags,
                                const StasisMigrateRequest *request, StasisProgressFunc progress,
                                gpointer user_data, GCancellable *cancellable, GError **error);
/* The caller stands between both. */
gboolean stasis_domain_migrate_to (StasisDomain *self, StasisDriver *destination,
                                   StasisMigrateFlags flags, const StasisMigrateRequest *request,
                                   StasisProgressFunc progress, gpointer user_data,
                                   GCancellable *cancellable, GError **error);

/* Its five steps, in this order: docs/migration.md.  They are what the two above consist of. */

/* Source.  @out_xml, @out_cookie ((transfer full)): for Prepare. */
gboolean stasis_domain_migrate_begin (StasisDomain *self, StasisMigrateFlags flags,
                                      const StasisMigrateRequest *request, char **out_xml,
                                      GBytes **out_cookie, GCancellable *cancellable,
                                      GError **error);
/* Destination.  @out_cookie ((transfer full)), @out_uri ((transfer full) (nullable)): for Perform.
 */
gboolean stasis_driver_migrate_prepare (StasisDriver *self, StasisMigrateFlags flags,
                                        const StasisMigrateRequest *request, const char *xml,
                                        GBytes *cookie, GBytes **out_cookie, char **out_uri,
                                        GCancellable *cancellable, GError **error);
/* Source.  Where it fails nothing is left to confirm.  @out_cookie ((transfer full)): for Finish.
 */
gboolean stasis_domain_migrate_perform (StasisDomain *self, StasisMigrateFlags flags,
                                        const StasisMigrateRequest *request, GBytes *cookie,
                                        GBytes **out_cookie, StasisProgressFunc progress,
                                        gpointer user_data, GCancellable *cancellable,
                                        GError **error);
/* (transfer full): destination.  @cookie (nullable), @out_cookie ((transfer full) (nullable)): for
 * Confirm.  With @is_cancelled it clears away, and fails: with G_IO_ERROR_CANCELLED where that is
 * all that there is to say. */
StasisDomain *stasis_driver_migrate_finish (StasisDriver *self, StasisMigrateFlags flags,
                                            const char *name, GBytes *cookie, gboolean is_cancelled,
                                            GBytes **out_cookie, GError **error);
/* Source.  @cookie (nullable) */
gboolean stasis_domain_migrate_confirm (StasisDomain *self, StasisMigrateFlags flags,
                                        GBytes *cookie, gboolean is_cancelled, GError **error);

/* Destination: what was decided of the migration of this token.  @revoke: where nothing was, decide
 * for the source; of a migration that is not known here nothing ever is. */
gboolean stasis_driver_migrate_verdict (StasisDriver *self, const char *token, gboolean revoke,
                                        StasisMigrateVerdict *out_verdict,
                                        GCancellable *cancellable, GError **error);
/* Source, undecided.  @wish: UNKNOWN: the destination says; BEGUN or REVOKED: the caller does, and
 * is refused where the destination says otherwise. */
gboolean stasis_domain_migrate_resolve (StasisDomain *self, StasisMigrateVerdict wish,
                                        StasisMigrateVerdict *out_verdict,
                                        GCancellable *cancellable, GError **error);

/* Of one that goes on, by whomever: the guest goes on at its destination before all of it is there.
 */
gboolean stasis_domain_migrate_start_postcopy (StasisDomain *self, GError **error);
/* Once it does, its connection is broken off; the guest stays there, and lacks memory until the
 * migration goes on (%STASIS_MIGRATE_POSTCOPY_RESUME). */
gboolean stasis_domain_migrate_pause_postcopy (StasisDomain *self, GError **error);

#pragma GCC visibility pop

G_END_DECLS
