/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * events-qemu.c: what libvirt makes of QEMU's events
 *
 * An event: {"qemu": NAME, "at": µs, "data": {...}}, as docs/supervisor.md has it.
 */

#include "config.h"

#include "remote/events-qemu.h"

#define AGENT_CONNECTED    1
#define AGENT_DISCONNECTED 2
#define AGENT_BY_CHANNEL   2 /* why */

/* By their numbers in libvirt. */
static const char *const watchdog_actions[]
    = { "none", "pause", "reset", "poweroff", "shutdown", "debug", "inject-nmi", NULL };
static const char *const io_actions[] = { "ignore", "stop", "report", NULL };

static gint32
find (const char *const *words, const StasisJson *word)
{
  const char *text = stasis_json_string (word, "");
  for (gint32 i = 0; words[i] != NULL; i++)
    if (g_str_equal (words[i], text))
      return i;
  return 0;
}

static StasisEventPacket *
begin (StasisEventPacket *out, gint32 event, gint32 procedure, const char *layout)
{
  *out = (StasisEventPacket){ .event = event, .procedure = procedure, .layout = layout };
  out->domain_at = 1;
  return out;
}

static guint
reset (const StasisJson *data, const StasisEventDevice *device, StasisEventPacket *out)
{
  begin (out, 1, 319, "iD");
  return 1;
}

static guint
rtc_change (const StasisJson *data, const StasisEventDevice *device, StasisEventPacket *out)
{
  begin (out, 2, 320, "iDl")->values[2].l = stasis_json_int (stasis_json_get (data, "offset"), 0);
  return 1;
}

static guint
watchdog (const StasisJson *data, const StasisEventDevice *device, StasisEventPacket *out)
{
  begin (out, 3, 321, "iDi")->values[2].i
      = find (watchdog_actions, stasis_json_get (data, "action"));
  return 1;
}

/* Twice: the second time with the reason. */
static guint
io_error (const StasisJson *data, const StasisEventDevice *device, StasisEventPacket *out)
{
  const gboolean is_full = stasis_json_boolean (stasis_json_get (data, "nospace"), FALSE);
  begin (&out[0], 4, 322, "iDssi");
  begin (&out[1], 6, 324, "iDssis")->values[5].s = g_strdup (is_full ? "enospc" : "");
  for (guint i = 0; i < 2; i++)
    {
      out[i].values[2].s = g_strdup (device != NULL ? device->source : NULL);
      out[i].values[3].s = g_strdup (device != NULL ? device->alias : NULL);
      out[i].values[4].i = find (io_actions, stasis_json_get (data, "action"));
    }
  return 2;
}

static guint
tray_moved (const StasisJson *data, const StasisEventDevice *device, StasisEventPacket *out)
{
  const gboolean is_open = stasis_json_boolean (stasis_json_get (data, "tray-open"), FALSE);
  begin (out, 10, 328, "iDsi")->values[2].s = g_strdup (device != NULL ? device->alias : NULL);
  out->values[3].i = is_open ? 0 : 1;
  return 1;
}

/* The reason, which is none, stands before the domain. */
static guint
power (StasisEventPacket *out, gint32 event, gint32 procedure)
{
  begin (out, event, procedure, "iiD")->domain_at = 2;
  return 1;
}

static guint
wakeup (const StasisJson *data, const StasisEventDevice *device, StasisEventPacket *out)
{
  return power (out, 11, 329);
}

static guint
pm_suspend (const StasisJson *data, const StasisEventDevice *device, StasisEventPacket *out)
{
  return power (out, 12, 330);
}

static guint
pm_suspend_disk (const StasisJson *data, const StasisEventDevice *device, StasisEventPacket *out)
{
  return power (out, 14, 332);
}

static guint
balloon_change (const StasisJson *data, const StasisEventDevice *device, StasisEventPacket *out)
{
  begin (out, 13, 331, "iDU")->values[2].ul
      = stasis_json_uint (stasis_json_get (data, "actual"), 0) / 1024;
  return 1;
}

/* Not of what belongs to a device, and has no name of its own. */
static guint
device_deleted (const StasisJson *data, const StasisEventDevice *device, StasisEventPacket *out)
{
  const char *alias = stasis_json_string (stasis_json_get (data, "device"), NULL);
  if (alias == NULL)
    return 0;
  begin (out, 15, 333, "iDs")->values[2].s = g_strdup (alias);
  return 1;
}

static guint
serial_port_change (const StasisJson *data, const StasisEventDevice *device, StasisEventPacket *out)
{
  const gboolean is_open = stasis_json_boolean (stasis_json_get (data, "open"), FALSE);
  if (device == NULL || !device->is_agent)
    return 0;
  begin (out, 18, 348, "iDii")->values[2].i = is_open ? AGENT_CONNECTED : AGENT_DISCONNECTED;
  out->values[3].i = AGENT_BY_CHANNEL;
  return 1;
}

static guint
migration_pass (const StasisJson *data, const StasisEventDevice *device, StasisEventPacket *out)
{
  begin (out, 20, 359, "iDi")->values[2].i
      = (gint32) stasis_json_int (stasis_json_get (data, "pass"), 0);
  return 1;
}

static const struct
{
  const char *name;
  guint (*make) (const StasisJson *data, const StasisEventDevice *device, StasisEventPacket *out);
  const char *node;  /* (nullable) the member that names a block node */
  const char *alias; /* (nullable) or a device */
} known[] = {
  { "RESET", reset, NULL, NULL },
  { "RTC_CHANGE", rtc_change, NULL, NULL },
  { "WATCHDOG", watchdog, NULL, NULL },
  { "BLOCK_IO_ERROR", io_error, "node-name", NULL },
  { "DEVICE_TRAY_MOVED", tray_moved, NULL, "id" },
  { "WAKEUP", wakeup, NULL, NULL },
  { "SUSPEND", pm_suspend, NULL, NULL },
  { "SUSPEND_DISK", pm_suspend_disk, NULL, NULL },
  { "BALLOON_CHANGE", balloon_change, NULL, NULL },
  { "DEVICE_DELETED", device_deleted, NULL, NULL },
  { "VSERPORT_CHANGE", serial_port_change, NULL, "id" },
  { "MIGRATION_PASS", migration_pass, NULL, NULL },
};

static gssize
find_known (const StasisJson *event)
{
  const char *name = stasis_json_string (stasis_json_get (event, "qemu"), "");
  for (gsize i = 0; i < G_N_ELEMENTS (known); i++)
    if (g_str_equal (known[i].name, name))
      return (gssize) i;
  return -1;
}

/* Whether a device has to be looked for. */
gboolean
stasis_events_need_device (const StasisJson *event, const char **out_node, const char **out_alias)
{
  const gssize index = find_known (event);
  const StasisJson *data = stasis_json_get (event, "data");
  if (index < 0 || (known[index].node == NULL && known[index].alias == NULL))
    return FALSE;
  *out_node = known[index].node != NULL
                  ? stasis_json_string (stasis_json_get (data, known[index].node), NULL)
                  : NULL;
  *out_alias = known[index].alias != NULL
                   ? stasis_json_string (stasis_json_get (data, known[index].alias), NULL)
                   : NULL;
  return TRUE;
}

/* What libvirt would tell. */
guint
stasis_events_of_qemu (const StasisJson *event, const StasisEventDevice *device,
                       StasisEventPacket *out)
{
  const gssize index = find_known (event);
  return index >= 0 ? known[index].make (stasis_json_get (event, "data"), device, out) : 0;
}
