/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-schema.h: the tables behind the domain XML
 */

#pragma once

#include "conf/schema.h"

G_BEGIN_DECLS

extern const StasisSchema stasis_domain_schema;
extern const StasisSchema stasis_vcpu_schema;

/* What devices are made of (domain-schema-devices.c, domain-schema-chardev.c). */
extern const StasisSchema stasis_device_info_schema;
extern const StasisSchema stasis_disk_schema;
extern const StasisSchema stasis_controller_schema;
extern const StasisSchema stasis_interface_schema;
extern const StasisSchema stasis_serial_schema;
extern const StasisSchema stasis_console_schema;
extern const StasisSchema stasis_channel_schema;
extern const StasisSchema stasis_redirdev_schema;
extern const StasisSchema stasis_input_schema;
extern const StasisSchema stasis_graphics_schema;
extern const StasisSchema stasis_sound_schema;
extern const StasisSchema stasis_audio_schema;
extern const StasisSchema stasis_video_schema;
extern const StasisSchema stasis_hub_schema;
extern const StasisSchema stasis_watchdog_schema;
extern const StasisSchema stasis_balloon_schema;
extern const StasisSchema stasis_rng_schema;
extern const StasisSchema stasis_panic_schema;

/* One line of a table.  Each table's file defines T as its struct for as long as it lasts. */
#define STASIS_FIELD(field_kind, field_path, member, ...) \
  { \
    .path = field_path, .kind = STASIS_FIELD_##field_kind, .offset = G_STRUCT_OFFSET (T, member), \
    __VA_ARGS__ \
  }
#define STASIS_SCHEMA(table) \
  { \
    .fields = table, .n_fields = G_N_ELEMENTS (table), .size = sizeof (T) \
  }

G_END_DECLS
