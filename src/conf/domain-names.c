/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-names.c: the words behind the enumerations of the domain XML
 */

#include "config.h"

#include "conf/domain-names.h"

const char *const stasis_yes_no_names[] = {
  [STASIS_TRISTATE_UNSET] = "",
  [STASIS_TRISTATE_ON] = "yes",
  [STASIS_TRISTATE_OFF] = "no",
  NULL,
};

const char *const stasis_on_off_names[] = {
  [STASIS_TRISTATE_UNSET] = "",
  [STASIS_TRISTATE_ON] = "on",
  [STASIS_TRISTATE_OFF] = "off",
  NULL,
};

const char *const stasis_domain_type_names[] = {
  [STASIS_DOMAIN_TYPE_UNSET] = "",
  [STASIS_DOMAIN_TYPE_QEMU] = "qemu",
  [STASIS_DOMAIN_TYPE_KVM] = "kvm",
  NULL,
};

const char *const stasis_lifecycle_action_names[] = {
  [STASIS_LIFECYCLE_UNSET] = "",
  [STASIS_LIFECYCLE_DESTROY] = "destroy",
  [STASIS_LIFECYCLE_RESTART] = "restart",
  [STASIS_LIFECYCLE_PRESERVE] = "preserve",
  [STASIS_LIFECYCLE_RENAME_RESTART] = "rename-restart",
  [STASIS_LIFECYCLE_COREDUMP_DESTROY] = "coredump-destroy",
  [STASIS_LIFECYCLE_COREDUMP_RESTART] = "coredump-restart",
  NULL,
};

const char *const stasis_boot_device_names[] = {
  [STASIS_BOOT_UNSET] = "",      [STASIS_BOOT_FD] = "fd",           [STASIS_BOOT_HD] = "hd",
  [STASIS_BOOT_CDROM] = "cdrom", [STASIS_BOOT_NETWORK] = "network", NULL,
};

const char *const stasis_loader_type_names[] = {
  [STASIS_LOADER_UNSET] = "",
  [STASIS_LOADER_ROM] = "rom",
  [STASIS_LOADER_PFLASH] = "pflash",
  NULL,
};

const char *const stasis_firmware_names[] = {
  [STASIS_FIRMWARE_UNSET] = "",
  [STASIS_FIRMWARE_BIOS] = "bios",
  [STASIS_FIRMWARE_EFI] = "efi",
  NULL,
};

const char *const stasis_cpu_mode_names[] = {
  [STASIS_CPU_MODE_UNSET] = "",
  [STASIS_CPU_MODE_CUSTOM] = "custom",
  [STASIS_CPU_MODE_HOST_MODEL] = "host-model",
  [STASIS_CPU_MODE_HOST_PASSTHROUGH] = "host-passthrough",
  [STASIS_CPU_MODE_MAXIMUM] = "maximum",
  NULL,
};

const char *const stasis_cpu_policy_names[] = {
  [STASIS_CPU_POLICY_UNSET] = "",
  [STASIS_CPU_POLICY_FORCE] = "force",
  [STASIS_CPU_POLICY_REQUIRE] = "require",
  [STASIS_CPU_POLICY_OPTIONAL] = "optional",
  [STASIS_CPU_POLICY_DISABLE] = "disable",
  [STASIS_CPU_POLICY_FORBID] = "forbid",
  NULL,
};

const char *const stasis_clock_offset_names[] = {
  [STASIS_CLOCK_UNSET] = "",
  [STASIS_CLOCK_UTC] = "utc",
  [STASIS_CLOCK_LOCALTIME] = "localtime",
  [STASIS_CLOCK_TIMEZONE] = "timezone",
  [STASIS_CLOCK_VARIABLE] = "variable",
  [STASIS_CLOCK_ABSOLUTE] = "absolute",
  NULL,
};

const char *const stasis_timer_names[] = {
  [STASIS_TIMER_UNSET] = "",
  [STASIS_TIMER_RTC] = "rtc",
  [STASIS_TIMER_PIT] = "pit",
  [STASIS_TIMER_HPET] = "hpet",
  [STASIS_TIMER_KVMCLOCK] = "kvmclock",
  [STASIS_TIMER_HYPERVCLOCK] = "hypervclock",
  [STASIS_TIMER_TSC] = "tsc",
  NULL,
};

const char *const stasis_tick_policy_names[] = {
  [STASIS_TICK_POLICY_UNSET] = "",          [STASIS_TICK_POLICY_DELAY] = "delay",
  [STASIS_TICK_POLICY_CATCHUP] = "catchup", [STASIS_TICK_POLICY_MERGE] = "merge",
  [STASIS_TICK_POLICY_DISCARD] = "discard", NULL,
};

const char *const stasis_memory_source_names[] = {
  [STASIS_MEMORY_SOURCE_UNSET] = "",
  [STASIS_MEMORY_SOURCE_ANONYMOUS] = "anonymous",
  [STASIS_MEMORY_SOURCE_FILE] = "file",
  [STASIS_MEMORY_SOURCE_MEMFD] = "memfd",
  NULL,
};

const char *const stasis_memory_access_names[] = {
  [STASIS_MEMORY_ACCESS_UNSET] = "",
  [STASIS_MEMORY_ACCESS_SHARED] = "shared",
  [STASIS_MEMORY_ACCESS_PRIVATE] = "private",
  NULL,
};

const char *const stasis_address_type_names[] = {
  [STASIS_ADDRESS_NONE] = "",       [STASIS_ADDRESS_PCI] = "pci",
  [STASIS_ADDRESS_DRIVE] = "drive", [STASIS_ADDRESS_VIRTIO_SERIAL] = "virtio-serial",
  [STASIS_ADDRESS_CCID] = "ccid",   [STASIS_ADDRESS_USB] = "usb",
  [STASIS_ADDRESS_ISA] = "isa",     NULL,
};

const char *const stasis_disk_type_names[] = {
  [STASIS_DISK_TYPE_UNSET] = "",
  [STASIS_DISK_TYPE_FILE] = "file",
  [STASIS_DISK_TYPE_BLOCK] = "block",
  NULL,
};

const char *const stasis_disk_device_names[] = {
  [STASIS_DISK_DEVICE_UNSET] = "",
  [STASIS_DISK_DEVICE_DISK] = "disk",
  [STASIS_DISK_DEVICE_CDROM] = "cdrom",
  [STASIS_DISK_DEVICE_FLOPPY] = "floppy",
  NULL,
};

const char *const stasis_disk_bus_names[] = {
  [STASIS_DISK_BUS_UNSET] = "",        [STASIS_DISK_BUS_IDE] = "ide",
  [STASIS_DISK_BUS_FDC] = "fdc",       [STASIS_DISK_BUS_SCSI] = "scsi",
  [STASIS_DISK_BUS_VIRTIO] = "virtio", [STASIS_DISK_BUS_USB] = "usb",
  [STASIS_DISK_BUS_SATA] = "sata",     NULL,
};

const char *const stasis_disk_format_names[] = {
  [STASIS_DISK_FORMAT_UNSET] = "",
  [STASIS_DISK_FORMAT_RAW] = "raw",
  [STASIS_DISK_FORMAT_QCOW2] = "qcow2",
  NULL,
};

const char *const stasis_disk_cache_names[] = {
  [STASIS_DISK_CACHE_UNSET] = "",
  [STASIS_DISK_CACHE_DEFAULT] = "default",
  [STASIS_DISK_CACHE_NONE] = "none",
  [STASIS_DISK_CACHE_WRITETHROUGH] = "writethrough",
  [STASIS_DISK_CACHE_WRITEBACK] = "writeback",
  [STASIS_DISK_CACHE_DIRECTSYNC] = "directsync",
  [STASIS_DISK_CACHE_UNSAFE] = "unsafe",
  NULL,
};

const char *const stasis_controller_type_names[] = {
  [STASIS_CONTROLLER_UNSET] = "",
  [STASIS_CONTROLLER_PCI] = "pci",
  [STASIS_CONTROLLER_USB] = "usb",
  [STASIS_CONTROLLER_IDE] = "ide",
  [STASIS_CONTROLLER_SATA] = "sata",
  [STASIS_CONTROLLER_SCSI] = "scsi",
  [STASIS_CONTROLLER_VIRTIO_SERIAL] = "virtio-serial",
  [STASIS_CONTROLLER_FDC] = "fdc",
  NULL,
};

const char *const stasis_controller_model_names[] = {
  [STASIS_CONTROLLER_MODEL_UNSET] = "",
  [STASIS_CONTROLLER_MODEL_PCI_ROOT] = "pci-root",
  [STASIS_CONTROLLER_MODEL_PCIE_ROOT] = "pcie-root",
  [STASIS_CONTROLLER_MODEL_PCIE_ROOT_PORT] = "pcie-root-port",
  [STASIS_CONTROLLER_MODEL_PCIE_TO_PCI_BRIDGE] = "pcie-to-pci-bridge",
  [STASIS_CONTROLLER_MODEL_PCI_BRIDGE] = "pci-bridge",
  [STASIS_CONTROLLER_MODEL_DMI_TO_PCI_BRIDGE] = "dmi-to-pci-bridge",
  [STASIS_CONTROLLER_MODEL_PIIX3_UHCI] = "piix3-uhci",
  [STASIS_CONTROLLER_MODEL_PIIX4_UHCI] = "piix4-uhci",
  [STASIS_CONTROLLER_MODEL_EHCI] = "ehci",
  [STASIS_CONTROLLER_MODEL_ICH9_EHCI1] = "ich9-ehci1",
  [STASIS_CONTROLLER_MODEL_ICH9_UHCI1] = "ich9-uhci1",
  [STASIS_CONTROLLER_MODEL_ICH9_UHCI2] = "ich9-uhci2",
  [STASIS_CONTROLLER_MODEL_ICH9_UHCI3] = "ich9-uhci3",
  [STASIS_CONTROLLER_MODEL_VT82C686B_UHCI] = "vt82c686b-uhci",
  [STASIS_CONTROLLER_MODEL_PCI_OHCI] = "pci-ohci",
  [STASIS_CONTROLLER_MODEL_NEC_XHCI] = "nec-xhci",
  [STASIS_CONTROLLER_MODEL_QEMU_XHCI] = "qemu-xhci",
  [STASIS_CONTROLLER_MODEL_NONE] = "none",
  [STASIS_CONTROLLER_MODEL_VIRTIO_SCSI] = "virtio-scsi",
  [STASIS_CONTROLLER_MODEL_VIRTIO] = "virtio",
  [STASIS_CONTROLLER_MODEL_VIRTIO_TRANSITIONAL] = "virtio-transitional",
  [STASIS_CONTROLLER_MODEL_VIRTIO_NON_TRANSITIONAL] = "virtio-non-transitional",
  [STASIS_CONTROLLER_MODEL_LSILOGIC] = "lsilogic",
  [STASIS_CONTROLLER_MODEL_PIIX3] = "piix3",
  NULL,
};

const char *const stasis_interface_type_names[] = {
  [STASIS_INTERFACE_UNSET] = "",
  [STASIS_INTERFACE_USER] = "user",
  [STASIS_INTERFACE_BRIDGE] = "bridge",
  [STASIS_INTERFACE_NETWORK] = "network",
  [STASIS_INTERFACE_ETHERNET] = "ethernet",
  NULL,
};

const char *const stasis_link_state_names[] = {
  [STASIS_LINK_UNSET] = "",
  [STASIS_LINK_UP] = "up",
  [STASIS_LINK_DOWN] = "down",
  NULL,
};

const char *const stasis_chardev_type_names[] = {
  [STASIS_CHARDEV_UNSET] = "",
  [STASIS_CHARDEV_NULL] = "null",
  [STASIS_CHARDEV_PTY] = "pty",
  [STASIS_CHARDEV_FILE] = "file",
  [STASIS_CHARDEV_UNIX] = "unix",
  [STASIS_CHARDEV_TCP] = "tcp",
  [STASIS_CHARDEV_SPICEVMC] = "spicevmc",
  NULL,
};

const char *const stasis_chardev_mode_names[] = {
  [STASIS_CHARDEV_MODE_UNSET] = "",
  [STASIS_CHARDEV_MODE_CONNECT] = "connect",
  [STASIS_CHARDEV_MODE_BIND] = "bind",
  NULL,
};

const char *const stasis_chardev_target_names[] = {
  [STASIS_CHARDEV_TARGET_UNSET] = "",
  [STASIS_CHARDEV_TARGET_ISA_SERIAL] = "isa-serial",
  [STASIS_CHARDEV_TARGET_PCI_SERIAL] = "pci-serial",
  [STASIS_CHARDEV_TARGET_USB_SERIAL] = "usb-serial",
  [STASIS_CHARDEV_TARGET_SERIAL] = "serial",
  [STASIS_CHARDEV_TARGET_VIRTIO] = "virtio",
  NULL,
};

const char *const stasis_input_type_names[] = {
  [STASIS_INPUT_UNSET] = "",
  [STASIS_INPUT_MOUSE] = "mouse",
  [STASIS_INPUT_TABLET] = "tablet",
  [STASIS_INPUT_KEYBOARD] = "keyboard",
  NULL,
};

const char *const stasis_input_bus_names[] = {
  [STASIS_INPUT_BUS_UNSET] = "",
  [STASIS_INPUT_BUS_PS2] = "ps2",
  [STASIS_INPUT_BUS_USB] = "usb",
  [STASIS_INPUT_BUS_VIRTIO] = "virtio",
  NULL,
};

const char *const stasis_graphics_type_names[] = {
  [STASIS_GRAPHICS_UNSET] = "",
  [STASIS_GRAPHICS_VNC] = "vnc",
  [STASIS_GRAPHICS_SPICE] = "spice",
  NULL,
};

const char *const stasis_listen_type_names[] = {
  [STASIS_LISTEN_UNSET] = "",
  [STASIS_LISTEN_NONE] = "none",
  [STASIS_LISTEN_ADDRESS] = "address",
  [STASIS_LISTEN_SOCKET] = "socket",
  NULL,
};

const char *const stasis_video_model_names[] = {
  [STASIS_VIDEO_UNSET] = "",        [STASIS_VIDEO_VGA] = "vga",
  [STASIS_VIDEO_CIRRUS] = "cirrus", [STASIS_VIDEO_QXL] = "qxl",
  [STASIS_VIDEO_VIRTIO] = "virtio", [STASIS_VIDEO_BOCHS] = "bochs",
  [STASIS_VIDEO_NONE] = "none",     NULL,
};

const char *const stasis_sound_model_names[] = {
  [STASIS_SOUND_UNSET] = "",
  [STASIS_SOUND_AC97] = "ac97",
  [STASIS_SOUND_ICH6] = "ich6",
  [STASIS_SOUND_ICH9] = "ich9",
  NULL,
};

const char *const stasis_audio_type_names[] = {
  [STASIS_AUDIO_UNSET] = "",
  [STASIS_AUDIO_NONE] = "none",
  [STASIS_AUDIO_SPICE] = "spice",
  NULL,
};

const char *const stasis_balloon_model_names[] = {
  [STASIS_BALLOON_UNSET] = "",
  [STASIS_BALLOON_NONE] = "none",
  [STASIS_BALLOON_VIRTIO] = "virtio",
  [STASIS_BALLOON_VIRTIO_TRANSITIONAL] = "virtio-transitional",
  [STASIS_BALLOON_VIRTIO_NON_TRANSITIONAL] = "virtio-non-transitional",
  NULL,
};

const char *const stasis_virtio_model_names[] = {
  [STASIS_VIRTIO_UNSET] = "",
  [STASIS_VIRTIO_PLAIN] = "virtio",
  [STASIS_VIRTIO_TRANSITIONAL] = "virtio-transitional",
  [STASIS_VIRTIO_NON_TRANSITIONAL] = "virtio-non-transitional",
  NULL,
};

const char *const stasis_rng_backend_names[] = {
  [STASIS_RNG_UNSET] = "",
  [STASIS_RNG_RANDOM] = "random",
  [STASIS_RNG_BUILTIN] = "builtin",
  NULL,
};

const char *const stasis_watchdog_model_names[] = {
  [STASIS_WATCHDOG_UNSET] = "",
  [STASIS_WATCHDOG_I6300ESB] = "i6300esb",
  [STASIS_WATCHDOG_ITCO] = "itco",
  NULL,
};

const char *const stasis_watchdog_action_names[] = {
  [STASIS_WATCHDOG_ACTION_UNSET] = "",
  [STASIS_WATCHDOG_ACTION_RESET] = "reset",
  [STASIS_WATCHDOG_ACTION_SHUTDOWN] = "shutdown",
  [STASIS_WATCHDOG_ACTION_POWEROFF] = "poweroff",
  [STASIS_WATCHDOG_ACTION_PAUSE] = "pause",
  [STASIS_WATCHDOG_ACTION_DUMP] = "dump",
  [STASIS_WATCHDOG_ACTION_NONE] = "none",
  [STASIS_WATCHDOG_ACTION_INJECT_NMI] = "inject-nmi",
  NULL,
};

const char *const stasis_panic_model_names[] = {
  [STASIS_PANIC_UNSET] = "",
  [STASIS_PANIC_ISA] = "isa",
  [STASIS_PANIC_PVPANIC] = "pvpanic",
  [STASIS_PANIC_HYPERV] = "hyperv",
  NULL,
};
