/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-names.h: the words of the domain XML as enumerations
 *
 * Value 0 always means that the XML says nothing.  Each enumeration has a table of its words in
 * domain-names.c, indexed by value and ended by NULL; slot 0 is the empty string.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum
{
  STASIS_TRISTATE_UNSET,
  STASIS_TRISTATE_ON,
  STASIS_TRISTATE_OFF,
} StasisTristate;

typedef enum
{
  STASIS_DOMAIN_TYPE_UNSET,
  STASIS_DOMAIN_TYPE_QEMU, /* software emulation (tcg) */
  STASIS_DOMAIN_TYPE_KVM,
} StasisDomainType;

typedef enum
{
  STASIS_LIFECYCLE_UNSET,
  STASIS_LIFECYCLE_DESTROY,
  STASIS_LIFECYCLE_RESTART,
  STASIS_LIFECYCLE_PRESERVE,
  STASIS_LIFECYCLE_RENAME_RESTART,
  STASIS_LIFECYCLE_COREDUMP_DESTROY,
  STASIS_LIFECYCLE_COREDUMP_RESTART,
} StasisLifecycleAction;

typedef enum
{
  STASIS_BOOT_UNSET,
  STASIS_BOOT_FD,
  STASIS_BOOT_HD,
  STASIS_BOOT_CDROM,
  STASIS_BOOT_NETWORK,
} StasisBootDevice;

typedef enum
{
  STASIS_LOADER_UNSET,
  STASIS_LOADER_ROM,
  STASIS_LOADER_PFLASH,
} StasisLoaderType;

typedef enum
{
  STASIS_FIRMWARE_UNSET,
  STASIS_FIRMWARE_BIOS,
  STASIS_FIRMWARE_EFI,
} StasisFirmware;

typedef enum
{
  STASIS_CPU_MODE_UNSET,
  STASIS_CPU_MODE_CUSTOM,
  STASIS_CPU_MODE_HOST_MODEL,
  STASIS_CPU_MODE_HOST_PASSTHROUGH,
  STASIS_CPU_MODE_MAXIMUM,
} StasisCpuMode;

typedef enum
{
  STASIS_CPU_POLICY_UNSET,
  STASIS_CPU_POLICY_FORCE,
  STASIS_CPU_POLICY_REQUIRE,
  STASIS_CPU_POLICY_OPTIONAL,
  STASIS_CPU_POLICY_DISABLE,
  STASIS_CPU_POLICY_FORBID,
} StasisCpuPolicy;

typedef enum
{
  STASIS_CLOCK_UNSET,
  STASIS_CLOCK_UTC,
  STASIS_CLOCK_LOCALTIME,
  STASIS_CLOCK_TIMEZONE,
  STASIS_CLOCK_VARIABLE,
  STASIS_CLOCK_ABSOLUTE,
} StasisClockOffset;

typedef enum
{
  STASIS_TIMER_UNSET,
  STASIS_TIMER_RTC,
  STASIS_TIMER_PIT,
  STASIS_TIMER_HPET,
  STASIS_TIMER_KVMCLOCK,
  STASIS_TIMER_HYPERVCLOCK,
  STASIS_TIMER_TSC,
} StasisTimerName;

typedef enum
{
  STASIS_TICK_POLICY_UNSET,
  STASIS_TICK_POLICY_DELAY,
  STASIS_TICK_POLICY_CATCHUP,
  STASIS_TICK_POLICY_MERGE,
  STASIS_TICK_POLICY_DISCARD,
} StasisTickPolicy;

typedef enum
{
  STASIS_MEMORY_SOURCE_UNSET,
  STASIS_MEMORY_SOURCE_ANONYMOUS,
  STASIS_MEMORY_SOURCE_FILE,
  STASIS_MEMORY_SOURCE_MEMFD,
} StasisMemorySource;

typedef enum
{
  STASIS_MEMORY_ACCESS_UNSET,
  STASIS_MEMORY_ACCESS_SHARED,
  STASIS_MEMORY_ACCESS_PRIVATE,
} StasisMemoryAccess;

typedef enum
{
  STASIS_ADDRESS_NONE,
  STASIS_ADDRESS_PCI,
  STASIS_ADDRESS_DRIVE,
  STASIS_ADDRESS_VIRTIO_SERIAL,
  STASIS_ADDRESS_CCID,
  STASIS_ADDRESS_USB,
  STASIS_ADDRESS_ISA,
} StasisAddressType;

typedef enum
{
  STASIS_DISK_TYPE_UNSET,
  STASIS_DISK_TYPE_FILE,
  STASIS_DISK_TYPE_BLOCK,
} StasisDiskType;

typedef enum
{
  STASIS_DISK_DEVICE_UNSET,
  STASIS_DISK_DEVICE_DISK,
  STASIS_DISK_DEVICE_CDROM,
  STASIS_DISK_DEVICE_FLOPPY,
} StasisDiskDevice;

typedef enum
{
  STASIS_DISK_BUS_UNSET,
  STASIS_DISK_BUS_IDE,
  STASIS_DISK_BUS_FDC,
  STASIS_DISK_BUS_SCSI,
  STASIS_DISK_BUS_VIRTIO,
  STASIS_DISK_BUS_USB,
  STASIS_DISK_BUS_SATA,
} StasisDiskBus;

typedef enum
{
  STASIS_DISK_FORMAT_UNSET,
  STASIS_DISK_FORMAT_RAW,
  STASIS_DISK_FORMAT_QCOW2,
} StasisDiskFormat;

typedef enum
{
  STASIS_DISK_CACHE_UNSET,
  STASIS_DISK_CACHE_DEFAULT,
  STASIS_DISK_CACHE_NONE,
  STASIS_DISK_CACHE_WRITETHROUGH,
  STASIS_DISK_CACHE_WRITEBACK,
  STASIS_DISK_CACHE_DIRECTSYNC,
  STASIS_DISK_CACHE_UNSAFE,
} StasisDiskCache;

typedef enum
{
  STASIS_CONTROLLER_UNSET,
  STASIS_CONTROLLER_PCI,
  STASIS_CONTROLLER_USB,
  STASIS_CONTROLLER_IDE,
  STASIS_CONTROLLER_SATA,
  STASIS_CONTROLLER_SCSI,
  STASIS_CONTROLLER_VIRTIO_SERIAL,
  STASIS_CONTROLLER_FDC,
} StasisControllerType;

/* Models of all types of controllers in one list; domain-validate.c knows which belong together. */
typedef enum
{
  STASIS_CONTROLLER_MODEL_UNSET,
  STASIS_CONTROLLER_MODEL_PCI_ROOT,
  STASIS_CONTROLLER_MODEL_PCIE_ROOT,
  STASIS_CONTROLLER_MODEL_PCIE_ROOT_PORT,
  STASIS_CONTROLLER_MODEL_PCIE_TO_PCI_BRIDGE,
  STASIS_CONTROLLER_MODEL_PCI_BRIDGE,
  STASIS_CONTROLLER_MODEL_DMI_TO_PCI_BRIDGE,
  STASIS_CONTROLLER_MODEL_PIIX3_UHCI,
  STASIS_CONTROLLER_MODEL_PIIX4_UHCI,
  STASIS_CONTROLLER_MODEL_EHCI,
  STASIS_CONTROLLER_MODEL_ICH9_EHCI1,
  STASIS_CONTROLLER_MODEL_ICH9_UHCI1,
  STASIS_CONTROLLER_MODEL_ICH9_UHCI2,
  STASIS_CONTROLLER_MODEL_ICH9_UHCI3,
  STASIS_CONTROLLER_MODEL_VT82C686B_UHCI,
  STASIS_CONTROLLER_MODEL_PCI_OHCI,
  STASIS_CONTROLLER_MODEL_NEC_XHCI,
  STASIS_CONTROLLER_MODEL_QEMU_XHCI,
  STASIS_CONTROLLER_MODEL_NONE, /* type usb: the domain has no USB at all */
  STASIS_CONTROLLER_MODEL_VIRTIO_SCSI,
  STASIS_CONTROLLER_MODEL_VIRTIO, /* virtio-serial */
  STASIS_CONTROLLER_MODEL_VIRTIO_TRANSITIONAL,
  STASIS_CONTROLLER_MODEL_VIRTIO_NON_TRANSITIONAL,
  STASIS_CONTROLLER_MODEL_LSILOGIC,
  STASIS_CONTROLLER_MODEL_PIIX3, /* ide */
} StasisControllerModel;

typedef enum
{
  STASIS_INTERFACE_UNSET,
  STASIS_INTERFACE_USER,
  STASIS_INTERFACE_BRIDGE,
  STASIS_INTERFACE_NETWORK,
  STASIS_INTERFACE_ETHERNET,
} StasisInterfaceType;

typedef enum
{
  STASIS_LINK_UNSET,
  STASIS_LINK_UP,
  STASIS_LINK_DOWN,
} StasisLinkState;

typedef enum
{
  STASIS_CHARDEV_UNSET,
  STASIS_CHARDEV_NULL,
  STASIS_CHARDEV_PTY,
  STASIS_CHARDEV_FILE,
  STASIS_CHARDEV_UNIX,
  STASIS_CHARDEV_TCP,
  STASIS_CHARDEV_SPICEVMC,
} StasisChardevType;

typedef enum
{
  STASIS_CHARDEV_MODE_UNSET,
  STASIS_CHARDEV_MODE_CONNECT,
  STASIS_CHARDEV_MODE_BIND,
} StasisChardevMode;

typedef enum
{
  STASIS_CHARDEV_TARGET_UNSET,
  STASIS_CHARDEV_TARGET_ISA_SERIAL,
  STASIS_CHARDEV_TARGET_PCI_SERIAL,
  STASIS_CHARDEV_TARGET_USB_SERIAL,
  STASIS_CHARDEV_TARGET_SERIAL, /* console: another name for a serial port */
  STASIS_CHARDEV_TARGET_VIRTIO,
} StasisChardevTarget;

typedef enum
{
  STASIS_INPUT_UNSET,
  STASIS_INPUT_MOUSE,
  STASIS_INPUT_TABLET,
  STASIS_INPUT_KEYBOARD,
} StasisInputType;

typedef enum
{
  STASIS_INPUT_BUS_UNSET,
  STASIS_INPUT_BUS_PS2,
  STASIS_INPUT_BUS_USB,
  STASIS_INPUT_BUS_VIRTIO,
} StasisInputBus;

typedef enum
{
  STASIS_GRAPHICS_UNSET,
  STASIS_GRAPHICS_VNC,
  STASIS_GRAPHICS_SPICE,
} StasisGraphicsType;

typedef enum
{
  STASIS_LISTEN_UNSET,
  STASIS_LISTEN_NONE,
  STASIS_LISTEN_ADDRESS,
  STASIS_LISTEN_SOCKET,
} StasisListenType;

typedef enum
{
  STASIS_VIDEO_UNSET,
  STASIS_VIDEO_VGA,
  STASIS_VIDEO_CIRRUS,
  STASIS_VIDEO_QXL,
  STASIS_VIDEO_VIRTIO,
  STASIS_VIDEO_BOCHS,
  STASIS_VIDEO_NONE,
} StasisVideoModel;

typedef enum
{
  STASIS_SOUND_UNSET,
  STASIS_SOUND_AC97,
  STASIS_SOUND_ICH6,
  STASIS_SOUND_ICH9,
} StasisSoundModel;

typedef enum
{
  STASIS_AUDIO_UNSET,
  STASIS_AUDIO_NONE,
  STASIS_AUDIO_SPICE,
} StasisAudioType;

typedef enum
{
  STASIS_BALLOON_UNSET,
  STASIS_BALLOON_NONE,
  STASIS_BALLOON_VIRTIO,
  STASIS_BALLOON_VIRTIO_TRANSITIONAL,
  STASIS_BALLOON_VIRTIO_NON_TRANSITIONAL,
} StasisBalloonModel;

typedef enum
{
  STASIS_VIRTIO_UNSET,
  STASIS_VIRTIO_PLAIN,
  STASIS_VIRTIO_TRANSITIONAL,
  STASIS_VIRTIO_NON_TRANSITIONAL,
} StasisVirtioModel;

typedef enum
{
  STASIS_RNG_UNSET,
  STASIS_RNG_RANDOM,
  STASIS_RNG_BUILTIN,
} StasisRngBackend;

typedef enum
{
  STASIS_WATCHDOG_UNSET,
  STASIS_WATCHDOG_I6300ESB,
  STASIS_WATCHDOG_ITCO,
} StasisWatchdogModel;

typedef enum
{
  STASIS_WATCHDOG_ACTION_UNSET,
  STASIS_WATCHDOG_ACTION_RESET,
  STASIS_WATCHDOG_ACTION_SHUTDOWN,
  STASIS_WATCHDOG_ACTION_POWEROFF,
  STASIS_WATCHDOG_ACTION_PAUSE,
  STASIS_WATCHDOG_ACTION_DUMP,
  STASIS_WATCHDOG_ACTION_NONE,
  STASIS_WATCHDOG_ACTION_INJECT_NMI,
} StasisWatchdogAction;

typedef enum
{
  STASIS_PANIC_UNSET,
  STASIS_PANIC_ISA,
  STASIS_PANIC_PVPANIC,
  STASIS_PANIC_HYPERV,
} StasisPanicModel;

extern const char *const stasis_yes_no_names[];
extern const char *const stasis_on_off_names[];
extern const char *const stasis_domain_type_names[];
extern const char *const stasis_lifecycle_action_names[];
extern const char *const stasis_boot_device_names[];
extern const char *const stasis_loader_type_names[];
extern const char *const stasis_firmware_names[];
extern const char *const stasis_cpu_mode_names[];
extern const char *const stasis_cpu_policy_names[];
extern const char *const stasis_clock_offset_names[];
extern const char *const stasis_timer_names[];
extern const char *const stasis_tick_policy_names[];
extern const char *const stasis_memory_source_names[];
extern const char *const stasis_memory_access_names[];
extern const char *const stasis_address_type_names[];
extern const char *const stasis_disk_type_names[];
extern const char *const stasis_disk_device_names[];
extern const char *const stasis_disk_bus_names[];
extern const char *const stasis_disk_format_names[];
extern const char *const stasis_disk_cache_names[];
extern const char *const stasis_controller_type_names[];
extern const char *const stasis_controller_model_names[];
extern const char *const stasis_interface_type_names[];
extern const char *const stasis_link_state_names[];
extern const char *const stasis_chardev_type_names[];
extern const char *const stasis_chardev_mode_names[];
extern const char *const stasis_chardev_target_names[];
extern const char *const stasis_input_type_names[];
extern const char *const stasis_input_bus_names[];
extern const char *const stasis_graphics_type_names[];
extern const char *const stasis_listen_type_names[];
extern const char *const stasis_video_model_names[];
extern const char *const stasis_sound_model_names[];
extern const char *const stasis_audio_type_names[];
extern const char *const stasis_balloon_model_names[];
extern const char *const stasis_virtio_model_names[];
extern const char *const stasis_rng_backend_names[];
extern const char *const stasis_watchdog_model_names[];
extern const char *const stasis_watchdog_action_names[];
extern const char *const stasis_panic_model_names[];

G_END_DECLS
