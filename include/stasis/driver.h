/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver.h: a state directory and the domains in it
 */

#pragma once

#include <gio/gio.h>
#include <stasis/domain.h>

G_BEGIN_DECLS

#pragma GCC visibility push(default)

#define STASIS_TYPE_DRIVER (stasis_driver_get_type ())
G_DECLARE_FINAL_TYPE (StasisDriver, stasis_driver, STASIS, DRIVER, GObject)

typedef enum /*< flags >*/
{
  STASIS_LIST_ACTIVE = 1 << 0,
  STASIS_LIST_INACTIVE = 1 << 1,
  STASIS_LIST_PERSISTENT = 1 << 2,
  STASIS_LIST_TRANSIENT = 1 << 3,
  STASIS_LIST_AUTOSTART = 1 << 4,
  STASIS_LIST_NO_AUTOSTART = 1 << 5,
  STASIS_LIST_MANAGED_SAVE = 1 << 6,
  STASIS_LIST_NO_MANAGED_SAVE = 1 << 7,
} StasisListFlags;

/* The library's version, "0.1.0". */
const char *stasis_version (void);

/**
 * StasisUriKind:
 * @STASIS_URI_EMBEDDED: it runs in this process
 * @STASIS_URI_LOCAL: it is behind a socket of this host: paths mean the same here and there
 * @STASIS_URI_REMOTE: it may be on another host, whose paths they are
 *
 * Where a driver is that is opened by a URI.
 */
typedef enum
{
  STASIS_URI_EMBEDDED,
  STASIS_URI_LOCAL,
  STASIS_URI_REMOTE,
} StasisUriKind;

StasisUriKind stasis_driver_uri_kind (const char *uri);

/* Open the driver.  @uri (nullable): "stasis:///session", "stasis:///system"; by default the
 * system's as root, else the session's. */
StasisDriver *stasis_driver_open (const char *uri, GCancellable *cancellable, GError **error);

typedef enum /*< flags >*/
{
  STASIS_OPEN_NONE = 0,
  STASIS_OPEN_READ_ONLY = 1 << 0, /* of a daemon: it refuses what changes anything */
} StasisOpenFlags;

/**
 * StasisDriverAsk:
 * @host_key: (nullable): whether this key of a host that is not known is the right one: its kind,
 *   as in "ED25519", and its fingerprint, as in "SHA256:..."
 * @secret: (nullable): (transfer full) (nullable) a passphrase, a password, or what else the host
 *   wants to know; what is typed is to be seen where @is_echoed
 * @data: for both
 *
 * Who can be asked while a connection to another host is made, in the thread that makes it.  What
 * is not there refuses.
 */
typedef struct
{
  gboolean (*host_key) (const char *host, const char *type, const char *fingerprint, gpointer data);
  char *(*secret) (const char *prompt, gboolean is_echoed, gpointer data);
  gpointer data;
} StasisDriverAsk;

/* The same; @ask (nullable). */
StasisDriver *stasis_driver_open_with (const char *uri, StasisOpenFlags flags,
                                       const StasisDriverAsk *ask, GCancellable *cancellable,
                                       GError **error);
const char *stasis_driver_get_uri (StasisDriver *self);

/* (element-type StasisDomain) (transfer full): by id, then by name.  Flags of one group (active /
 * inactive ...) that are all unset do not restrict. */
GPtrArray *stasis_driver_list (StasisDriver *self, StasisListFlags flags, GError **error);

/* (transfer full): STASIS_ERROR_NO_DOMAIN where there is none.  The plain lookup takes an id, a
 * UUID or a name, in this order, as virsh does. */
StasisDomain *stasis_driver_lookup (StasisDriver *self, const char *key, GError **error);
StasisDomain *stasis_driver_lookup_by_name (StasisDriver *self, const char *name, GError **error);
StasisDomain *stasis_driver_lookup_by_uuid (StasisDriver *self, const char *uuid, GError **error);
StasisDomain *stasis_driver_lookup_by_id (StasisDriver *self, int id, GError **error);

/* @source_name (nullable): the file that the XML is from, for messages. */
StasisDomain *stasis_driver_define (StasisDriver *self, const char *xml, const char *source_name,
                                    GError **error);
StasisDomain *stasis_driver_create (StasisDriver *self, const char *xml, const char *source_name,
                                    StasisStartFlags flags, GCancellable *cancellable,
                                    GError **error);

/* Restore a domain from a save image.  @xml (nullable): a replacement of the same guest ABI. */
StasisDomain *stasis_driver_restore (StasisDriver *self, const char *path, const char *xml,
                                     StasisRestoreFlags flags, StasisProgressFunc progress,
                                     gpointer user_data, GCancellable *cancellable, GError **error);

/* The same from a descriptor (a file, a pipe, a socket), which the call closes. */
StasisDomain *stasis_driver_restore_fd (StasisDriver *self, int fd, const char *name,
                                        const char *xml, StasisRestoreFlags flags,
                                        StasisProgressFunc progress, gpointer user_data,
                                        GCancellable *cancellable, GError **error);

/* Start what is marked autostart, for once too, and does not run; errors of single domains go to
 * @report. */
typedef void (*StasisReportFunc) (const char *domain, const GError *error, gpointer user_data);
gboolean stasis_driver_autostart (StasisDriver *self, StasisReportFunc report, gpointer user_data,
                                  GError **error);

/* libvirt's capabilities XML; QEMU's version as "10.0.2" ((transfer full), of the default one). */
char *stasis_driver_get_capabilities (StasisDriver *self, GError **error);
char *stasis_driver_get_qemu_version (StasisDriver *self, GError **error);

#pragma GCC visibility pop

G_END_DECLS
