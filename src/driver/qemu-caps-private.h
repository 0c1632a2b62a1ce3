/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu-caps-private.h: what the three files behind qemu-caps.h share
 */

#pragma once

#include "driver/qemu-caps.h"
#include "util/json.h"

G_BEGIN_DECLS

#define STASIS_QEMU_PROBE_MS 10000

typedef struct
{
  char *name;
  char *alias;  /* (nullable) */
  char *ram_id; /* (nullable) */
  gboolean is_default;
  gboolean is_deprecated;
} StasisQemuMachine;

/* Machines, sets of names. */
StasisQemuCaps *stasis_qemu_caps_new (const char *version);
StasisQemuMachine *stasis_qemu_caps_add_machine (StasisQemuCaps *caps, const char *name);
void stasis_qemu_caps_add_device (StasisQemuCaps *caps, const char *type);
void stasis_qemu_caps_add_migration (StasisQemuCaps *caps, const char *capability);
void stasis_qemu_caps_add_property (StasisQemuCaps *caps, const char *type, const char *property);

/* As the cache and the tests keep them.  (transfer full) */
StasisJson *stasis_qemu_caps_to_json (const StasisQemuCaps *caps);
StasisQemuCaps *stasis_qemu_caps_from_json (const StasisJson *json,
                                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* qemu-caps-probe.c: start @emulator without a guest and ask it; it has ended on return. */
StasisQemuCaps *stasis_qemu_caps_probe (const char *emulator, guint32 uid, gint64 timeout_ms,
                                        GCancellable *cancellable,
                                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
