/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client-device.c: devices, memory and processors of a domain on a server
 *
 * All of it is libvirt's, but its calls do not say whether a device that was to go has gone: a
 * stasisd is asked by a call of our own, and of a libvirtd the devices are counted.
 */

#include "config.h"

#include <string.h>

#include "driver/device-grip.h"
#include "remote/client-ops.h"

#define REMOTE STASIS_PROGRAM_REMOTE
#define OWN    STASIS_PROGRAM_OWN

#define THEIR_FORCE 0x4u /* where a device is updated; of amounts it is the maximum */

/* All others have libvirt's numbers. */
G_STATIC_ASSERT (STASIS_AFFECT_LIVE == 0x1 && STASIS_AFFECT_CONFIG == 0x2
                 && STASIS_AFFECT_MAXIMUM == 0x4);

/* With the domain; a libvirtd has nothing to cancel such a call by. */
static gboolean
call (StasisDomain *self, guint32 program, const char *name, StasisWireValue *args,
      StasisWireValue *rets, GCancellable *cancellable, GError **error)
{
  StasisWireDomain domain = stasis_client_describe (self);
  const StasisClientJob job = { .cancellable = cancellable };
  args[0].domain = &domain;
  return stasis_client_call_job (stasis_client_of (self), program, name, args, rets, &job, error);
}

static gboolean
attach_device (StasisDomain *self, const char *xml, StasisAffectFlags flags,
               GCancellable *cancellable, GError **error)
{
  StasisWireValue args[] = { { 0 }, { .s = (char *) xml }, { .u = flags } };
  return stasis_device_grip_check_flags (flags, 0, error)
         && call (self, REMOTE, "domain-attach-device-flags", args, NULL, cancellable, error);
}

/* -1 where it cannot be told. */
static int
count_live_devices (StasisDomain *self)
{
  g_autofree char *xml = stasis_domain_get_id (self) >= 0
                             ? stasis_domain_get_xml (self, STASIS_XML_NONE, NULL)
                             : NULL;
  int count = xml != NULL ? 0 : -1;
  for (const char *at = xml; at != NULL && (at = strstr (at, "<alias name=")) != NULL; at++)
    count++;
  return count;
}

/* It has waited for the guest, and does not say how that ended. */
static gboolean
detach_by_others (StasisDomain *self, const char *name, StasisWireValue *args,
                  StasisAffectFlags flags, gboolean *out_is_gone, GCancellable *cancellable,
                  GError **error)
{
  const gboolean is_asked = out_is_gone != NULL && flags != STASIS_AFFECT_CONFIG;
  const int before = is_asked ? count_live_devices (self) : -1;
  if (!call (self, REMOTE, name, args, NULL, cancellable, error))
    return FALSE;
  if (out_is_gone != NULL)
    *out_is_gone = before < 0 || count_live_devices (self) < before;
  return TRUE;
}

static gboolean
detach_by_us (StasisDomain *self, const char *xml, const char *alias, StasisAffectFlags flags,
              gboolean *out_is_gone, GCancellable *cancellable, GError **error)
{
  StasisWireValue args[]
      = { { 0 }, { .s = (char *) xml }, { .s = (char *) alias }, { .u = flags } };
  StasisWireValue rets[1];
  if (!call (self, OWN, "domain-detach-device", args, rets, cancellable, error))
    return FALSE;
  if (out_is_gone != NULL)
    *out_is_gone = rets[0].i != 0;
  return TRUE;
}

static gboolean
detach (StasisDomain *self, const char *xml, const char *alias, StasisAffectFlags flags,
        gboolean *out_is_gone, GCancellable *cancellable, GError **error)
{
  StasisWireValue args[] = { { 0 }, { .s = (char *) (xml != NULL ? xml : alias) }, { .u = flags } };
  if (!stasis_device_grip_check_flags (flags, 0, error))
    return FALSE;
  if (stasis_client_is_own (stasis_client_of (self)))
    return detach_by_us (self, xml, alias, flags, out_is_gone, cancellable, error);
  return detach_by_others (
      self, xml != NULL ? "domain-detach-device-flags" : "domain-detach-device-alias", args, flags,
      out_is_gone, cancellable, error);
}

static gboolean
detach_device (StasisDomain *self, const char *xml, StasisAffectFlags flags, gboolean *out_is_gone,
               GCancellable *cancellable, GError **error)
{
  return detach (self, xml, NULL, flags, out_is_gone, cancellable, error);
}

static gboolean
detach_device_alias (StasisDomain *self, const char *alias, StasisAffectFlags flags,
                     gboolean *out_is_gone, GCancellable *cancellable, GError **error)
{
  return detach (self, NULL, alias, flags, out_is_gone, cancellable, error);
}

static gboolean
update_device (StasisDomain *self, const char *xml, StasisAffectFlags flags,
               GCancellable *cancellable, GError **error)
{
  const guint32 theirs = (flags & ~(guint) STASIS_AFFECT_FORCE)
                         | ((flags & STASIS_AFFECT_FORCE) != 0 ? THEIR_FORCE : 0);
  StasisWireValue args[] = { { 0 }, { .s = (char *) xml }, { .u = theirs } };
  return stasis_device_grip_check_flags (flags, STASIS_AFFECT_FORCE, error)
         && call (self, REMOTE, "domain-update-device-flags", args, NULL, cancellable, error);
}

static gboolean
set_memory (StasisDomain *self, guint64 kib, StasisAffectFlags flags, GCancellable *cancellable,
            GError **error)
{
  StasisWireValue args[] = { { 0 }, { .ul = kib }, { .u = flags } };
  return stasis_device_grip_check_flags (flags, STASIS_AFFECT_MAXIMUM, error)
         && call (self, REMOTE, "domain-set-memory-flags", args, NULL, cancellable, error);
}

static gboolean
set_vcpus (StasisDomain *self, guint count, StasisAffectFlags flags, GCancellable *cancellable,
           GError **error)
{
  StasisWireValue args[] = { { 0 }, { .u = count }, { .u = flags } };
  return stasis_device_grip_check_flags (flags, STASIS_AFFECT_MAXIMUM, error)
         && call (self, REMOTE, "domain-set-vcpus-flags", args, NULL, cancellable, error);
}

static gboolean
get_vcpus (StasisDomain *self, StasisAffectFlags flags, guint *out_count, GError **error)
{
  StasisWireValue args[] = { { 0 }, { .u = flags } };
  StasisWireValue rets[1];
  if (!stasis_device_grip_check_flags (flags, STASIS_AFFECT_MAXIMUM, error)
      || !call (self, REMOTE, "domain-get-vcpus-flags", args, rets, NULL, error))
    return FALSE;
  *out_count = (guint) rets[0].i;
  return TRUE;
}

/* Devices, memory and processors. */
void
stasis_client_fill_device (StasisDriverOps *ops)
{
  ops->attach_device = attach_device;
  ops->detach_device = detach_device;
  ops->detach_device_alias = detach_device_alias;
  ops->update_device = update_device;
  ops->set_memory = set_memory;
  ops->set_vcpus = set_vcpus;
  ops->get_vcpus = get_vcpus;
}
