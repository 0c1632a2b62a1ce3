/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver.c: a state directory and the domains in it
 *
 * A driver holds no state of domains: every call looks at the state directory, for other
 * processes change it too.  What it keeps is what does not change: folders, the host's
 * configuration, and what the emulators can do; and, where whoever has it gives it one, a picture
 * that is as new as the files (picture.h).
 */

#include "config.h"

#include "driver/driver-private.h"

#include <string.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "conf/error.h"
#include "driver/firmware.h"
#include "driver/migrate-in.h"
#include "driver/migrate-out.h"
#include "driver/registry.h"
#include "driver/status.h"
#include "util/error.h"

#define URI_SYSTEM  "stasis:///system"
#define URI_SESSION "stasis:///session"

static StasisDriverOpener open_elsewhere; /* set once, before anything is opened */

G_DEFINE_FINAL_TYPE (StasisDriver, stasis_driver, G_TYPE_OBJECT)

/**
 * stasis_version:
 *
 * Returns: the library's version
 */
const char *
stasis_version (void)
{
  return STASIS_VERSION;
}

static void
stasis_driver_finalize (GObject *object)
{
  StasisDriver *self = STASIS_DRIVER (object);
  if (self->ops != NULL)
    self->ops->close (self->connection);
  stasis_migrate_ins_free (self->migrations);
  stasis_migrate_out_abandon_all (self);
  stasis_migrate_outs_free (self->migrate_outs);
  g_free (self->uri);
  stasis_paths_free (self->paths);
  stasis_host_config_free (self->host);
  g_hash_table_unref (self->caps);
  g_hash_table_unref (self->uuids);
  g_hash_table_unref (self->unrecovered);
  g_mutex_clear (&self->uuids_lock);
  g_mutex_clear (&self->lock);
  G_OBJECT_CLASS (stasis_driver_parent_class)->finalize (object);
}

static void
stasis_driver_class_init (StasisDriverClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = stasis_driver_finalize;
}

static void
unref_caps (gpointer caps)
{
  stasis_qemu_caps_unref (caps);
}

static void
stasis_driver_init (StasisDriver *self)
{
  g_mutex_init (&self->lock);
  g_mutex_init (&self->uuids_lock);
  self->caps = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, unref_caps);
  self->uuids = stasis_registry_uuids_new ();
  self->unrecovered = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  self->migrations = stasis_migrate_ins_new ();
  self->migrate_outs = stasis_migrate_outs_new ();
}

/* Nobody may have named it but the configuration. */
static void
explain_default (const StasisHostConfig *host, GError *error)
{
  stasis_error_set_message (
      error,
      g_strdup_printf (_ ("%1$s (it is the default: option 'default' in [emulators] of '%2$s')"),
                       error->message, host->path));
}

/* What this emulator can do: probed once, then from the cache; an allowed one only. */
StasisQemuCaps *
stasis_driver_get_caps (StasisDriver *self, const char *emulator, GError **error)
{
  /* Asking means starting it, and its name may come from somebody else's image. */
  if (!stasis_host_config_allows (self->host, emulator))
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED,
                   _ ("the emulator '%1$s' may not be started: option 'allowed' in [emulators] of "
                      "'%2$s' does not name it"),
                   emulator, self->host->path);
      return NULL;
    }

  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  StasisQemuCaps *caps = g_hash_table_lookup (self->caps, emulator);
  if (caps != NULL)
    return stasis_qemu_caps_ref (caps);

  g_autofree char *folder = g_build_filename (self->paths->cache, "qemu", NULL);
  if (!stasis_paths_make (folder, error))
    return NULL;
  g_autoptr (GError) local = NULL;
  caps = stasis_qemu_caps_load (emulator, folder, stasis_host_config_probe_uid (self->host), NULL,
                                &local);
  if (caps == NULL)
    {
      if (g_str_equal (emulator, self->host->emulator))
        explain_default (self->host, local);
      g_propagate_error (error, g_steal_pointer (&local));
      return NULL;
    }
  g_hash_table_insert (self->caps, g_strdup (emulator), stasis_qemu_caps_ref (caps));
  return caps;
}

/* What the functions behind a definition's parser get. */
typedef struct
{
  StasisDriver *driver; /* (borrowed) */
  GError *error;        /* (owned) (nullable) why the emulator could not be asked */
} Parse;

static void
parse_clear (Parse *parse)
{
  g_clear_error (&parse->error);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Parse, parse_clear)

/* The full name behind a machine alias; lives as long as the driver, whose caps are kept. */
static const char *
canonical_machine (const char *emulator, const char *machine, gpointer data)
{
  Parse *parse = data;
  g_clear_error (&parse->error);
  g_autoptr (StasisQemuCaps) caps = stasis_driver_get_caps (parse->driver, emulator, &parse->error);
  if (caps == NULL)
    return NULL;
  return stasis_qemu_caps_canonical_machine (caps, machine);
}

static const char *
default_emulator (StasisDomainType type, const char *arch, gpointer data)
{
  const Parse *parse = data;
  return parse->driver->host->emulator;
}

static const char *
network_bridge (const char *network, gpointer data)
{
  const Parse *parse = data;
  return g_hash_table_lookup (parse->driver->host->networks, network);
}

/* What is wrong with a definition is an error of the library for those outside. */
static void
make_public (GError *error)
{
  if (error->domain != STASIS_CONF_ERROR)
    return;
  error->code
      = error->code == STASIS_CONF_ERROR_UNSUPPORTED ? STASIS_ERROR_UNSUPPORTED : STASIS_ERROR_XML;
  error->domain = STASIS_ERROR;
}

static StasisConfContext
make_context (Parse *parse, const char *settings)
{
  return (StasisConfContext){ .canonical_machine = canonical_machine,
                              .default_emulator = default_emulator,
                              .network_bridge = network_bridge,
                              .data = parse,
                              .network_settings = settings };
}

/* Fill in and check a definition that was changed. */
gboolean
stasis_driver_complete (StasisDriver *self, StasisDomainDef *def, StasisDomainParseFlags flags,
                        GError **error)
{
  g_auto (Parse) parse = { .driver = self };
  g_autofree char *settings = g_strdup_printf (_ ("[networks] of '%s'"), self->host->path);
  const StasisConfContext context = make_context (&parse, settings);
  g_autoptr (GError) local = NULL;
  if (stasis_domain_def_complete (def, &context, flags, &local))
    return TRUE;
  make_public (local);
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/* One device by itself. */
StasisDeviceDef *
stasis_driver_parse_device (const char *xml, StasisDomainParseFlags flags, GError **error)
{
  g_autoptr (GError) local = NULL;
  StasisDeviceDef *device
      = stasis_device_def_parse (xml, (flags & STASIS_DOMAIN_PARSE_ACTIVE) != 0, &local);
  if (device != NULL)
    return device;
  make_public (local);
  g_propagate_error (error, g_steal_pointer (&local));
  return NULL;
}

/* Parse a definition as this host understands it. */
StasisDomainDef *
stasis_driver_parse (StasisDriver *self, const char *xml, const char *source_name,
                     StasisDomainParseFlags flags, GError **error)
{
  g_auto (Parse) parse = { .driver = self };
  g_autofree char *settings = g_strdup_printf (_ ("[networks] of '%s'"), self->host->path);
  const StasisConfContext context = make_context (&parse, settings);
  g_autoptr (GError) local = NULL;
  g_autoptr (StasisDomainDef) def
      = stasis_domain_def_parse (xml, -1, source_name, &context, flags, &local);
  if (def == NULL)
    {
      make_public (local);
      /* The parser only knows that there is no such machine; here stands why. */
      const gboolean knows_better = parse.error != NULL;
      g_propagate_error (error,
                         knows_better ? g_steal_pointer (&parse.error) : g_steal_pointer (&local));
      if (knows_better && source_name != NULL)
        g_prefix_error (error, "%s: ", source_name);
      return NULL;
    }
  if (!stasis_paths_check_name (def->name, error)
      || !stasis_firmware_resolve (def, self->paths, error))
    return NULL;
  return g_steal_pointer (&def);
}

/* Whom to ask for URIs of other processes. */
void
stasis_driver_set_opener (StasisDriverOpener open)
{
  open_elsewhere = open;
}

const StasisDriverOps *
stasis_driver_get_ops (StasisDriver *self)
{
  return self->ops;
}

gpointer
stasis_driver_get_connection (StasisDriver *self)
{
  return self->connection;
}

/**
 * stasis_driver_uri_kind:
 * @uri: (nullable): what a driver is to be opened by
 *
 * Looks at the scheme only: whether there is such a driver is said by stasis_driver_open().
 *
 * Returns: where that driver is
 */
StasisUriKind
stasis_driver_uri_kind (const char *uri)
{
  if (uri != NULL && g_str_has_prefix (uri, "qemu:"))
    return STASIS_URI_LOCAL;
  const char *end = uri != NULL ? strchr (uri, ':') : NULL;
  const char *plus = end != NULL ? memchr (uri, '+', (gsize) (end - uri)) : NULL;
  if (plus == NULL)
    return STASIS_URI_EMBEDDED;
  return g_str_has_prefix (plus, "+unix:") ? STASIS_URI_LOCAL : STASIS_URI_REMOTE;
}

static StasisDriver *
open_connection (const char *uri, StasisOpenFlags flags, const StasisDriverAsk *ask,
                 GCancellable *cancellable, GError **error)
{
  g_autoptr (StasisDriver) self = g_object_new (STASIS_TYPE_DRIVER, NULL);
  self->connection = open_elsewhere (uri, flags, ask, &self->ops, &self->uri, cancellable, error);
  return self->connection != NULL ? g_steal_pointer (&self) : NULL;
}

/**
 * stasis_driver_open:
 * @uri: (nullable): "stasis:///session" or "stasis:///system"; %NULL: the system's as root,
 *   else the session's; "stasis+unix:///system" and other URIs of a daemon, see stasis(1)
 * @cancellable: (nullable): gives up connecting
 * @error: return location
 *
 * Opens a driver on its state directory, which is made when first needed, in this process; or one
 * in another process, a stasisd or a libvirtd, to which this is a connection.
 * Fails with %STASIS_ERROR_INVALID_ARGUMENT for another URI or a wrong stasis.conf.
 *
 * Returns: (transfer full): the driver
 */
StasisDriver *
stasis_driver_open (const char *uri, GCancellable *cancellable, GError **error)
{
  return stasis_driver_open_with (uri, STASIS_OPEN_NONE, NULL, cancellable, error);
}

/**
 * stasis_driver_open_with:
 * @uri: (nullable): as for stasis_driver_open()
 * @flags: how; of no meaning for one in this process
 * @ask: (nullable): who can be asked on the way to another host
 * @cancellable: (nullable): gives up connecting
 * @error: return location
 *
 * The same as stasis_driver_open().
 *
 * Returns: (transfer full): the driver
 */
StasisDriver *
stasis_driver_open_with (const char *uri, StasisOpenFlags flags, const StasisDriverAsk *ask,
                         GCancellable *cancellable, GError **error)
{
  if (stasis_driver_uri_kind (uri) != STASIS_URI_EMBEDDED && open_elsewhere != NULL)
    return open_connection (uri, flags, ask, cancellable, error);
  if (uri == NULL)
    uri = geteuid () == 0 ? URI_SYSTEM : URI_SESSION;
  const gboolean is_system = g_str_equal (uri, URI_SYSTEM);
  if (!is_system && !g_str_equal (uri, URI_SESSION))
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                   _ ("no driver for '%1$s': it is '%2$s' or '%3$s', or that of a daemon, "
                      "'stasis+unix:///system'"),
                   uri, URI_SYSTEM, URI_SESSION);
      return NULL;
    }
  if (is_system && geteuid () != 0)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
                   _ ("'%s' is for root; a session's own driver is '%s'"), uri, URI_SESSION);
      return NULL;
    }

  g_autoptr (StasisDriver) self = g_object_new (STASIS_TYPE_DRIVER, NULL);
  self->uri = g_strdup (uri);
  self->paths = stasis_paths_new (is_system);
  stasis_paths_sweep (self->paths);
  self->host = stasis_host_config_load (self->paths->config, error);
  if (self->host == NULL)
    return NULL;
  return g_steal_pointer (&self);
}

/**
 * stasis_driver_get_uri:
 * @self: a driver
 *
 * Returns: what it was opened by
 */
const char *
stasis_driver_get_uri (StasisDriver *self)
{
  return self->uri;
}

/**
 * stasis_driver_get_qemu_version:
 * @self: a driver
 * @error: return location
 *
 * Returns: (transfer full): the version of the default emulator, "10.0.2"
 */
char *
stasis_driver_get_qemu_version (StasisDriver *self, GError **error)
{
  const StasisDriverOps *ops = stasis_driver_get_ops (self);
  if (ops != NULL)
    return ops->get_qemu_version (self, error);

  g_autoptr (StasisQemuCaps) caps = stasis_driver_get_caps (self, self->host->emulator, error);
  return caps != NULL ? g_strdup (stasis_qemu_caps_version (caps)) : NULL;
}
