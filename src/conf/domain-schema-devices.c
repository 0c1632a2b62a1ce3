/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-schema-devices.c: the tables of what stands in <devices>, but for character devices
 */

#include "config.h"

#include "conf/domain-schema.h"

#include "conf/domain-def.h"

#define F(...)  STASIS_FIELD (__VA_ARGS__)
#define HOST    .flags = STASIS_FIELD_HOST
#define RUNTIME .flags = STASIS_FIELD_RUNTIME
#define YES_NO  .names = stasis_yes_no_names
#define ON_OFF  .names = stasis_on_off_names
#define INFO    F (STRUCT, "", info, .schema = &stasis_device_info_schema)

#define WHEN(member, bits) .when_offset = G_STRUCT_OFFSET (T, member), .when = (bits)

#define T       StasisAddress
#define PCI     STASIS_WHEN (STASIS_ADDRESS_PCI)
#define DRIVE   STASIS_WHEN (STASIS_ADDRESS_DRIVE)
#define VSERIAL STASIS_WHEN (STASIS_ADDRESS_VIRTIO_SERIAL)
#define CCID    STASIS_WHEN (STASIS_ADDRESS_CCID)
#define USB     STASIS_WHEN (STASIS_ADDRESS_USB)
#define ISA     STASIS_WHEN (STASIS_ADDRESS_ISA)
static const StasisField address_fields[] = {
  F (ENUM, "@type", type, .names = stasis_address_type_names),
  F (INT, "@domain", domain, .hex = 4, WHEN (type, PCI)),
  F (INT, "@controller", controller, WHEN (type, DRIVE | VSERIAL | CCID)),
  F (INT, "@bus", bus, .hex = 2, WHEN (type, PCI)),
  F (INT, "@bus", bus, WHEN (type, DRIVE | VSERIAL | USB)),
  F (INT, "@target", target, WHEN (type, DRIVE)),
  F (INT, "@unit", unit, WHEN (type, DRIVE)),
  F (INT, "@slot", slot, .hex = 2, WHEN (type, PCI)),
  F (INT, "@slot", slot, WHEN (type, CCID)),
  F (INT, "@function", function, .hex = 1, WHEN (type, PCI)),
  F (ENUM, "@multifunction", multifunction, ON_OFF, WHEN (type, PCI)),
  F (INT, "@port", port, WHEN (type, VSERIAL)),
  F (STRING, "@port", usb_port, WHEN (type, USB)),
  F (INT, "@iobase", iobase, .hex = 1, WHEN (type, ISA)),
  F (INT, "@irq", irq, .hex = 1, WHEN (type, ISA)),
};
static const StasisSchema address_schema = STASIS_SCHEMA (address_fields);
#undef T

#define T StasisDeviceInfo
static const StasisField device_info_fields[] = {
  F (INT, "boot@order", boot_order, HOST),
  F (STRING, "alias@name", alias, .flags = STASIS_FIELD_ALIAS),
  F (ENUM, "rom@enabled", rom_enabled, YES_NO),
  F (ENUM, "rom@bar", rom_bar, ON_OFF),
  F (STRUCT, "address", address, .schema = &address_schema),
};
const StasisSchema stasis_device_info_schema = STASIS_SCHEMA (device_info_fields);
#undef T

#define T    StasisDiskDef
#define FILE STASIS_WHEN (STASIS_DISK_TYPE_UNSET) | STASIS_WHEN (STASIS_DISK_TYPE_FILE)
static const StasisField disk_fields[] = {
  F (ENUM, "@type", type, .names = stasis_disk_type_names, HOST),
  F (ENUM, "@device", device, .names = stasis_disk_device_names),
  F (ENUM, "@model", model, .names = stasis_virtio_model_names),
  F (STRING, "@snapshot", snapshot, HOST),
  F (STRING, "driver@name", driver_name, HOST),
  F (ENUM, "driver@type", format, .names = stasis_disk_format_names, HOST),
  F (ENUM, "driver@cache", cache, .names = stasis_disk_cache_names, HOST),
  F (STRING, "driver@error_policy", error_policy, HOST),
  F (STRING, "driver@rerror_policy", rerror_policy, HOST),
  F (STRING, "driver@io", io, HOST),
  F (ENUM, "driver@copy_on_read", copy_on_read, ON_OFF, HOST),
  F (STRING, "driver@discard", discard, HOST),
  F (INT, "driver@iothread", iothread, HOST),
  F (STRING, "driver@detect_zeroes", detect_zeroes, HOST),
  F (INT, "driver@queues", queues),
  F (INT, "driver@queue_size", queue_size),
  F (STRING, "source@file", source, HOST, WHEN (type, FILE)),
  F (STRING, "source@dev", source, HOST, WHEN (type, STASIS_WHEN (STASIS_DISK_TYPE_BLOCK))),
  F (STRING, "source@startupPolicy", startup_policy, HOST),
  F (INT, "source@index", source_index, RUNTIME),
  F (XML, "backingStore", backing_store, HOST),
  F (INT, "blockio@logical_block_size", logical_block_size),
  F (INT, "blockio@physical_block_size", physical_block_size),
  F (STRING, "target@dev", target),
  F (ENUM, "target@bus", bus, .names = stasis_disk_bus_names),
  F (STRING, "target@tray", tray, HOST),
  F (ENUM, "target@removable", removable, ON_OFF),
  F (INT, "target@rotation_rate", rotation_rate),
  F (FLAG, "readonly", readonly),
  F (FLAG, "shareable", shareable, HOST),
  F (STRING, "serial", serial),
  F (STRING, "wwn", wwn),
  F (STRING, "vendor", vendor),
  F (STRING, "product", product),
  INFO,
};
const StasisSchema stasis_disk_schema = STASIS_SCHEMA (disk_fields);
#undef T

#define T StasisControllerDef
static const StasisField controller_fields[] = {
  F (ENUM, "@type", type, .names = stasis_controller_type_names),
  F (INT, "@index", index),
  F (ENUM, "@model", model, .names = stasis_controller_model_names),
  F (INT, "@ports", ports),
  F (INT, "@vectors", vectors),
  F (INT, "master@startport", usb_master_startport),
  F (STRING, "model@name", pci_model_name),
  F (INT, "target@chassisNr", chassis_nr),
  F (INT, "target@chassis", chassis),
  F (INT, "target@port", port, .hex = 1),
  F (ENUM, "target@hotplug", hotplug, ON_OFF),
  F (INT, "driver@queues", queues),
  F (INT, "driver@cmd_per_lun", cmd_per_lun),
  F (INT, "driver@max_sectors", max_sectors),
  F (INT, "driver@iothread", iothread, HOST),
  F (SIZE, "pcihole64", pcihole64),
  INFO,
};
const StasisSchema stasis_controller_schema = STASIS_SCHEMA (controller_fields);
#undef T

#define T       StasisInterfaceDef
#define BRIDGE  STASIS_WHEN (STASIS_INTERFACE_BRIDGE)
#define NETWORK STASIS_WHEN (STASIS_INTERFACE_NETWORK)
static const StasisField interface_fields[] = {
  F (ENUM, "@type", type, .names = stasis_interface_type_names, HOST),
  F (STRING, "mac@address", mac),
  F (STRING, "source@network", network, HOST, WHEN (type, NETWORK)),
  F (STRING, "source@portid", portid, RUNTIME, WHEN (type, NETWORK)),
  F (STRING, "source@bridge", bridge, RUNTIME, WHEN (type, NETWORK)),
  F (STRING, "source@bridge", bridge, HOST, WHEN (type, BRIDGE)),
  F (STRING, "target@dev", target, HOST),
  F (STRING, "model@type", model),
  F (STRING, "driver@name", driver_name, HOST),
  F (INT, "driver@queues", queues),
  F (INT, "driver@rx_queue_size", rx_queue_size),
  F (INT, "driver@tx_queue_size", tx_queue_size),
  F (ENUM, "link@state", link, .names = stasis_link_state_names, HOST),
  F (INT, "mtu@size", mtu),
  INFO,
};
const StasisSchema stasis_interface_schema = STASIS_SCHEMA (interface_fields);
#undef T

#define T StasisInputDef
static const StasisField input_fields[] = {
  F (ENUM, "@type", type, .names = stasis_input_type_names),
  F (ENUM, "@bus", bus, .names = stasis_input_bus_names),
  F (ENUM, "@model", model, .names = stasis_virtio_model_names),
  INFO,
};
const StasisSchema stasis_input_schema = STASIS_SCHEMA (input_fields);
#undef T

#define T StasisListenDef
static const StasisField listen_fields[] = {
  F (ENUM, "@type", type, .names = stasis_listen_type_names, HOST),
  F (STRING, "@address", address, HOST, WHEN (type, STASIS_WHEN (STASIS_LISTEN_ADDRESS))),
  F (STRING, "@socket", socket, HOST, WHEN (type, STASIS_WHEN (STASIS_LISTEN_SOCKET))),
};
static const StasisSchema listen_schema = STASIS_SCHEMA (listen_fields);
#undef T

#define T             StasisGraphicsDef
#define FIXED_PORT    STASIS_WHEN (STASIS_TRISTATE_UNSET) | STASIS_WHEN (STASIS_TRISTATE_OFF)
#define AUTOPORT      STASIS_WHEN (STASIS_TRISTATE_ON)
#define VNC           STASIS_WHEN (STASIS_GRAPHICS_VNC)
#define SPICE         STASIS_WHEN (STASIS_GRAPHICS_SPICE)
#define PORT_MISSABLE .flags = STASIS_FIELD_HOST | STASIS_FIELD_MINUS_ONE
#define PORT_RUNTIME  .flags = STASIS_FIELD_RUNTIME | STASIS_FIELD_MINUS_ONE
static const StasisField graphics_fields[] = {
  F (ENUM, "@type", type, .names = stasis_graphics_type_names, HOST),
  F (STRING, "@socket", socket, HOST, WHEN (type, VNC)),
  F (INT, "@port", port, PORT_MISSABLE, WHEN (autoport, FIXED_PORT)),
  F (INT, "@port", port, PORT_RUNTIME, WHEN (autoport, AUTOPORT)),
  F (INT, "@tlsPort", tls_port, PORT_RUNTIME, WHEN (type, SPICE)),
  F (ENUM, "@autoport", autoport, YES_NO, HOST),
  F (INT, "@websocket", websocket, PORT_MISSABLE, WHEN (type, VNC)),
  F (STRING, "@listen", listen, HOST),
  F (STRING, "@keymap", keymap, HOST),
  F (STRING, "@sharePolicy", share_policy, HOST, WHEN (type, VNC)),
  F (STRING, "@passwd", passwd, .flags = STASIS_FIELD_HOST | STASIS_FIELD_SECRET, WHEN (type, VNC)),
  F (LIST, "listen", listens, .schema = &listen_schema, HOST),
  F (STRING, "image@compression", image_compression, HOST, WHEN (type, SPICE)),
  F (ENUM, "clipboard@copypaste", copypaste, YES_NO, HOST, WHEN (type, SPICE)),
  F (ENUM, "filetransfer@enable", filetransfer, YES_NO, HOST, WHEN (type, SPICE)),
  F (ENUM, "gl@enable", gl, YES_NO, HOST, WHEN (type, SPICE)),
};
const StasisSchema stasis_graphics_schema = STASIS_SCHEMA (graphics_fields);
#undef T

#define T StasisCodecDef
static const StasisField codec_fields[] = {
  F (STRING, "@type", type),
};
static const StasisSchema codec_schema = STASIS_SCHEMA (codec_fields);
#undef T

#define T StasisSoundDef
static const StasisField sound_fields[] = {
  F (ENUM, "@model", model, .names = stasis_sound_model_names),
  F (LIST, "codec", codecs, .schema = &codec_schema),
  F (INT, "audio@id", audio_id, HOST),
  INFO,
};
const StasisSchema stasis_sound_schema = STASIS_SCHEMA (sound_fields);
#undef T

#define T StasisAudioDef
static const StasisField audio_fields[] = {
  F (INT, "@id", id, HOST),
  F (ENUM, "@type", type, .names = stasis_audio_type_names, HOST),
};
const StasisSchema stasis_audio_schema = STASIS_SCHEMA (audio_fields);
#undef T

#define T StasisVideoDef
static const StasisField video_fields[] = {
  F (ENUM, "model@type", model, .names = stasis_video_model_names),
  F (INT, "model@ram", ram),
  F (INT, "model@vram", vram),
  F (INT, "model@vram64", vram64),
  F (INT, "model@vgamem", vgamem),
  F (INT, "model@heads", heads),
  F (ENUM, "model@primary", primary, YES_NO),
  F (ENUM, "model@blob", blob, ON_OFF),
  F (ENUM, "model/acceleration@accel3d", accel3d, YES_NO),
  F (INT, "model/resolution@x", resolution_x),
  F (INT, "model/resolution@y", resolution_y),
  INFO,
};
const StasisSchema stasis_video_schema = STASIS_SCHEMA (video_fields);
#undef T

#define T StasisHubDef
static const StasisField hub_fields[] = {
  F (STRING, "@type", type),
  INFO,
};
const StasisSchema stasis_hub_schema = STASIS_SCHEMA (hub_fields);
#undef T

#define T StasisWatchdogDef
static const StasisField watchdog_fields[] = {
  F (ENUM, "@model", model, .names = stasis_watchdog_model_names),
  F (ENUM, "@action", action, .names = stasis_watchdog_action_names, HOST),
  INFO,
};
const StasisSchema stasis_watchdog_schema = STASIS_SCHEMA (watchdog_fields);
#undef T

#define T StasisBalloonDef
static const StasisField balloon_fields[] = {
  F (ENUM, "@model", model, .names = stasis_balloon_model_names),
  F (ENUM, "@autodeflate", autodeflate, ON_OFF),
  F (ENUM, "@freePageReporting", free_page_reporting, ON_OFF),
  F (INT, "stats@period", stats_period, HOST),
  INFO,
};
const StasisSchema stasis_balloon_schema = STASIS_SCHEMA (balloon_fields);
#undef T

#define T StasisRngDef
static const StasisField rng_fields[] = {
  F (ENUM, "@model", model, .names = stasis_virtio_model_names),
  F (INT, "rate@bytes", rate_bytes, HOST),
  F (INT, "rate@period", rate_period, HOST),
  F (ENUM, "backend@model", backend, .names = stasis_rng_backend_names, HOST),
  F (STRING, "backend", source, HOST, WHEN (backend, STASIS_WHEN (STASIS_RNG_RANDOM))),
  INFO,
};
const StasisSchema stasis_rng_schema = STASIS_SCHEMA (rng_fields);
#undef T

#define T StasisPanicDef
static const StasisField panic_fields[] = {
  F (ENUM, "@model", model, .names = stasis_panic_model_names),
  INFO,
};
const StasisSchema stasis_panic_schema = STASIS_SCHEMA (panic_fields);
#undef T
