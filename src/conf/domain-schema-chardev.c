/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-schema-chardev.c: the tables of character devices
 *
 * One struct serves them all.  The host's side is the same everywhere; the guest's side differs,
 * hence one table for each.
 */

#include "config.h"

#include "conf/domain-schema.h"

#include "conf/domain-def.h"

#define T       StasisChardevDef
#define F(...)  STASIS_FIELD (__VA_ARGS__)
#define HOST    .flags = STASIS_FIELD_HOST
#define RUNTIME .flags = STASIS_FIELD_RUNTIME
#define ON_OFF  .names = stasis_on_off_names
#define INFO    F (STRUCT, "", info, .schema = &stasis_device_info_schema)

#define WHEN_TYPE(bits) .when_offset = G_STRUCT_OFFSET (T, type), .when = (bits)

#define PTY   STASIS_WHEN (STASIS_CHARDEV_PTY)
#define PATHS (STASIS_WHEN (STASIS_CHARDEV_FILE) | STASIS_WHEN (STASIS_CHARDEV_UNIX))
#define UNIX  STASIS_WHEN (STASIS_CHARDEV_UNIX)
#define TCP   STASIS_WHEN (STASIS_CHARDEV_TCP)

static const StasisField source_fields[] = {
  F (ENUM, "@type", type, .names = stasis_chardev_type_names, HOST),
  F (STRING, "@tty", tty, RUNTIME, WHEN_TYPE (PTY)),
  F (ENUM, "source@mode", mode, .names = stasis_chardev_mode_names, HOST, WHEN_TYPE (UNIX | TCP)),
  F (STRING, "source@path", source_path, RUNTIME, WHEN_TYPE (PTY)),
  F (STRING, "source@path", source_path, HOST, WHEN_TYPE (PATHS),
     .runtime_offset = G_STRUCT_OFFSET (T, path_is_automatic)),
  F (ENUM, "source@append", append, ON_OFF, HOST, WHEN_TYPE (STASIS_WHEN (STASIS_CHARDEV_FILE))),
  F (STRING, "source@host", host, HOST, WHEN_TYPE (TCP)),
  F (STRING, "source@service", service, HOST, WHEN_TYPE (TCP)),
  F (STRING, "protocol@type", protocol, HOST, WHEN_TYPE (TCP)),
  F (STRING, "log@file", log_file, HOST),
  F (ENUM, "log@append", log_append, ON_OFF, HOST),
};
static const StasisSchema source_schema = STASIS_SCHEMA (source_fields);

/* The struct embeds itself as far as its host side goes: offset 0, the same element. */
#define SOURCE \
  { \
    .path = "", .kind = STASIS_FIELD_STRUCT, .offset = 0, .schema = &source_schema \
  }

static const StasisField serial_fields[] = {
  SOURCE,
  F (ENUM, "target@type", target_type, .names = stasis_chardev_target_names),
  F (INT, "target@port", target_port),
  F (STRING, "target/model@name", target_model),
  INFO,
};
const StasisSchema stasis_serial_schema = STASIS_SCHEMA (serial_fields);

static const StasisField console_fields[] = {
  SOURCE,
  F (ENUM, "target@type", target_type, .names = stasis_chardev_target_names),
  F (INT, "target@port", target_port),
  INFO,
};
const StasisSchema stasis_console_schema = STASIS_SCHEMA (console_fields);

static const StasisField channel_fields[] = {
  SOURCE,
  F (ENUM, "target@type", target_type, .names = stasis_chardev_target_names),
  F (STRING, "target@name", target_name),
  F (STRING, "target@state", target_state, RUNTIME),
  INFO,
};
const StasisSchema stasis_channel_schema = STASIS_SCHEMA (channel_fields);

static const StasisField redirdev_fields[] = {
  F (STRING, "@bus", bus),
  SOURCE,
  INFO,
};
const StasisSchema stasis_redirdev_schema = STASIS_SCHEMA (redirdev_fields);
