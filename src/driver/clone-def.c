/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * clone-def.c: the definition of a clone
 *
 * Theory of operation
 *
 * The guest must find the devices that it was saved with; their other ends are the clone's own.
 * Files and sockets of the host get the clone's name behind theirs: "/s/web.log" is
 * "/s/web.log.NAME".  What has a place in the run folder, or a port that is looked for, is the
 * clone's own anyway.  What can be had once only, and has no other name, is refused.
 *
 * A guest has read the MAC addresses of its interfaces when it booted, and they are part of the
 * devices' state: nobody outside can give it others while it runs.  The definition has new ones for
 * those interfaces which take them over when the guest resets the device (virtio); QEMU's other
 * models carry them in an EEPROM that is restored with the rest, and keep the image's.  So two
 * clones have one address, and on a network of the host they must not meet: there the link is down
 * until somebody has seen to it.
 */

#include "config.h"

#include "driver/clone-def.h"

#include <sys/stat.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/overlays.h"

static const char nothing[] = "/dev/null"; /* everybody may write there */

static gboolean G_GNUC_PRINTF (2, 3) refuse (GError **error, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *message = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED,
               _ ("%s; a definition without it can be given with --xml"), message);
  return FALSE;
}

/* Output beside a device, or a pipe, would be a plain file in an odd place. */
static gboolean
check_output (const char *alias, const char *path, GError **error)
{
  struct stat st;
  if (path == NULL || g_str_equal (path, nothing) || stat (path, &st) < 0 || S_ISREG (st.st_mode))
    return TRUE;
  return refuse (error,
                 _ ("'%1$s' writes to '%2$s', which is no regular file: clones cannot share "
                    "it"),
                 alias, path);
}

static gboolean
check_chardev (const StasisChardevDef *chardev, GError **error)
{
  const char *alias = chardev->info.alias != NULL ? chardev->info.alias : "?";
  if (chardev->type == STASIS_CHARDEV_TCP && chardev->mode == STASIS_CHARDEV_MODE_BIND)
    return refuse (error, _ ("'%1$s' listens on port %2$s: clones cannot share it"), alias,
                   chardev->service);
  return (chardev->type != STASIS_CHARDEV_FILE || check_output (alias, chardev->source_path, error))
         && check_output (alias, chardev->log_file, error);
}

/* A definition is looked at, and a copy of it changed. */
#define CHARDEV_LISTS(def) \
  { \
    (def)->serials, (def)->parallels, (def)->consoles, (def)->channels, (def)->redirdevs \
  }

/* Refuse what no two guests can have. */
gboolean
stasis_clone_def_check (const StasisDomainDef *def, GError **error)
{
  const GPtrArray *const lists[] = CHARDEV_LISTS (def);
  for (gsize l = 0; l < G_N_ELEMENTS (lists); l++)
    for (guint i = 0; i < lists[l]->len; i++)
      if (!check_chardev (g_ptr_array_index (lists[l], i), error))
        return FALSE;
  for (guint i = 0; i < def->graphics->len; i++)
    {
      const StasisGraphicsDef *graphics = g_ptr_array_index (def->graphics, i);
      if (graphics->websocket > 0)
        return refuse (error, _ ("the display has a websocket on port %d: clones cannot share it"),
                       (int) graphics->websocket);
    }
  if (def->os.loader_type == STASIS_LOADER_PFLASH && def->os.loader_readonly == STASIS_TRISTATE_OFF)
    return refuse (error, _ ("the guest may write to its firmware '%s': clones cannot share it"),
                   def->os.loader);
  return TRUE;
}

/* The device takes over the definition's address when the guest resets it. */
static gboolean
takes_new_mac (const StasisInterfaceDef *interface)
{
  return g_str_has_prefix (interface->model, "virtio");
}

static char *
warn_of_interface (const StasisInterfaceDef *interface)
{
  const char *alias = interface->info.alias;
  g_autofree char *warning
      = takes_new_mac (interface)
            ? g_strdup_printf (
                _ ("interface '%1$s' of each clone goes on with the MAC address %2$s "
                   "of the image, and has its own only when the guest resets the "
                   "device (it reboots, or binds the driver anew)"),
                alias, interface->mac)
            : g_strdup_printf (
                _ ("interface '%1$s' of each clone keeps the MAC address %2$s of the "
                   "image"),
                alias, interface->mac);
  if (interface->type == STASIS_INTERFACE_USER)
    return g_steal_pointer (&warning);
  return g_strdup_printf (_ ("%s; its link is down, lest they meet"), warning);
}

/* What is not as it should be. */
GPtrArray *
stasis_clone_def_warnings (const StasisDomainDef *def)
{
  GPtrArray *warnings = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; i < def->interfaces->len; i++)
    g_ptr_array_add (warnings, warn_of_interface (g_ptr_array_index (def->interfaces, i)));
  if (def->qemu_args->len > 0)
    g_ptr_array_add (warnings, g_strdup (_ ("what <qemu:commandline> says is the same for each "
                                            "clone, whatever it is")));
  return warnings;
}

static void
add_name (char **path, const char *name)
{
  if (*path == NULL || g_str_equal (*path, nothing))
    return;
  g_autofree char *old = *path;
  *path = g_strconcat (old, ".", name, NULL);
}

/* A client of somebody else's socket stays one. */
static void
change_chardev (StasisChardevDef *chardev, const char *name)
{
  const gboolean listens
      = chardev->type == STASIS_CHARDEV_UNIX && chardev->mode == STASIS_CHARDEV_MODE_BIND;
  if (chardev->type == STASIS_CHARDEV_FILE || (listens && !chardev->path_is_automatic))
    add_name (&chardev->source_path, name);
  add_name (&chardev->log_file, name);
}

static void
change_graphics (StasisGraphicsDef *graphics, const char *name)
{
  add_name (&graphics->socket, name);
  for (guint i = 0; i < graphics->listens->len; i++)
    add_name (&((StasisListenDef *) g_ptr_array_index (graphics->listens, i))->socket, name);
  if (graphics->autoport == STASIS_TRISTATE_ON || graphics->port == STASIS_UNSET)
    return;
  graphics->autoport = STASIS_TRISTATE_ON;
  graphics->port = STASIS_UNSET;
}

static void
change_interface (StasisInterfaceDef *interface)
{
  g_clear_pointer (&interface->target, g_free); /* the host finds another name */
  if (interface->type != STASIS_INTERFACE_USER)
    interface->link = STASIS_LINK_DOWN;
  if (!takes_new_mac (interface))
    return;
  g_free (interface->mac);
  interface->mac = stasis_domain_def_new_mac ();
}

/* The definition of a clone. */
StasisDomainDef *
stasis_clone_def_new (const StasisDomainDef *def, const char *name, const char *uuid,
                      const char *folder)
{
  StasisDomainDef *clone = stasis_domain_def_copy (def);
  g_free (clone->name);
  clone->name = g_strdup (name);
  g_free (clone->uuid);
  clone->uuid = g_strdup (uuid);
  if (clone->genid != NULL)
    {
      g_free (clone->genid);
      clone->genid = g_uuid_string_random ();
    }
  GPtrArray *const lists[] = CHARDEV_LISTS (clone);
  for (gsize l = 0; l < G_N_ELEMENTS (lists); l++)
    for (guint i = 0; i < lists[l]->len; i++)
      change_chardev (g_ptr_array_index (lists[l], i), name);
  for (guint i = 0; i < clone->graphics->len; i++)
    change_graphics (g_ptr_array_index (clone->graphics, i), name);
  for (guint i = 0; i < clone->interfaces->len; i++)
    change_interface (g_ptr_array_index (clone->interfaces, i));
  if (folder != NULL)
    stasis_overlays_put (clone, folder);
  return clone;
}
