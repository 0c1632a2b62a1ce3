/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * live-def.c: the definition of a running instance
 */

#include "config.h"

#include "driver/live-def.h"

#include <string.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/hook-marks.h"
#include "driver/resource.h"
#include "monitor/commands-query.h"
#include "util/atomic-file.h"

static void
set_string (char **field, const char *value)
{
  g_free (*field);
  *field = g_strdup (value);
}

/* Where a listening socket lies that names no place.  Another host, user or state folder has
 * another one, so it is marked as runtime and does not get into images. */
static void
place_socket (StasisChardevDef *device, const char *folder)
{
  if (device->type != STASIS_CHARDEV_UNIX || device->info.alias == NULL)
    return;
  g_autofree char *file = g_strconcat (device->info.alias, ".sock", NULL);
  g_autofree char *place = g_build_filename (folder, file, NULL);
  if (device->source_path == NULL)
    device->source_path = g_steal_pointer (&place);
  else if (!g_str_equal (device->source_path, place))
    return;
  device->path_is_automatic = TRUE;
}

static void
place_sockets (StasisDomainDef *def, const char *folder)
{
  GPtrArray *const lists[] = { def->serials, def->parallels, def->consoles, def->channels };
  for (gsize l = 0; l < G_N_ELEMENTS (lists); l++)
    for (guint i = 0; i < lists[l]->len; i++)
      place_socket (g_ptr_array_index (lists[l], i), folder);
}

/* Before QEMU starts: a place for each listening socket that names none. */
void
stasis_live_def_prepare (StasisDomainDef *def, const char *folder)
{
  place_sockets (def, folder);
}

/* A live definition that was read again: each socket has a place by now. */
void
stasis_live_def_mark_automatic (StasisDomainDef *def, const char *folder)
{
  place_sockets (def, folder);
}

/* The chardev of device ALIAS is "charALIAS". */
static void
complete_ptys (GPtrArray *devices, const GPtrArray *chardevs)
{
  for (guint i = 0; i < devices->len; i++)
    {
      StasisChardevDef *device = g_ptr_array_index (devices, i);
      if (device->type != STASIS_CHARDEV_PTY || device->info.alias == NULL)
        continue;
      g_autofree char *label = g_strconcat ("char", device->info.alias, NULL);
      for (guint c = 0; c < chardevs->len; c++)
        {
          const StasisMonitorChardev *chardev = g_ptr_array_index (chardevs, c);
          if (chardev->pty == NULL || !g_str_equal (chardev->label, label))
            continue;
          set_string (&device->source_path, chardev->pty);
          set_string (&device->tty, chardev->pty);
        }
    }
}

/* A console that stands for the first serial port shares its terminal. */
static void
share_first_pty (StasisDomainDef *def)
{
  if (def->consoles->len == 0 || def->serials->len == 0)
    return;
  StasisChardevDef *console = g_ptr_array_index (def->consoles, 0);
  const StasisChardevDef *serial = g_ptr_array_index (def->serials, 0);
  if (console->target_type != STASIS_CHARDEV_TARGET_SERIAL
      && console->target_type != STASIS_CHARDEV_TARGET_UNSET)
    return;
  console->type = serial->type;
  set_string (&console->source_path, serial->source_path);
  console->path_is_automatic = serial->path_is_automatic;
  set_string (&console->tty, serial->tty);
  set_string (&console->info.alias, serial->info.alias);
}

static gboolean
complete_chardevs (StasisDomainDef *def, StasisMonitor *monitor, GCancellable *cancellable,
                   GError **error)
{
  g_autoptr (GPtrArray) chardevs = stasis_monitor_query_chardev (monitor, cancellable, error);
  if (chardevs == NULL)
    return FALSE;
  complete_ptys (def->serials, chardevs);
  complete_ptys (def->parallels, chardevs);
  complete_ptys (def->consoles, chardevs);
  complete_ptys (def->channels, chardevs);
  share_first_pty (def);
  return TRUE;
}

/* The port that QEMU found for `autoport`. */
static gboolean
complete_graphics (StasisDomainDef *def, StasisMonitor *monitor, GCancellable *cancellable,
                   GError **error)
{
  if (def->graphics->len == 0)
    return TRUE;
  g_autoptr (GPtrArray) servers = stasis_monitor_query_vnc (monitor, cancellable, error);
  if (servers == NULL)
    return FALSE;
  for (guint i = 0; i < servers->len; i++)
    {
      const StasisMonitorVnc *server = g_ptr_array_index (servers, i);
      StasisGraphicsDef *graphics = g_ptr_array_index (def->graphics, 0);
      if (graphics->type == STASIS_GRAPHICS_VNC && !server->is_websocket && *server->service != '\0'
          && graphics->autoport == STASIS_TRISTATE_ON)
        graphics->port = g_ascii_strtoll (server->service, NULL, 10);
    }
  return TRUE;
}

static void
complete_taps (StasisDomainDef *def, const GPtrArray *resources)
{
  for (guint i = 0; i < def->interfaces->len; i++)
    {
      StasisInterfaceDef *interface = g_ptr_array_index (def->interfaces, i);
      g_autofree char *key = g_strconcat ("tap:", interface->info.alias, NULL);
      const StasisResource *tap = stasis_resources_find (resources, key);
      if (tap != NULL && tap->path != NULL)
        set_string (&interface->target, tap->path);
    }
}

/* Fill in what only the running QEMU, or the host, knows. */
gboolean
stasis_live_def_complete (StasisDomainDef *def, const GPtrArray *resources, StasisMonitor *monitor,
                          GCancellable *cancellable, GError **error)
{
  complete_taps (def, resources);
  return complete_chardevs (def, monitor, cancellable, error)
         && complete_graphics (def, monitor, cancellable, error);
}

char *
stasis_live_def_format_public (StasisDomainDef *def, int id)
{
  const int before = def->id;
  def->id = id;
  char *xml = stasis_domain_def_format (def, STASIS_DOMAIN_FORMAT_ACTIVE);
  def->id = before;
  return xml;
}

/* Those at the end are called by who has no definition (hook.c). */
static gboolean
write_for_hooks (StasisDomainDef *def, int id, const char *folder, const char *name, GError **error)
{
  g_autofree char *first = g_build_filename (folder, STASIS_HOOK_XML, NULL);
  g_autofree char *path = g_build_filename (folder, STASIS_HOOK_MARKS, name, NULL);
  if (access (first, F_OK) < 0)
    return TRUE;
  g_autofree char *xml = stasis_live_def_format_public (def, id);
  return stasis_atomic_file_write (path, xml, strlen (xml), 0600, error);
}

/* Write it where other commands find it. */
gboolean
stasis_live_def_write (StasisDomainDef *def, const StasisStatus *status, const char *folder,
                       const char *name, GError **error)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_autofree char *xml
      = stasis_domain_def_format (def, STASIS_DOMAIN_FORMAT_ACTIVE | STASIS_DOMAIN_FORMAT_SECURE);
  return write_for_hooks (def, status->id, folder, name, error)
         && stasis_atomic_file_write (path, xml, strlen (xml), 0600, error);
}
